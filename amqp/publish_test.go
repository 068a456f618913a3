package amqp_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

func (t *env) publish(ch *amqp091.Channel, exchange, key string, mandatory, immediate bool, p amqp091.Publishing) {
	t.Helper()
	require.NoError(t, ch.PublishWithContext(t.Context(), exchange, key, mandatory, immediate, p))
}

func TestPublishErrorsCloseTheChannel(t *testing.T) {
	for name, c := range map[string]struct {
		code     int
		text     string
		exchange string
		message  amqp091.Publishing
	}{
		"no exchange":         {404, "NOT_FOUND - no exchange 'nope' in vhost '/'", "nope", amqp091.Publishing{}},
		"internal exchange":   {403, "ACCESS_REFUSED - cannot publish to internal exchange 'inner' in vhost '/'", "inner", amqp091.Publishing{}},
		"no number":           {406, "PRECONDITION_FAILED - invalid expiration 'soon': no_integer", "", amqp091.Publishing{Expiration: "soon"}},
		"number and more":     {406, `PRECONDITION_FAILED - invalid expiration '5s': {leftover_string,"s"}`, "", amqp091.Publishing{Expiration: "5s"}},
		"negative expiration": {406, "PRECONDITION_FAILED - invalid expiration '-1': {value_negative,-1}", "", amqp091.Publishing{Expiration: "-1"}},
		"over ten years":      {406, "PRECONDITION_FAILED - invalid expiration '316224000001': {value_too_large,316224000001}", "", amqp091.Publishing{Expiration: "316224000001"}},
		"CC no array":         {406, `PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}`, "", amqp091.Publishing{Headers: amqp091.Table{"CC": "q"}}},
		"BCC no array":        {406, `PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"BCC",longstr}`, "", amqp091.Publishing{Headers: amqp091.Table{"BCC": "q"}}},
		"no reply consumer":   {406, "PRECONDITION_FAILED - fast reply consumer does not exist", "", amqp091.Publishing{ReplyTo: "amq.rabbitmq.reply-to"}},
		"foreign user":        {406, "PRECONDITION_FAILED - user_id property set to 'root' but authenticated user was 'guest'", "", amqp091.Publishing{UserId: "root"}},
		"too large":           {406, "PRECONDITION_FAILED - message size 1001 is larger than configured max size 1000", "", amqp091.Publishing{Body: make([]byte, 1001)}},
	} {
		t.Run(name, func(t *testing.T) {
			withServerOf(t, &warren.Options{MaxMessageSize: 1000}, nil, func(t *env) {
				native := t.native()
				require.NoError(t, native.ExchangeDeclare("inner", "direct", warren.ExchangeOptions{Internal: true}))
				brokertest.Queues(t, native, "q")
				t.channelFails(c.code, c.text, func(ch *amqp091.Channel) error {
					return ch.PublishWithContext(t.Context(), c.exchange, "q", false, false, c.message)
				})
				require.Zero(t, t.ready("q"))
			})
		})
	}
}

func TestPublishErrorNamesBasicPublish(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.write(r.publishing(1, "nope", "", "a body"))
		require.Equal(t, wire.BasicPublishID, expect[*wire.ChannelClose](r).Cause)
		r.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
		m := wire.BasicPublish{RoutingKey: []byte("q")}
		props := (&wire.Properties{ReplyTo: "amq.direct.reply-to"}).Append(nil)
		r.write(wire.AppendPublish(nil, 1, &m, props, nil, 131072))
		require.Equal(t, wire.BasicPublishID, expect[*wire.ChannelClose](r).Cause)
	})
}

func TestOwnUserIDPasses(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		c := t.consume(ch, t.queue(ch, "q"), "", true)
		t.publish(ch, "", "q", false, false, amqp091.Publishing{UserId: "guest", Expiration: "315360000000"})
		require.Equal(t, "guest", t.next(c).UserId)
	})
}

func TestUnroutableMessagesAreReturnedAsTheyCame(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		returns := ch.NotifyReturn(make(chan amqp091.Return, 1))
		t.exchange(ch, "x", "topic")
		body := bytes.Repeat([]byte("0123456789"), 30000)
		t.publish(ch, "x", "a.b", true, false, amqp091.Publishing{
			MessageId: "m", Headers: amqp091.Table{"h": []any{int32(1), "x"}}, DeliveryMode: 2, Body: body,
		})
		r := <-returns
		require.Equal(t, amqp091.Return{
			ReplyCode: 312, ReplyText: "NO_ROUTE", Exchange: "x", RoutingKey: "a.b",
			MessageId: "m", Headers: amqp091.Table{"h": []any{int32(1), "x"}}, DeliveryMode: 2, Body: body,
		}, r)
		t.publish(ch, "x", "a.b", false, false, amqp091.Publishing{})
		synctest.Wait()
		require.Empty(t, returns, "without mandatory it is dropped")
	})
}

func TestImmediateNeedsAConsumer(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		returns := ch.NotifyReturn(make(chan amqp091.Return, 1))
		q := t.queue(ch, "q")
		for _, mandatory := range []bool{false, true} {
			t.publish(ch, "", q, mandatory, true, amqp091.Publishing{Body: []byte("x")})
			r := <-returns
			require.EqualValues(t, 313, r.ReplyCode)
			require.Equal(t, "NO_CONSUMERS", r.ReplyText)
		}
		c := t.consume(ch, q, "", true)
		t.publish(ch, "", q, false, true, amqp091.Publishing{Body: []byte("y")})
		require.Equal(t, []string{"y"}, t.bodies(c, 1))
		require.Empty(t, returns)
	})
}

