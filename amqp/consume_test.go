package amqp_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

func TestDeliveriesKeepTheirOrderAndTags(t *testing.T) {
	withServer(t, func(t *env) {
		conn := t.dial()
		ch := brokertest.ClientChannel(t, conn)
		t.queue(ch, "a")
		t.queue(ch, "b")
		a, b := t.consume(ch, "a", "ca", false), t.consume(ch, "b", "cb", true)
		const n = 500
		publisher := brokertest.ClientChannel(t, conn)
		for i := range n {
			t.put(publisher, "", []string{"a", "b"}[i%2], fmt.Sprint(i))
		}
		tags := map[uint64]bool{}
		last := map[string]uint64{}
		for i := range n {
			d := t.next([]<-chan amqp091.Delivery{a, b}[i%2])
			require.Equal(t, fmt.Sprint(i), string(d.Body))
			require.Equal(t, []string{"ca", "cb"}[i%2], d.ConsumerTag)
			require.False(t, d.Redelivered)
			require.Greater(t, d.DeliveryTag, last[d.ConsumerTag])
			last[d.ConsumerTag], tags[d.DeliveryTag] = d.DeliveryTag, true
		}
		require.Len(t, tags, n)
		require.True(t, tags[1] && tags[n], "the channel's tags are 1 to %d", n)
	})
}

func TestConsumeOkComesBeforeTheFirstDelivery(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(1, &wire.QueueDeclare{Queue: "q", NoWait: true})
		for i := range 3 {
			r.write(r.publishing(1, "", "q", fmt.Sprint(i)))
		}
		r.send(1, &wire.BasicConsume{Queue: []byte("q")})
		tag := string(expect[*wire.BasicConsumeOk](r).ConsumerTag)
		require.Regexp(t, `^amq\.ctag-`, tag)
		for i := range 3 {
			d := expect[*wire.BasicDeliver](r)
			require.Equal(t, tag, string(d.ConsumerTag))
			require.EqualValues(t, i+1, d.DeliveryTag)
			require.Equal(t, fmt.Sprint(i), r.content())
		}
	})
}

func TestConsumeErrors(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.queue(ch, "q")
		t.queue(ch, "sole")
		t.consume(ch, "q", "c", true)
		_, err := ch.Consume("sole", "", true, true, false, false, nil)
		require.NoError(t, err)
		consume := func(queue string, exclusive bool, args amqp091.Table) func(ch *amqp091.Channel) error {
			return func(ch *amqp091.Channel) error {
				_, err := ch.Consume(queue, "", true, exclusive, false, false, args)
				return err
			}
		}
		t.channelFails(404, "NOT_FOUND - no queue 'nope' in vhost '/'", consume("nope", false, nil))
		t.channelFails(403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", consume("q", true, nil))
		t.channelFails(403, "ACCESS_REFUSED - queue 'sole' in vhost '/' in exclusive use", consume("sole", false, nil))
		t.connectionFails(530, "NOT_ALLOWED - attempt to reuse consumer tag 'c'", func(ch *amqp091.Channel) error {
			t.consume(ch, "q", "c", true)
			_, err := ch.Consume("q", "c", true, false, false, false, nil)
			return err
		})
	})
}

func TestEqualTagsOfTwoConnections(t *testing.T) {
	withServer(t, func(t *env) {
		a, b := t.open(), t.open()
		t.queue(a, "a")
		t.queue(a, "b")
		ca, cb := t.consume(a, "a", "same", true), t.consume(b, "b", "same", true)
		t.put(a, "", "b", "for b")
		t.put(b, "", "a", "for a")
		require.Equal(t, []string{"for a"}, t.bodies(ca, 1))
		require.Equal(t, []string{"for b"}, t.bodies(cb, 1))
		require.NoError(t, a.Cancel("same", false))
		t.put(a, "", "b", "again")
		require.Equal(t, []string{"again"}, t.bodies(cb, 1))
	})
}

