package warren_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestARejectInATransactionDeadLettersAtTheCommit(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "dead")
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "dead"}})
		brokertest.Put(t, ch, "", "q", "m")
		require.NoError(t, ch.Tx())
		d := brokertest.Take(t, ch, "q")
		require.NoError(t, d.Reject(false))
		require.Zero(t, brokertest.Ready(t, ch, "dead"))
		require.NoError(t, ch.TxRollback())
		require.Zero(t, brokertest.Ready(t, ch, "dead"))
		require.NoError(t, d.Reject(false))
		require.NoError(t, ch.TxCommit())
		require.Equal(t, 1, brokertest.Ready(t, ch, "dead"))
	})
}

func TestADeadLetteredCallIsAnsweredByAHandler(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "second"}, MaxLength: 1})
		_, err := b.Handle("second", func(_ context.Context, r *warren.Request) (warren.Message, error) {
			return warren.Message{Body: append([]byte("re: "), r.Body...)}, nil
		})
		require.NoError(t, err)
		go func() {
			synctest.Wait()
			ch.Publish(t.Context(), "", "q", warren.Message{}, warren.PublishOptions{})
		}()
		reply, err := b.Call(t.Context(), "q", warren.Message{Body: []byte("question")})
		require.NoError(t, err)
		require.Equal(t, "re: question", string(reply.Body))
	})
}

// A request that dies and finds no queue fails its call.
func TestACallThatDiesForGoodFails(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "nowhere"}, MessageTTL: time.Second})
		start := time.Now()
		_, err := b.Call(t.Context(), "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrRequestDropped)
		require.Equal(t, time.Second, time.Since(start))
	})
}

func TestDeadLettersGoByTheKeysInBCCWithoutShowingThem(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "cc", "bcc")
		brokertest.Exchanges(t, ch, warren.Direct, "dlx")
		for _, name := range []string{"cc", "bcc"} {
			require.NoError(t, ch.QueueBind(name, name, "dlx", nil))
		}
		for name, key := range map[string]string{"first": "", "second": "", "keyed": "cc"} {
			brokertest.Queue(t, ch, name, warren.QueueOptions{DeadLetter: &warren.DeadLetter{Exchange: "dlx", RoutingKey: key}})
			require.NoError(t, ch.QueueBind(name, name, "amq.direct", nil))
		}
		headers := warren.Table{"CC": []any{"cc", int32(1)}, "BCC": []any{"bcc"}}
		reject := func(queue string) {
			t.Helper()
			d := brokertest.Take(t, ch, queue)
			require.NoError(t, d.Reject(false))
		}
		send := func(key string) {
			t.Helper()
			require.NoError(t, brokertest.Send(ch, "amq.direct", key, warren.Message{Headers: headers}, warren.PublishOptions{}))
			reject(key)
		}
		send("first")
		for _, name := range []string{"cc", "bcc"} {
			d := brokertest.Take(t, ch, name)
			require.NotContains(t, d.Headers, "BCC")
			require.Equal(t, []any{"first", "cc"}, d.Headers["x-death"].([]any)[0].(warren.Table)["routing-keys"])
		}
		require.NoError(t, ch.QueueBind("second", "first", "dlx", nil))
		send("first")
		reject("second")
		require.Equal(t, []int{2, 2}, []int{brokertest.Ready(t, ch, "cc"), brokertest.Ready(t, ch, "bcc")}, "a second death goes by them, too")
		send("keyed")
		require.Equal(t, []int{3, 2}, []int{brokertest.Ready(t, ch, "cc"), brokertest.Ready(t, ch, "bcc")}, "a key of the queue's own replaces them")
	})
}
