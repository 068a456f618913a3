package warren_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
)

// root returns the virtual host "/".
func root(t testing.TB, b *warren.Broker) *warren.VirtualHost {
	v, err := b.VirtualHost("/")
	require.NoError(t, err)
	return v
}

// peek looks at a queue, which must be there.
func peek(t testing.TB, v *warren.VirtualHost, queue string, skip, n int) []warren.Peeked {
	t.Helper()
	list, err := v.Peek(queue, skip, n)
	require.NoError(t, err)
	return list
}

func TestPeekShowsMessagesAndLeavesThem(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, v := brokertest.Channel(t, b), root(t, b)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeliveryLimit: 5, Expires: time.Minute})
		require.NoError(t, ch.QueueBind("q", "key", "amq.direct", nil))
		brokertest.Put(t, ch, "", "q", "first")
		msg := warren.Message{Body: []byte("second"), Headers: warren.Table{"n": int64(1)}, ContentType: "text/plain", Priority: 3, MessageId: "m"}
		require.NoError(t, brokertest.Send(ch, "amq.direct", "key", msg, warren.PublishOptions{}))
		d := brokertest.Take(t, ch, "q")
		require.NoError(t, ch.Nack(d.DeliveryTag, false, true))
		before := b.Stats().QueueCounts
		list := peek(t, v, "q", 0, 10)
		require.Equal(t, []warren.Peeked{
			{Message: warren.Message{Body: []byte("first")}, RoutingKey: "q", Redelivered: true, Returns: 1},
			{Message: msg, Exchange: "amq.direct", RoutingKey: "key", Offset: 1},
		}, list)
		require.Equal(t, list[1:], peek(t, v, "q", 1, 10))
		require.Equal(t, list[:1], peek(t, v, "q", 0, 1))
		require.Equal(t, list, peek(t, v, "q", -1, 10))
		require.Empty(t, peek(t, v, "q", 2, 10))
		require.Empty(t, peek(t, v, "q", 0, 0))
		require.Empty(t, peek(t, v, "q", 0, -1))
		require.Equal(t, before, b.Stats().QueueCounts)
		require.Equal(t, []string{"first", "second"}, brokertest.Drain(t, ch, "q"))
		require.Empty(t, peek(t, v, "q", 0, 10))

		brokertest.Later(59 * time.Second)
		peek(t, v, "q", 0, 10)
		brokertest.Later(2 * time.Second)
		_, err := v.Peek("q", 0, 10)
		require.ErrorIs(t, err, warren.ErrNotFound, "a look is no use of the queue")
		require.ErrorContains(t, err, "NOT_FOUND - no queue 'q' in vhost '/'")
	})
}

func TestPeekAtAStreamTellsOffsets(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, v := brokertest.Channel(t, b), root(t, b)
		brokertest.Stream(t, ch, "s", warren.QueueOptions{})
		brokertest.Put(t, ch, "", "s", brokertest.Numbers(0, 699)...)
		list := peek(t, v, "s", 690, 1000)
		require.Len(t, list, 10)
		for i, m := range list {
			require.EqualValues(t, 690+i, m.Offset)
			require.Equal(t, fmt.Sprint(690+i), string(m.Body))
		}
	})
}

func TestPeekIsBounded(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, v := brokertest.Channel(t, b), root(t, b)
		brokertest.Queues(t, ch, "many", "large")
		brokertest.Put(t, ch, "", "many", brokertest.Numbers(0, 1199)...)
		require.Equal(t, 1000, len(peek(t, v, "many", 0, 5000)))
		require.Equal(t, 200, len(peek(t, v, "many", 1000, 5000)))
		brokertest.Put(t, ch, "", "large", brokertest.Letters(20)...)
		for range 20 {
			brokertest.Put(t, ch, "", "large", strings.Repeat("x", 1<<20))
		}
		require.Equal(t, 20+16, len(peek(t, v, "large", 0, 1000)), "16 MiB")
		require.Equal(t, 1, len(peek(t, v, "large", 39, 1000)))
	})
}

// TestPeekTellsNoReplyAddress: who knows it could answer the call.
func TestPeekTellsNoReplyAddress(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, v := brokertest.Channel(t, b), root(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Consume(t, ch, warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		for _, to := range []string{warren.DirectReplyTo, "mine"} {
			require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{ReplyTo: to}, warren.PublishOptions{}))
		}
		list := peek(t, v, "q", 0, 10)
		require.Equal(t, warren.DirectReplyTo, list[0].ReplyTo)
		require.Equal(t, "mine", list[1].ReplyTo)
		require.Greater(t, len(brokertest.Take(t, ch, "q").ReplyTo), len(warren.DirectReplyTo), "the address itself is still there")
	})
}

func TestPeekReadsWhatIsOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true, MaxPriority: 2})
		for i := range 4000 {
			msg := warren.Message{Body: fmt.Append(nil, i), DeliveryMode: warren.Persistent, Priority: uint8(i % 2), Headers: warren.Table{"i": int64(i)}}
			require.NoError(t, brokertest.Send(ch, "", "q", msg, warren.PublishOptions{}))
		}
		b = reopened(t, b, dir)
		v := root(t, b)
		memory := b.Stats().Memory
		for range 20 {
			list := peek(t, v, "q", 1990, 20)
			require.Len(t, list, 20)
			for j, m := range list {
				want := int64(1990+j)*2 + 1
				if j >= 10 {
					want = int64(j-10) * 2
				}
				require.Equal(t, fmt.Sprint(want), string(m.Body))
				require.Equal(t, want, m.Headers["i"])
				require.EqualValues(t, 1990+j, m.Offset)
			}
		}
		require.Equal(t, memory, b.Stats().Memory)
		dir.FailReads(errors.New("a test's disk fails"))
		_, err := v.Peek("q", 1990, 10)
		require.ErrorIs(t, err, warren.ErrStorage)
		require.ErrorContains(t, err, "a test's disk fails")
		dir.Heal()
		require.Equal(t, 10, len(peek(t, v, "q", 1990, 10)))
		require.NoError(t, b.Close())
		_, err = v.Peek("q", 0, 10)
		require.ErrorIs(t, err, warren.ErrClosed)
	})
}
