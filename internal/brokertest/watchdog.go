package brokertest

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Watch ends the test program with all stacks, and the words that say how to
// try again, unless the test is over in time. It counts real time, so a bubble
// is made within it.
func Watch(t *testing.T, limit time.Duration, again string) {
	dog := time.AfterFunc(limit, func() {
		fmt.Fprintf(os.Stderr, "%s is not over after %v; try again: %s\n", t.Name(), limit, again)
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		panic("watchdog")
	})
	t.Cleanup(func() { dog.Stop() })
}

// NoGoroutines requires that no goroutine works for the broker or one of its
// clients any more, outside of bubbles. The last ones may still be about to end.
func NoGoroutines(t *testing.T) {
	t.Helper()
	var left []string
	stacks := make([]byte, 1<<20)
	require.Eventually(t, func() bool {
		left = nil
		for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(stack, "warren/amqp.") || strings.Contains(stack, "warren/internal/queue.") || strings.Contains(stack, "amqp091-go.") {
				left = append(left, stack)
			}
		}
		return len(left) == 0
	}, time.Minute, 10*time.Millisecond, "goroutines are left")
}
