package amqp_test

import (
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// setPolicy makes a policy for all objects of a name.
func (t *env) setPolicy(name string, definition warren.Table) {
	t.Helper()
	require.NoError(t, brokertest.VirtualHost(t, t.broker, "/").PolicySet(warren.Policy{Name: name, Pattern: "^" + name + "$", Definition: definition}))
}

// take gets a message that must be there.
func (t *env) take(ch *amqp091.Channel, queue string) amqp091.Delivery {
	t.Helper()
	d, ok, err := ch.Get(queue, false)
	require.NoError(t, err)
	require.True(t, ok, "queue %s is empty", queue)
	return d
}

func TestClientsSeePoliciesOfLength(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.queue(ch, "dead")
		t.queue(ch, "q")
		t.put(ch, "", "q", "1", "2", "3", "4")
		require.Equal(t, 4, t.ready("q"))
		t.setPolicy("q", warren.Table{"max-length": 3, "dead-letter-exchange": "", "dead-letter-routing-key": "dead"})
		require.Equal(t, 3, t.ready("q"), "it is trimmed at once")
		d := t.take(ch, "dead")
		require.Equal(t, "1", string(d.Body))
		require.Equal(t, "maxlen", d.Headers["x-death"].([]any)[0].(amqp091.Table)["reason"])

		require.NoError(t, brokertest.VirtualHost(t, t.broker, "/").OperatorPolicySet(warren.Policy{Name: "o", Definition: warren.Table{"max-length": 2}}))
		require.Equal(t, 2, t.ready("q"), "of the policy and the operator policy, the smaller number")
		_, err := ch.QueueDeclare("later", false, false, true, false, amqp091.Table{"x-max-length": 5})
		require.NoError(t, err)
		t.put(ch, "", "later", "1", "2", "3")
		later := func() int {
			synctest.Wait()
			q, err := ch.QueueDeclarePassive("later", false, false, true, false, nil)
			require.NoError(t, err)
			return q.Messages
		}
		require.Equal(t, 2, later(), "and of the argument and the operator policy; for exclusive queues, too")
		require.NoError(t, brokertest.VirtualHost(t, t.broker, "/").OperatorPolicyDelete("o"))
		t.put(ch, "", "later", "4", "5", "6", "7")
		require.Equal(t, 5, later())
		t.queue(ch, "q") // it is no difference for a declaration
	})
}

func TestClientsSeePoliciesOfOverflow(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		require.NoError(t, ch.Confirm(false))
		t.queue(ch, "q")
		kept := func(want bool) {
			t.Helper()
			c, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp091.Publishing{})
			require.NoError(t, err)
			require.Equal(t, want, c.Wait())
		}
		kept(true)
		t.setPolicy("q", warren.Table{"max-length": 1, "overflow": "reject-publish"})
		kept(false)
		require.NoError(t, brokertest.VirtualHost(t, t.broker, "/").PolicyDelete("q"))
		kept(true)
		require.Equal(t, 2, t.ready("q"))
	})
}

func TestClientsSeePoliciesOfTime(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.queue(ch, "q")
		t.put(ch, "", "q", "before")
		require.Equal(t, 1, t.ready("q"))
		t.setPolicy("q", warren.Table{"message-ttl": 60000, "expires": 7200000})
		brokertest.Later(time.Hour)
		d := t.take(ch, "q")
		require.Equal(t, "before", string(d.Body), "a message keeps the time to live that it got")
		require.NoError(t, d.Ack(false))
		t.put(ch, "", "q", "with")
		brokertest.Later(time.Minute)
		require.Zero(t, t.ready("q"))
		brokertest.Later(2 * time.Hour)
		t.channelFails(404, "NOT_FOUND - no queue 'q' in vhost '/'", func(ch *amqp091.Channel) error {
			_, err := ch.QueueDeclarePassive("q", false, false, false, false, nil)
			return err
		})
	})
}

func TestClientsSeePoliciesOfDeadLetters(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		for _, q := range []string{"q", "d1", "d2"} {
			t.queue(ch, q)
		}
		lose := func(body string) {
			t.Helper()
			t.put(ch, "", "q", body)
			d := t.take(ch, "q")
			require.NoError(t, d.Reject(false))
			require.Zero(t, t.ready("q"))
		}
		for _, to := range []string{"d1", "d2"} {
			t.setPolicy("q", warren.Table{"dead-letter-exchange": "", "dead-letter-routing-key": to})
			lose(to)
			require.Equal(t, to, string(t.take(ch, to).Body))
		}
		require.NoError(t, brokertest.VirtualHost(t, t.broker, "/").PolicyDelete("q"))
		lose("nobody")
		require.Zero(t, t.ready("d1")+t.ready("d2"))

		t.setPolicy("q", warren.Table{"delivery-limit": 1, "dead-letter-exchange": "", "dead-letter-routing-key": "d1"})
		t.put(ch, "", "q", "again")
		for range 2 {
			d := t.take(ch, "q")
			require.NoError(t, d.Reject(true))
		}
		require.Zero(t, t.ready("q"))
		require.Equal(t, "delivery_limit", t.take(ch, "d1").Headers["x-first-death-reason"])
	})
}

func TestClientsSeePoliciesOfAlternateExchanges(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		returned := ch.NotifyReturn(make(chan amqp091.Return, 1))
		t.exchange(ch, "x", "direct")
		t.queue(ch, "q")
		t.setPolicy("x", warren.Table{"alternate-exchange": "other"})
		t.exchange(ch, "other", "fanout")
		require.NoError(t, ch.QueueBind("q", "", "other", false, nil))
		t.put(ch, "x", "nobody's", "1")
		require.Equal(t, "1", string(t.take(ch, "q").Body))
		require.NoError(t, ch.ExchangeDeclare("x", "direct", false, false, false, false, nil), "it is no difference for a declaration")
		require.NoError(t, brokertest.VirtualHost(t, t.broker, "/").PolicyDelete("x"))
		require.NoError(t, ch.PublishWithContext(t.Context(), "x", "nobody's", true, false, amqp091.Publishing{}))
		require.Equal(t, uint16(312), (<-returned).ReplyCode)
	})
}
