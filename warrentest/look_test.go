package warrentest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/warrentest"
)

func TestMessagesAreShownAndStay(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.QueueBind("q", "#", "amq.topic", nil))
		require.NoError(t, ch.Publish(t.Context(), "amq.topic", "k", warren.Message{Body: []byte("1"), Headers: warren.Table{"h": "x"}}, warren.PublishOptions{}))
		brokertest.Fill(t, ch, "q", "2")
		for range 2 {
			messages := b.Messages("q")
			require.Len(t, messages, 2)
			require.Equal(t, []any{"1", "x", "amq.topic", "k"}, []any{string(messages[0].Body), messages[0].Headers["h"], messages[0].Exchange, messages[0].RoutingKey})
			b.RequireMessages("q", "1", "2")
		}
		brokertest.Take(t, ch, "q")
		b.RequireMessages("q", "2")
		require.Equal(t, []string{"2"}, brokertest.Drain(t, ch, "q"))
		b.RequireMessages("q")
		require.Empty(t, b.Messages("q"))
	})
}

func TestMessagesAreAllThatThereAre(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Stream(t, ch, "log", warren.QueueOptions{Durable: true})
		want := brokertest.Numbers(0, 2499)
		for _, queue := range []string{"q", "log"} {
			brokertest.Fill(t, ch, queue, want...)
			b.RequireMessages(queue, want...)
		}
		// Those whose time is over, and that are behind others, are passed over.
		brokertest.Queues(t, ch, "old")
		brokertest.Fill(t, ch, "old", "first")
		for range 1500 {
			require.NoError(t, ch.Publish(t.Context(), "", "old", warren.Message{Body: []byte("late"), Expiration: "5"}, warren.PublishOptions{}))
		}
		brokertest.Fill(t, ch, "old", "last")
		brokertest.Later(10 * time.Millisecond)
		b.RequireMessages("old", "first", "last")
	})
}

func TestRequireMessagesShowsTheDifference(t *testing.T) {
	fails(t, `warrentest: the messages are not as wanted (- wanted, + there) in queue 'q': 3 ready, 1 unacked, no consumers
  "one"
- "two"
- "three\n"
+ "twice"
+ "twice"`,
		func(t testing.TB, b *warrentest.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q")
			brokertest.Fill(t, ch, "q", "taken", "one", "twice", "twice")
			brokertest.Take(t, ch, "q")
			b.RequireMessages("q", "one", "two", "three\n")
		})
	fails(t, `warrentest: the messages are not as wanted (- wanted, + there) in queue 'q': 2 ready, 0 unacked, no consumers
+ "`+strings.Repeat("x", 200)+`"... (201 bytes)
+ "\xff"`,
		func(t testing.TB, b *warrentest.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q")
			brokertest.Fill(t, ch, "q", strings.Repeat("x", 201), "\xff")
			b.RequireMessages("q")
		})
	fails(t, `warrentest: messages of queue 'Q': there is no queue 'Q', but 'q'`,
		func(t testing.TB, b *warrentest.Broker) {
			brokertest.Queues(t, brokertest.Channel(t, b), "q")
			b.RequireMessages("Q", "1")
		})
}