func TestCarbonCopies(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		var all []<-chan amqp091.Delivery
		for _, name := range []string{"to", "cc", "bcc", "other"} {
			all = append(all, t.consume(ch, t.queue(ch, name), "", true))
		}
		t.publish(ch, "", "to", false, false, amqp091.Publishing{
			CorrelationId: "7", Body: []byte("x"),
			Headers: amqp091.Table{"CC": []any{"cc", int32(5), "to"}, "BCC": []any{"bcc"}, "n": int64(1)},
		})
		for _, c := range all[:3] {
			d := t.next(c)
			require.Equal(t, amqp091.Table{"CC": []any{"cc", int32(5), "to"}, "n": int64(1)}, d.Headers, "BCC is blind")
			require.Equal(t, []string{"x", "7", "to"}, []string{string(d.Body), d.CorrelationId, d.RoutingKey})
			t.none(c)
		}
		t.none(all[3])
		// CC in a value is no header.
		t.publish(ch, "", "to", false, false, amqp091.Publishing{Headers: amqp091.Table{"x": "CC"}})
		require.Equal(t, amqp091.Table{"x": "CC"}, t.next(all[0]).Headers)
	})
}

func TestBodiesOfAllSizes(t *testing.T) {
	withServer(t, func(t *env) {
		for _, frame := range []int{4096, 131072} {
			ch := brokertest.ClientChannel(t, brokertest.Dial(t, t.server.Dial, amqp091.Config{FrameSize: frame}))
			c := t.consume(ch, t.queue(ch, fmt.Sprint(frame)), "", true)
			for _, size := range []int{0, 1, frame - 9, frame - 8, frame - 7, 2 * (frame - 8), 1 << 20, 1<<20 + 1} {
				body := bytes.Repeat([]byte{byte(size), 1, 2}, size/3+1)[:size]
				t.publish(ch, "", fmt.Sprint(frame), false, false, amqp091.Publishing{Body: body, Type: "t"})
				d := t.next(c)
				require.True(t, bytes.Equal(body, d.Body), "%d octets in frames of %d: %d", size, frame, len(d.Body))
				require.Equal(t, "t", d.Type)
			}
		}
	})
}

func TestEmptyBodyFramesAreNoMatter(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte("c"), NoAck: true})
		expect[*wire.QueueDeclareOk](r)
		expect[*wire.BasicConsumeOk](r)
		r.write(r.publishing(1, "", "q", ""))
		expect[*wire.BasicDeliver](r)
		require.Empty(t, r.content())
		r.quiet(time.Millisecond)
	})
}

func TestMemoryLimitBlocksPublishers(t *testing.T) {
	withServerOf(t, &warren.Options{MemoryLimit: 100_000}, nil, func(t *env) {
		conn := t.dial()
		blocked := conn.NotifyBlocked(make(chan amqp091.Blocking, 4))
		ch := brokertest.ClientChannel(t, conn)
		require.NoError(t, ch.Confirm(false))
		q := t.queue(ch, "q")
		var last *amqp091.DeferredConfirmation
		for range 4 {
			dc, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", q, false, false, amqp091.Publishing{Body: make([]byte, 30_000)})
			require.NoError(t, err)
			last = dc
		}
		b := <-blocked
		require.True(t, b.Active)
		require.Equal(t, "low on memory", b.Reason)
		require.False(t, last.Acked())
		native := t.native()
		for range 2 {
			_, err := native.QueuePurge(q)
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		require.False(t, (<-blocked).Active)
		require.True(t, last.Wait())
	})
}

func TestBlockedPublisherCanBeCutOff(t *testing.T) {
	withServerOf(t, &warren.Options{MemoryLimit: 1000}, nil, func(t *env) {
		r := t.raw()
		r.send(1, &wire.QueueDeclare{Queue: "q"})
		expect[*wire.QueueDeclareOk](r)
		for range 3 {
			r.write(r.publishing(1, "", "q", strings.Repeat("x", 1000)))
		}
		synctest.Wait()
		require.NoError(t, t.server.Close()) // waits for the connection
	})
}

func TestMemoryLimitRefusesPublishers(t *testing.T) {
	withServerOf(t, &warren.Options{MemoryLimit: 1000, MemoryPolicy: warren.FailPublishers}, nil, func(t *env) {
		t.channelFails(406, "PRECONDITION_FAILED - low on memory", func(ch *amqp091.Channel) error {
			t.queue(ch, "q")
			t.put(ch, "", "q", strings.Repeat("x", 1000), "one too many")
			return nil
		})
	})
}

// TestReturnedPropertiesAreThoseThatCame sends what an encoder of ours would not:
// headers out of order, one of them twice, and a cluster-id.
func TestReturnedPropertiesAreThoseThatCame(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		entries := "\x01zS\x00\x00\x00\x011" + "\x01aI\x00\x00\x00\x02" + "\x01zV"
		properties := "\x20\x04" + "\x00\x00\x00" + string(rune(len(entries))) + entries + "\x02id"
		m := wire.BasicPublish{RoutingKey: []byte("nobody"), Mandatory: true}
		r.write(wire.AppendPublish(nil, 1, &m, wire.RawProperties(properties), []byte("body"), 131072))
		require.EqualValues(t, 312, expect[*wire.BasicReturn](r).ReplyCode)
		h, err := wire.ParseContentHeader(r.nextFrame().Payload)
		require.NoError(t, err)
		require.Equal(t, properties, string(h.Properties))
	})
}
