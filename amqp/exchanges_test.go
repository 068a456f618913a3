package amqp_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// declare declares a transient exchange with arguments.
func (t *env) declare(ch *amqp091.Channel, name, kind string, args amqp091.Table) {
	t.Helper()
	require.NoError(t, ch.ExchangeDeclare(name, kind, false, false, false, false, args))
}

// bound declares a queue that is bound to an exchange, and consumes from it.
func (t *env) bound(ch *amqp091.Channel, queue, key, exchange string) <-chan amqp091.Delivery {
	t.Helper()
	t.queue(ch, queue)
	require.NoError(t, ch.QueueBind(queue, key, exchange, false, nil))
	return t.consume(ch, queue, "", true)
}

// confirmed publishes a mandatory message, which must be acked, and tells
// whether it was not returned.
func (t *env) confirmed(exchange, key string, headers amqp091.Table) (routed bool) {
	t.Helper()
	conn := t.dial()
	defer conn.Close()
	ch := brokertest.ClientChannel(t, conn)
	require.NoError(t, ch.Confirm(false))
	returns := ch.NotifyReturn(make(chan amqp091.Return, 1))
	c, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), exchange, key, true, false, amqp091.Publishing{Headers: headers})
	require.NoError(t, err)
	require.True(t, c.Wait(), "an ack")
	synctest.Wait()
	select {
	case r := <-returns:
		require.Equal(t, []any{uint16(312), "NO_ROUTE"}, []any{r.ReplyCode, r.ReplyText})
		require.Equal(t, headers, r.Headers)
		return false
	default:
		return true
	}
}

func TestExchangeArgumentsCloseTheChannel(t *testing.T) {
	declare := func(kind string, args amqp091.Table) func(ch *amqp091.Channel) error {
		return func(ch *amqp091.Channel) error {
			return ch.ExchangeDeclare("x", kind, false, false, false, false, args)
		}
	}
	bind := func(key string) func(ch *amqp091.Channel) error {
		return func(ch *amqp091.Channel) error { return ch.QueueBind("q", key, "hash", false, nil) }
	}
	queue := func(args amqp091.Table) func(ch *amqp091.Channel) error {
		return func(ch *amqp091.Channel) error {
			_, err := ch.QueueDeclare("n", false, false, false, false, args)
			return err
		}
	}
	for name, c := range map[string]struct {
		text string
		f    func(ch *amqp091.Channel) error
	}{
		"hash on two":             {"hash-header and hash-property are mutually exclusive", declare("x-consistent-hash", amqp091.Table{"hash-header": "h", "hash-property": "message_id"})},
		"hash on an odd property": {"Unsupported property: odd", declare("x-consistent-hash", amqp091.Table{"hash-property": "odd"})},
		"hash on no name":         {"invalid arg 'hash-header' for exchange 'x' in vhost '/': {unacceptable_type,signedint}", declare("x-consistent-hash", amqp091.Table{"hash-header": int32(1)})},
		"hash on another": {"inequivalent arg 'hash-header' for exchange 'hash' in vhost '/': received the value 'h' of type 'longstr' but current is none", func(ch *amqp091.Channel) error {
			return ch.ExchangeDeclare("hash", "x-consistent-hash", false, false, false, false, amqp091.Table{"hash-header": "h"})
		}},
		"weight of nothing":          {"The binding key must be an integer: <<>>", bind("")},
		"weight of a word":           {`The binding key must be an integer: <<"a">>`, bind("a")},
		"weight of zero":             {"The binding key must be greater than 0", bind("0")},
		"weight of more than it may": {"The binding key must not exceed 4294967295", bind("4294967296")},
		"delay without a type":       {"Invalid argument, 'x-delayed-type' must be an existing exchange type", declare("x-delayed-message", nil)},
		"delay of an odd type":       {"unknown exchange type 'odd'", declare("x-delayed-exchange", amqp091.Table{"x-delayed-type": "odd"})},
		"delay of a delay":           {"Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'", declare("x-delayed-message", amqp091.Table{"x-delayed-type": "x-delayed-message"})},
		"delay of another type": {"inequivalent arg 'x-delayed-type' for exchange 'later' in vhost '/': received 'topic' but current is 'direct'", func(ch *amqp091.Channel) error {
			return ch.ExchangeDeclare("later", "x-delayed-message", false, false, false, false, amqp091.Table{"x-delayed-type": "topic"})
		}},
		"deduplication of a word":    {"invalid arg 'x-message-deduplication' for exchange 'x' in vhost '/': {unacceptable_type,longstr}", declare("direct", amqp091.Table{"x-message-deduplication": "yes"})},
		"cache of nothing":           {"invalid arg 'x-cache-size' for queue 'n' in vhost '/': {value_zero,0}", queue(amqp091.Table{"x-cache-size": int16(0)})},
		"cache of less than no time": {"invalid arg 'x-cache-ttl' for queue 'n' in vhost '/': {value_negative,-1}", queue(amqp091.Table{"x-cache-ttl": int64(-1)})},
		"deduplication that appears": {"inequivalent arg 'x-message-deduplication' for queue 'q' in vhost '/': received the value 'true' of type 'bool' but current is none", func(ch *amqp091.Channel) error {
			_, err := ch.QueueDeclare("q", false, false, false, false, amqp091.Table{"x-message-deduplication": true})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				ch := t.open()
				t.queue(ch, "q")
				t.declare(ch, "hash", "x-consistent-hash", nil)
				t.declare(ch, "later", "x-delayed-message", amqp091.Table{"x-delayed-type": "direct"})
				t.channelFails(406, "PRECONDITION_FAILED - "+c.text, c.f)
			})
		})
	}
}

