//go:build !paged

package model_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// With messages that have to come from the disk first, any of the consumers that wait
// for them may be the first whose turn it is.
func TestFlowOnServesTheOldestConsumerFirst(t *testing.T) {
	for range 20 { // what goes over a map is right now and then
		list := channelsOfOneSession(t, 1)
		ch := list[0]
		declareWith(t, ch, "q")
		var consumers []*warren.Consumer
		for range 3 {
			consumers = append(consumers, brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1}))
		}
		require.NoError(t, ch.Flow(false))
		brokertest.Fill(t, ch, "q", "a", "b", "c")
		require.NoError(t, ch.Flow(true))
		gets(t, consumers[0], "a")
		gets(t, consumers[1], "b")
		gets(t, consumers[2], "c")
	}
}
