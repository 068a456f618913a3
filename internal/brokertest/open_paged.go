//go:build paged

package brokertest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// Paged says that messages are on disk only, as far as possible.
const Paged = true

func open(t testing.TB, o *warren.Options) *warren.Broker {
	var opt warren.Options
	if o != nil {
		opt = *o
	}
	if opt.MemoryLimit != 0 { // the test is about brokers without a directory
		return warren.New(o)
	}
	opt.Sync = warren.SyncNever
	b, err := warren.Open(t.TempDir(), &opt)
	require.NoError(t, err)
	return b
}
