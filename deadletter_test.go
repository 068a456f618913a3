package warren_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// The smoke of what queues do when asked for more; one test a rule is in the
// files of the rules.
func TestLostMessagesReachTheDeadLetterExchange(t *testing.T) {
	amTest(t, func(t *testing.T, b *warren.Broker) {
		ch := amOpen(t, b)
		_, err := ch.QueueDeclare("dead", warren.QueueOptions{})
		require.NoError(t, err)
		_, err = ch.QueueDeclare("q", warren.QueueOptions{
			MessageTTL: 24 * time.Hour, MaxLength: 2, DeliveryLimit: 1,
			DeadLetter: &warren.DeadLetter{RoutingKey: "dead"},
		})
		require.NoError(t, err)
		next := func() warren.Delivery {
			t.Helper()
			d, ok, err := ch.Get("dead", true)
			require.NoError(t, err)
			require.True(t, ok)
			return d
		}
		reason := func(d warren.Delivery) any { return d.Headers["x-death"].([]any)[0].(warren.Table)["reason"] }
		put := func(body string) {
			require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: []byte(body)}, warren.PublishOptions{}))
		}
		put("1")
		put("2")
		put("3")
		d := next()
		require.Equal(t, "1", string(d.Body))
		require.Equal(t, "maxlen", reason(d))
		d, _, _ = ch.Get("q", false)
		require.NoError(t, d.Reject(false))
		d = next()
		require.Equal(t, "2", string(d.Body))
		require.Equal(t, "rejected", reason(d))
		for range 2 {
			d, _, _ = ch.Get("q", false)
			require.Equal(t, "3", string(d.Body))
			require.NoError(t, d.Nack(false, true))
		}
		require.Equal(t, int64(1), d.Headers["x-delivery-count"])
		d = next()
		require.Equal(t, "delivery_limit", reason(d))
		require.NotContains(t, d.Headers, "x-delivery-count")
		put("4")
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		d = next()
		require.Equal(t, "4", string(d.Body))
		require.Equal(t, "expired", reason(d))
	})
}

func TestDeadLettersGoByTheKeysInBCCWithoutShowingThem(t *testing.T) {
	amTest(t, func(t *testing.T, b *warren.Broker) {
		ch := amOpen(t, b)
		amQueues(t, ch, "cc", "bcc")
		amExchanges(t, ch, warren.Direct, "dlx")
		for _, name := range []string{"cc", "bcc"} {
			require.NoError(t, ch.QueueBind(name, name, "dlx", nil))
		}
		for name, key := range map[string]string{"first": "", "second": "", "keyed": "cc"} {
			_, err := ch.QueueDeclare(name, warren.QueueOptions{DeadLetter: &warren.DeadLetter{Exchange: "dlx", RoutingKey: key}})
			require.NoError(t, err)
			require.NoError(t, ch.QueueBind(name, name, "amq.direct", nil))
		}
		headers := warren.Table{"CC": []any{"cc", int32(1)}, "BCC": []any{"bcc"}}
		reject := func(queue string) {
			t.Helper()
			d := amTake(t, ch, queue)
			require.NoError(t, d.Reject(false))
		}
		send := func(key string) {
			t.Helper()
			require.NoError(t, amSend(ch, "amq.direct", key, warren.Message{Headers: headers}, warren.PublishOptions{}))
			reject(key)
		}
		send("first")
		for _, name := range []string{"cc", "bcc"} {
			d := amTake(t, ch, name)
			require.NotContains(t, d.Headers, "BCC")
			require.Equal(t, []any{"first", "cc"}, d.Headers["x-death"].([]any)[0].(warren.Table)["routing-keys"])
		}
		require.NoError(t, ch.QueueBind("second", "first", "dlx", nil))
		send("first")
		reject("second")
		require.Equal(t, []int{2, 2}, []int{amReady(t, ch, "cc"), amReady(t, ch, "bcc")}, "a second death goes by them, too")
		send("keyed")
		require.Equal(t, []int{3, 2}, []int{amReady(t, ch, "cc"), amReady(t, ch, "bcc")}, "a key of the queue's own replaces them")
	})
}