func TestTurnsGoRound(t *testing.T) {
	withServer(t, func(t *env) {
		a, b := t.open(), t.open()
		t.queue(a, "q")
		ca, cb := t.consume(a, "q", "", false), t.consume(b, "q", "", false)
		t.put(t.open(), "", "q", "1", "2", "3", "4")
		require.Equal(t, []string{"1", "3"}, t.bodies(ca, 2))
		require.Equal(t, []string{"2", "4"}, t.bodies(cb, 2))
	})
}

func TestPriorityOfConsumers(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.queue(ch, "q")
		low := t.consume(ch, "q", "", true)
		high, err := ch.Consume("q", "", true, false, false, false, amqp091.Table{"x-priority": int8(5)})
		require.NoError(t, err)
		t.put(ch, "", "q", "1", "2")
		require.Equal(t, []string{"1", "2"}, t.bodies(high, 2))
		t.none(low)
	})
}

func TestCancelEndsDeliveries(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.queue(ch, "q")
		c := t.consume(ch, "q", "c", false)
		t.put(ch, "", "q", "1")
		d := t.next(c)
		require.NoError(t, ch.Cancel("c", false))
		require.NoError(t, ch.Cancel("never there", false))
		t.put(ch, "", "q", "2")
		_, ok := <-c
		require.False(t, ok)
		require.Equal(t, 1, t.ready("q"))
		require.NoError(t, d.Ack(false), "it can still be settled")
		require.Equal(t, []string{"2"}, t.bodies(t.consume(ch, "q", "c", true), 1), "the tag is free again")
	})
}

func TestDeletedQueueCancelsItsConsumers(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.queue(ch, "q")
		cancels := ch.NotifyCancel(make(chan string, 1))
		c := t.consume(ch, "q", "c", false)
		_, err := t.native().QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.Equal(t, "c", <-cancels)
		_, ok := <-c
		require.False(t, ok)
		t.queue(ch, "q")
		t.consume(ch, "q", "c", false)
	})
}

func TestServerCancelNeedsTheCapability(t *testing.T) {
	withServer(t, func(t *env) {
		with, without := t.raw("consumer_cancel_notify"), t.raw()
		native := t.native()
		brokertest.Queues(t, native, "q")
		for _, r := range []*rawClient{with, without} {
			r.send(1, &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte("c")})
			expect[*wire.BasicConsumeOk](r)
		}
		_, err := native.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.Equal(t, wire.BasicCancel{ConsumerTag: []byte("c"), NoWait: true}, *expect[*wire.BasicCancel](with))
		without.quiet(time.Millisecond)
		for _, r := range []*rawClient{with, without} {
			r.send(1, &wire.BasicCancelOk{ConsumerTag: []byte("c")}, &wire.BasicCancel{ConsumerTag: []byte("c")})
			expect[*wire.BasicCancelOk](r) // both go on
		}
	})
}

func TestPrefetchOfEachConsumer(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.queue(ch, "q")
		before := t.consume(ch, "q", "before", false)
		t.put(ch, "", "q", "1", "2", "3")
		require.Equal(t, []string{"1", "2", "3"}, t.bodies(before, 3))
		require.NoError(t, ch.Cancel("before", false))
		require.NoError(t, ch.Qos(2, 0, false))
		c := t.consume(ch, "q", "", false)
		t.put(ch, "", "q", "4", "5", "6", "7")
		d := t.next(c)
		require.Equal(t, []string{"5"}, t.bodies(c, 1))
		require.NoError(t, d.Ack(false))
		require.Equal(t, []string{"6"}, t.bodies(c, 1))
		require.NoError(t, ch.Qos(1, 0, false), "it is for consumers to come")
		free := t.consume(ch, "q", "", true)
		require.Equal(t, []string{"7"}, t.bodies(free, 1), "without ack there is no limit")
	})
}