func TestConsistentHashOverTheWire(t *testing.T) {
	publishing := func(f func(p *amqp091.Publishing, i int)) func(i int) (string, amqp091.Publishing) {
		return func(i int) (string, amqp091.Publishing) {
			p := amqp091.Publishing{Body: []byte(fmt.Sprint(i))}
			f(&p, i)
			return "key", p
		}
	}
	for name, c := range map[string]struct {
		args    amqp091.Table
		message func(i int) (key string, p amqp091.Publishing)
	}{
		"routing key": {nil, func(i int) (string, amqp091.Publishing) {
			return fmt.Sprint("key-", i), amqp091.Publishing{Body: []byte(fmt.Sprint(i)), Headers: amqp091.Table{"CC": []any{"1", "2", "3"}}}
		}},
		"header":        {amqp091.Table{"hash-header": "h"}, publishing(func(p *amqp091.Publishing, i int) { p.Headers = amqp091.Table{"h": fmt.Sprint(i)} })},
		"number":        {amqp091.Table{"x-hash-on": "h", "x-algorithm": "ring"}, publishing(func(p *amqp091.Publishing, i int) { p.Headers = amqp091.Table{"h": int32(i)} })},
		"correlation":   {amqp091.Table{"hash-property": "correlation_id"}, publishing(func(p *amqp091.Publishing, i int) { p.CorrelationId = fmt.Sprint(i) })},
		"message":       {amqp091.Table{"hash-property": "message_id"}, publishing(func(p *amqp091.Publishing, i int) { p.MessageId = fmt.Sprint(i) })},
		"timestamp":     {amqp091.Table{"hash-property": "timestamp"}, publishing(func(p *amqp091.Publishing, i int) { p.Timestamp = time.Unix(int64(1+i), 0) })},
		"delayed, by a": {amqp091.Table{"hash-header": "h", "x-delayed-type": "x-consistent-hash"}, publishing(func(p *amqp091.Publishing, i int) { p.Headers = amqp091.Table{"h": fmt.Sprint(i)} })},
	} {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				ch := t.open()
				kind := "x-consistent-hash"
				if c.args["x-delayed-type"] != nil {
					kind = "x-delayed-message"
				}
				t.declare(ch, "x", kind, c.args)
				small, large := t.bound(ch, "small", "1", "x"), t.bound(ch, "large", "3", "x")
				require.NoError(t, ch.QueueBind("small", "30", "x", false, nil), "a second binding gives no weight")
				place := func() (places map[string]string) {
					places = make(map[string]string)
					for i := range 400 {
						key, p := c.message(i)
						t.publish(ch, "x", key, false, false, p)
						select {
						case d := <-small:
							places[string(d.Body)] = "small"
						case d := <-large:
							places[string(d.Body)] = "large"
						}
					}
					t.none(small)
					t.none(large)
					return places
				}
				before, n := place(), 0
				for _, q := range before {
					if q == "small" {
						n++
					}
				}
				require.InDelta(t, 100, n, 40)
				require.Equal(t, before, place(), "the same goes the same way")
				c := t.bound(ch, "other", "1", "x")
				require.NoError(t, ch.QueueUnbind("other", "1", "x", nil))
				require.Equal(t, before, place())
				t.none(c)
			})
		})
	}
}

