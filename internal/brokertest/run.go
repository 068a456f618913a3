// Package brokertest is what the tests of several packages have in common.
// Its functions end the test when what they do or require fails. Packages
// whose tests use it must have these tests in a package of their own, such as
// warren_test.
package brokertest

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// Run runs f in a bubble with a new broker, which it closes: a goroutine that
// is left then fails the test.
func Run(t *testing.T, f func(t *testing.T, b *warren.Broker)) {
	t.Helper()
	RunWith(t, nil, f)
}

// RunWith is Run with options for the broker.
func RunWith(t *testing.T, o *warren.Options, f func(t *testing.T, b *warren.Broker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := open(t, o)
		defer func() { closeBroker(t, b) }()
		f(t, b)
	})
}

// New makes a broker that is closed with the test.
func New(t testing.TB, o *warren.Options) *warren.Broker {
	b := open(t, o)
	t.Cleanup(func() { closeBroker(t, b) })
	return b
}

// closeBroker closes a broker. Then nothing may count against its memory limit.
func closeBroker(t testing.TB, b *warren.Broker) {
	require.NoError(t, b.Close())
	s := b.Stats()
	for i := 0; i < 10_000 && (s.Memory != 0 || s.TopologyBytes != 0); i++ {
		runtime.Gosched() // somebody may be about to settle what he has
		s = b.Stats()
	}
	require.Zero(t, s.Memory, "bytes that nobody holds any more")
	require.Zero(t, s.TopologyBytes, "what ended was given back")
}

// Later lets time pass in a bubble, and what is due then happen.
func Later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// Less is n, or a part of it with the race detector.
func Less(n, part int) int {
	if Race {
		return n / part
	}
	return n
}