func TestPrefetchOfTheChannel(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.queue(ch, "a")
		t.queue(ch, "b")
		require.NoError(t, ch.Qos(2, 0, true))
		a, b := t.consume(ch, "a", "", false), t.consume(ch, "b", "", false)
		t.put(ch, "", "a", "a1")
		t.put(ch, "", "b", "b1", "b2")
		first := t.next(a)
		require.Equal(t, []string{"b1"}, t.bodies(b, 1))
		require.NoError(t, first.Ack(false))
		require.Equal(t, []string{"b2"}, t.bodies(b, 1))
		t.put(ch, "", "a", "a2")
		t.none(a)
		require.NoError(t, ch.Qos(0, 0, true))
		require.Equal(t, []string{"a2"}, t.bodies(a, 1))
	})
}

func TestPrefetchSizeIsNotImplemented(t *testing.T) {
	withServer(t, func(t *env) {
		t.connectionFails(540, "NOT_IMPLEMENTED - prefetch_size!=0 (10)", func(ch *amqp091.Channel) error { return ch.Qos(1, 10, false) })
	})
}

func TestGet(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.queue(ch, "q")
		_, ok, err := ch.Get("q", false)
		require.NoError(t, err)
		require.False(t, ok)
		t.put(ch, "", "q", "1", "2", "3")
		t.ready("q")
		d, ok, err := ch.Get("q", false)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, "1", string(d.Body))
		require.Equal(t, []any{uint64(1), uint32(2), "", "q", false}, []any{d.DeliveryTag, d.MessageCount, d.Exchange, d.RoutingKey, d.Redelivered})
		require.NoError(t, d.Nack(false, true))
		d, _, err = ch.Get("q", true)
		require.NoError(t, err)
		require.Equal(t, "1", string(d.Body))
		require.Equal(t, []any{uint64(2), uint32(2), true}, []any{d.DeliveryTag, d.MessageCount, d.Redelivered})
		t.channelFails(404, "NOT_FOUND - no queue 'nope' in vhost '/'", func(ch *amqp091.Channel) error {
			_, _, err := ch.Get("nope", true)
			return err
		})
	})
}

func TestDeadConsumersMessagesGoToOthers(t *testing.T) {
	withServer(t, func(t *env) {
		dying, other := t.raw(), t.open()
		t.queue(other, "q")
		dying.send(1, &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte("c")})
		expect[*wire.BasicConsumeOk](dying)
		t.put(other, "", "q", "1", "2", "3")
		synctest.Wait()
		c := t.consume(other, "q", "", true)
		t.none(c)
		dying.conn.Close()
		for _, want := range []string{"1", "2", "3"} {
			d := t.next(c)
			require.Equal(t, want, string(d.Body))
			require.True(t, d.Redelivered)
		}
	})
}

func TestClosedChannelsMessagesGoToOthers(t *testing.T) {
	withServer(t, func(t *env) {
		conn := t.dial()
		ch, failing, other := brokertest.ClientChannel(t, conn), brokertest.ClientChannel(t, conn), brokertest.ClientChannel(t, conn)
		t.queue(other, "q")
		t.put(other, "", "q", "1", "2")
		require.NoError(t, ch.Qos(1, 0, false))
		t.next(t.consume(ch, "q", "", false))
		t.next(t.consume(failing, "q", "", false))
		require.NoError(t, ch.Close())
		require.NoError(t, failing.Ack(99, false))
		c := t.consume(other, "q", "", true)
		d1, d2 := t.next(c), t.next(c)
		require.Equal(t, []string{"1", "2"}, []string{string(d1.Body), string(d2.Body)})
		require.True(t, d1.Redelivered && d2.Redelivered)
	})
}

func TestSlowReaderHoldsDeliveriesBack(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte("c"), NoAck: true})
		expect[*wire.QueueDeclareOk](r)
		expect[*wire.BasicConsumeOk](r)
		native := t.native()
		const n = 100
		for i := range n {
			m := warren.Message{Body: append(make([]byte, 64<<10), byte(i))}
			require.NoError(t, native.Publish(t.Context(), "", "q", m, warren.PublishOptions{}))
		}
		require.Greater(t, t.ready("q"), n/2, "most wait in the queue")
		for i := range n {
			require.EqualValues(t, i+1, expect[*wire.BasicDeliver](r).DeliveryTag)
			body := r.content()
			require.Equal(t, byte(i), body[len(body)-1])
		}
	})
}