func TestDelayedMessagesOverTheWire(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.declare(ch, "x", "x-delayed-message", amqp091.Table{"x-delayed-type": "direct"})
		c := t.bound(ch, "q", "k", "x")
		for _, delay := range []struct {
			value, after any
			wait         time.Duration
		}{
			{int32(1000), int32(-1000), time.Second},
			{int64(1000), int32(-1000), time.Second},
			{int16(10), int32(-10), 10 * time.Millisecond},
			{int8(10), int32(-10), 10 * time.Millisecond},
			{byte(200), int32(-200), 200 * time.Millisecond},
			{float64(1000.5), int32(-1000), time.Second},
			{float32(1000.5), int32(-1000), time.Second},
			{"1000", int32(-1000), time.Second},
			{uint32(60_000), int32(-60_000), time.Minute},
			{int32(0), int32(0), 0},
			{int32(-1), int32(-1), 0},
			{"soon", "soon", 0},
			{nil, nil, 0},
		} {
			began := time.Now()
			t.publish(ch, "x", "k", false, false, amqp091.Publishing{Headers: amqp091.Table{"x-delay": delay.value, "s": "x"}, Body: []byte("b")})
			d := <-c
			require.Equal(t, delay.wait, time.Since(began), "%T %v", delay.value, delay.value)
			require.Equal(t, amqp091.Table{"x-delay": delay.after, "s": "x"}, d.Headers)
			require.Equal(t, []string{"b", "x", "k"}, []string{string(d.Body), d.Exchange, d.RoutingKey})
		}
		require.True(t, t.confirmed("x", "k", nil))
		t.next(c)
		require.False(t, t.confirmed("x", "k", amqp091.Table{"x-delay": int32(1000)}), "it counts as not routed")
		t.none(c)
		brokertest.Later(time.Second)
		t.next(c)

		tx := t.open()
		require.NoError(t, tx.Tx())
		t.publish(tx, "x", "k", false, false, amqp091.Publishing{Headers: amqp091.Table{"x-delay": int32(1000)}})
		require.NoError(t, tx.TxRollback())
		t.publish(tx, "x", "k", false, false, amqp091.Publishing{Headers: amqp091.Table{"x-delay": int32(1000)}, Body: []byte("tx")})
		brokertest.Later(time.Hour)
		t.none(c)
		require.NoError(t, tx.TxCommit())
		require.Equal(t, "tx", string((<-c).Body))
		require.Equal(t, uint64(0), t.broker.Stats().Unroutable)
	})
}

func TestDelayedMessagesKeepTheirOrder(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.declare(ch, "x", "x-delayed-exchange", amqp091.Table{"x-delayed-type": "fanout"})
		c := t.bound(ch, "q", "", "x")
		for i := range 200 {
			t.publish(ch, "x", "", false, false, amqp091.Publishing{
				Headers: amqp091.Table{"x-delay": int32(1 + (i+1)%2)}, Body: []byte(fmt.Sprintf("%d %03d", 1+(i+1)%2, i)),
			})
		}
		synctest.Wait()
		require.Equal(t, 200, t.broker.Stats().Delayed)
		time.Sleep(2 * time.Millisecond)
		last := ""
		for range 200 {
			body := string(t.next(c).Body)
			require.Less(t, last, body)
			last = body
		}
		t.none(c)
	})
}

func TestDelayedExchangeAmongOthersOverTheWire(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.declare(ch, "later", "x-delayed-message", amqp091.Table{"x-delayed-type": "fanout"})
		c := t.bound(ch, "q", "", "later")
		t.declare(ch, "source", "fanout", nil)
		require.NoError(t, ch.ExchangeBind("later", "", "source", false, nil))
		require.NoError(t, ch.ExchangeBind("source", "", "later", false, nil))
		t.declare(ch, "lost", "direct", amqp091.Table{"alternate-exchange": "later"})
		_, err := ch.QueueDeclare("dying", false, false, false, false, amqp091.Table{"x-message-ttl": int32(0), "x-dead-letter-exchange": "later"})
		require.NoError(t, err)
		for _, to := range [][2]string{{"source", "k"}, {"lost", "k"}, {"", "dying"}} {
			began := time.Now()
			t.publish(ch, to[0], to[1], false, false, amqp091.Publishing{Headers: amqp091.Table{"x-delay": int32(1000)}})
			d := <-c
			require.Equal(t, time.Second, time.Since(began))
			require.Equal(t, int32(-1000), d.Headers["x-delay"])
			brokertest.Later(time.Hour)
			t.none(c)
		}
		t.publish(ch, "later", "", false, false, amqp091.Publishing{Headers: amqp091.Table{"x-delay": int32(1000)}})
		synctest.Wait()
		require.Equal(t, 1, t.broker.Stats().Delayed)
		require.NoError(t, ch.ExchangeDelete("later", false, false))
		require.Zero(t, t.broker.Stats().Delayed)
		brokertest.Later(time.Hour)
		t.none(c)
	})
}

