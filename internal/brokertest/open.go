//go:build !paged

package brokertest

import (
	"testing"

	"github.com/warrenmq/warren"
)

// Paged says that messages are on disk only, as far as possible.
const Paged = false

func open(_ testing.TB, o *warren.Options) *warren.Broker { return warren.New(o) }