// A client in another process calls a handler by way of a delayed exchange.
func TestDelayedRequestIsAnswered(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.declare(ch, "later", "x-delayed-message", amqp091.Table{"x-delayed-type": "direct"})
		t.queue(ch, "echo")
		require.NoError(t, ch.QueueBind("echo", "echo", "later", false, nil))
		t.handle("echo", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: req.Body}, nil
		})
		replies := t.consume(ch, "amq.rabbitmq.reply-to", "", true)
		t.publish(ch, "later", "echo", false, false, amqp091.Publishing{
			Headers: amqp091.Table{"x-delay": int32(1000)}, ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: "1", Body: []byte("ping"),
		})
		t.none(replies)
		brokertest.Later(time.Second)
		d := t.next(replies)
		require.Equal(t, []string{"ping", "1"}, []string{string(d.Body), d.CorrelationId})
	})
}

func TestDuplicatesOverTheWire(t *testing.T) {
	args := amqp091.Table{"x-message-deduplication": true, "x-cache-size": int16(2), "x-cache-ttl": int64(60_000), "x-deduplication-header": "id"}
	for where, set := range map[string]func(t *env, ch *amqp091.Channel){
		"exchange": func(t *env, ch *amqp091.Channel) {
			t.declare(ch, "x", "fanout", args)
			t.queue(ch, "q")
		},
		"queue": func(t *env, ch *amqp091.Channel) {
			t.declare(ch, "x", "fanout", nil)
			_, err := ch.QueueDeclare("q", false, false, false, false, args)
			require.NoError(t, err)
		},
	} {
		t.Run(where, func(t *testing.T) {
			withServer(t, func(t *env) {
				ch := t.open()
				set(t, ch)
				require.NoError(t, ch.QueueBind("q", "", "x", false, nil))
				is := func(id any) amqp091.Table { return amqp091.Table{"id": id} }
				require.True(t, t.confirmed("x", "", is(int32(1))))
				require.False(t, t.confirmed("x", "", is(int64(1))))
				require.True(t, t.confirmed("x", "", is("1")))
				require.False(t, t.confirmed("x", "", is("1")))
				for range 2 {
					require.True(t, t.confirmed("x", "", nil))
					require.True(t, t.confirmed("x", "", amqp091.Table{"x-deduplication-header": "1"}))
				}
				require.True(t, t.confirmed("x", "", is("2")))
				require.True(t, t.confirmed("x", "", is(int32(1))), "the oldest was forgotten")
				require.Equal(t, 8, t.ready("q"))
				brief := amqp091.Table{"id": "brief", "x-cache-ttl": int32(1000)}
				require.True(t, t.confirmed("x", "", brief))
				brokertest.Later(time.Second)
				require.True(t, t.confirmed("x", "", brief))
				require.False(t, t.confirmed("x", "", is(int32(1))))
				brokertest.Later(time.Minute)
				require.True(t, t.confirmed("x", "", is(int32(1))))

				tx := t.open()
				require.NoError(t, tx.Tx())
				t.publish(tx, "x", "", false, false, amqp091.Publishing{Headers: is("tx")})
				require.NoError(t, tx.TxRollback())
				t.publish(tx, "x", "", false, false, amqp091.Publishing{Headers: is("tx")})
				before := t.ready("q")
				require.NoError(t, tx.TxCommit())
				require.Equal(t, before+1, t.ready("q"))
			})
		})
	}
}

func TestDuplicateStaysOutOfOneQueue(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		_, err := ch.QueueDeclare("once", false, false, false, false, amqp091.Table{"x-message-deduplication": true})
		require.NoError(t, err)
		t.queue(ch, "all")
		for _, q := range []string{"once", "all"} {
			require.NoError(t, ch.QueueBind(q, "", "amq.fanout", false, nil))
		}
		for range 3 {
			require.True(t, t.confirmed("amq.fanout", "", amqp091.Table{warren.DeduplicationHeader: "1"}))
		}
		require.Equal(t, 1, t.ready("once"))
		require.Equal(t, 3, t.ready("all"))
	})
}
