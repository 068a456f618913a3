package amqp_test

import (
	"bytes"
	"context"
	"errors"
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

const replyTo = "amq.rabbitmq.reply-to"

// serve answers the requests of a queue by f until the connection ends.
func (t *env) serve(queue string, f func(ch *amqp091.Channel, d amqp091.Delivery)) {
	t.Helper()
	ch := t.open()
	t.queue(ch, queue)
	requests := t.consume(ch, queue, "", false)
	go func() {
		for d := range requests {
			f(ch, d)
			d.Ack(false)
		}
	}()
}

func echo(ch *amqp091.Channel, d amqp091.Delivery) {
	ch.Publish("", d.ReplyTo, false, false, amqp091.Publishing{CorrelationId: d.CorrelationId, Body: append([]byte("re:"), d.Body...)})
}

func (t *env) handle(queue string, f warren.HandlerFunc) {
	t.Helper()
	h, err := t.broker.Handle(queue, f)
	require.NoError(t, err)
	t.Cleanup(func() { h.Close() })
}

// address is that of the requester whose reply consumer is on ch.
func (t *env) address(ch *amqp091.Channel, name string) string {
	t.Helper()
	other := t.open()
	q := t.queue(other, "")
	t.publish(ch, "", q, false, false, amqp091.Publishing{ReplyTo: name})
	t.ready(q)
	d, ok, err := other.Get(q, true)
	require.NoError(t, err)
	require.True(t, ok)
	_, err = other.QueueDelete(q, false, false, false)
	require.NoError(t, err)
	return d.ReplyTo
}

func TestClientCallsHandler(t *testing.T) {
	withServer(t, func(t *env) {
		t.handle("rpc", func(ctx context.Context, r *warren.Request) (warren.Message, error) {
			return warren.Message{Body: append([]byte("re:"), r.Body...)}, nil
		})
		ch := t.open()
		replies := t.consume(ch, replyTo, "mine", true)
		const n = 1000
		for i := range n {
			t.publish(ch, "", "rpc", true, false, amqp091.Publishing{ReplyTo: replyTo, CorrelationId: fmt.Sprint(i), Body: []byte(fmt.Sprint(i))})
		}
		seen := map[string]bool{}
		for i := range n {
			d := t.next(replies)
			require.Equal(t, "re:"+d.CorrelationId, string(d.Body))
			require.Equal(t, []any{"mine", "", uint64(i + 1), false}, []any{d.ConsumerTag, d.Exchange, d.DeliveryTag, d.Redelivered})
			require.True(t, strings.HasPrefix(d.RoutingKey, replyTo+"."))
			seen[d.CorrelationId] = true
		}
		require.Len(t, seen, n)
		t.none(replies)
	})
}

func TestCallIsServedByClient(t *testing.T) {
	for name, withID := range map[string]bool{"with correlation id": true, "without correlation id": false} {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				t.serve("rpc", func(ch *amqp091.Channel, d amqp091.Delivery) {
					if !withID {
						d.CorrelationId = ""
					}
					echo(ch, d)
				})
				for i := range 1000 {
					reply, err := t.broker.Call(t.Context(), "rpc", warren.Message{Body: []byte(fmt.Sprint(i))})
					require.NoError(t, err)
					require.Equal(t, fmt.Sprint("re:", i), string(reply.Body))
				}
			})
		})
	}
}

func TestCallTellsClientItsDeadline(t *testing.T) {
	withServer(t, func(t *env) {
		requests := make(chan amqp091.Delivery, 1)
		t.serve("rpc", func(ch *amqp091.Channel, d amqp091.Delivery) {
			requests <- d
			echo(ch, d)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		_, err := t.broker.Call(ctx, "rpc", warren.Message{Headers: warren.Table{"h": "v"}, AppId: "app"})
		require.NoError(t, err)
		d := <-requests
		require.Equal(t, "1500", d.Expiration)
		require.Equal(t, amqp091.Table{"h": "v"}, d.Headers)
		require.Equal(t, "app", d.AppId)
		require.True(t, strings.HasPrefix(d.ReplyTo, "amq."), d.ReplyTo)
	})
}

func TestClientCallsClient(t *testing.T) {
	withServer(t, func(t *env) {
		t.serve("rpc", echo)
		ch := t.open()
		replies := t.consume(ch, replyTo, "", true)
		for _, body := range []string{"", "x", strings.Repeat("0123456789", 100_000)} {
			t.publish(ch, "", "rpc", false, false, amqp091.Publishing{ReplyTo: replyTo, Body: []byte(body)})
			d := t.next(replies)
			require.True(t, bytes.Equal([]byte("re:"+body), d.Body))
			require.Empty(t, d.CorrelationId, "the reply comes as it was sent")
		}
	})
}

func TestForwardedRequestIsAnsweredByAThirdParty(t *testing.T) {
	withServer(t, func(t *env) {
		t.serve("front", func(ch *amqp091.Channel, d amqp091.Delivery) {
			ch.Publish("", "back", false, false, amqp091.Publishing{ReplyTo: d.ReplyTo, CorrelationId: d.CorrelationId, Body: d.Body})
		})
		t.serve("back", echo)
		ch := t.open()
		replies := t.consume(ch, replyTo, "", true)
		t.publish(ch, "", "front", false, false, amqp091.Publishing{ReplyTo: replyTo, CorrelationId: "7", Body: []byte("x")})
		d := t.next(replies)
		require.Equal(t, []string{"re:x", "7"}, []string{string(d.Body), d.CorrelationId})
		reply, err := t.broker.Call(t.Context(), "front", warren.Message{Body: []byte("native")})
		require.NoError(t, err)
		require.Equal(t, "re:native", string(reply.Body))
	})
}

func TestHandlersErrorTravelsInHeaders(t *testing.T) {
	withServer(t, func(t *env) {
		t.handle("rpc", func(ctx context.Context, r *warren.Request) (warren.Message, error) {
			if string(r.Body) == "plain" {
				return warren.Message{}, errors.New("it broke")
			}
			return warren.Message{}, &warren.RemoteError{Code: "mine", Text: "it broke"}
		})
		ch := t.open()
		replies := t.consume(ch, replyTo, "", true)
		for body, want := range map[string][2]string{"plain": {"error", "the handler returned an error"}, "coded": {"mine", "it broke"}} {
			t.publish(ch, "", "rpc", false, false, amqp091.Publishing{ReplyTo: replyTo, CorrelationId: body, Body: []byte(body)})
			d := t.next(replies)
			require.Equal(t, amqp091.Table{"x-warren-error": want[0], "x-warren-error-text": want[1]}, d.Headers)
			require.Equal(t, body, d.CorrelationId)
			require.Empty(t, d.Body)
		}
		t.serve("remote", func(ch *amqp091.Channel, d amqp091.Delivery) {
			ch.Publish("", d.ReplyTo, false, false, amqp091.Publishing{Headers: amqp091.Table{"x-warren-error": "far", "x-warren-error-text": "away"}})
		})
		_, err := t.broker.Call(t.Context(), "remote", warren.Message{})
		require.Equal(t, &warren.RemoteError{Code: "far", Text: "away"}, err)
	})
}

func TestReplyConsumerRules(t *testing.T) {
	withServer(t, func(t *env) {
		t.channelFails(406, "PRECONDITION_FAILED - reply consumer cannot acknowledge", func(ch *amqp091.Channel) error {
			_, err := ch.Consume(replyTo, "", false, false, false, false, nil)
			return err
		})
		t.channelFails(406, "PRECONDITION_FAILED - reply consumer already set", func(ch *amqp091.Channel) error {
			t.consume(ch, replyTo, "", true)
			_, err := ch.Consume("amq.direct.reply-to", "", true, false, false, false, nil)
			return err
		})
		t.connectionFails(530, "NOT_ALLOWED - attempt to reuse consumer tag 'c'", func(ch *amqp091.Channel) error {
			t.consume(ch, t.queue(ch, "q"), "c", true)
			_, err := ch.Consume(replyTo, "c", true, false, false, false, nil)
			return err
		})
		t.channelFails(406, "PRECONDITION_FAILED - fast reply consumer does not exist", func(ch *amqp091.Channel) error {
			t.consume(ch, replyTo, "c", true)
			require.NoError(t, ch.Cancel("c", false))
			return ch.PublishWithContext(t.Context(), "", "q", false, false, amqp091.Publishing{ReplyTo: replyTo})
		})
	})
}

func TestAddressBeginsWithTheNameThatTheConsumerUsed(t *testing.T) {
	withServer(t, func(t *env) {
		names := []string{"amq.direct.reply-to", "amq.rabbitmq.reply-to", "amq.lavinmq.reply-to"}
		for _, consumed := range names {
			ch := t.open()
			t.consume(ch, consumed, strings.Repeat("t", 255), true)
			first := t.address(ch, consumed)
			require.Regexp(t, "^"+consumed+`\.[A-Za-z0-9_-]{22,}$`, first)
			for _, name := range names {
				require.Equal(t, first, t.address(ch, name), "one address for all of its requests")
			}
		}
	})
}

func TestLivenessDeclare(t *testing.T) {
	withServer(t, func(t *env) {
		conn := t.dial()
		ch := brokertest.ClientChannel(t, conn)
		t.consume(ch, replyTo, "c", true)
		address := t.address(ch, replyTo)
		for _, passive := range []bool{false, true} {
			probe := t.open()
			declare := probe.QueueDeclare
			if passive {
				declare = probe.QueueDeclarePassive
			}
			q, err := declare(address, false, false, false, false, nil)
			require.NoError(t, err)
			require.Equal(t, amqp091.Queue{Name: address, Consumers: 1}, q)
			_, err = declare(replyTo, false, false, false, false, nil)
			require.NoError(t, err)
		}
		require.NoError(t, ch.Cancel("c", false))
		for _, name := range []string{address, replyTo + ".garbage"} {
			t.channelFails(404, "NOT_FOUND - no queue '"+name+"' in vhost '/'", func(ch *amqp091.Channel) error {
				_, err := ch.QueueDeclare(name, false, false, false, false, nil)
				return err
			})
		}
	})
}

func TestAddressIsNoQueue(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		replies := t.consume(ch, replyTo, "", true)
		address := t.address(ch, replyTo)
		n, err := ch.QueueDelete(address, false, false, false)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = ch.QueuePurge(address, false)
		require.NoError(t, err)
		require.Zero(t, n)
		t.channelFails(403, "ACCESS_REFUSED - cannot bind or unbind to a volatile (direct reply-to) queue", func(ch *amqp091.Channel) error {
			return ch.QueueBind(address, "", "amq.fanout", false, nil)
		})
		missing := "NOT_FOUND - no queue '" + address + "' in vhost '/'"
		t.channelFails(404, missing, func(ch *amqp091.Channel) error { _, _, err := ch.Get(address, true); return err })
		t.channelFails(404, missing, func(ch *amqp091.Channel) error {
			_, err := ch.Consume(address, "", true, false, false, false, nil)
			return err
		})
		t.put(t.open(), "", address, "still there")
		require.Equal(t, []string{"still there"}, t.bodies(replies, 1))
	})
}

func TestReplyToADeadRequester(t *testing.T) {
	withServer(t, func(t *env) {
		conn := t.dial()
		client := brokertest.ClientChannel(t, conn)
		replies := t.consume(client, replyTo, "", true)
		address := t.address(client, replyTo)
		server := t.open()
		require.NoError(t, server.Confirm(false))
		returns := server.NotifyReturn(make(chan amqp091.Return, 1))
		reply := func(mandatory, immediate bool) {
			t.Helper()
			dc, err := server.PublishWithDeferredConfirmWithContext(t.Context(), "", address, mandatory, immediate, amqp091.Publishing{Body: []byte("x")})
			require.NoError(t, err)
			require.True(t, dc.Wait(), "acked in all cases")
		}
		reply(true, true)
		require.Equal(t, []string{"x"}, t.bodies(replies, 1))
		require.Empty(t, returns)
		require.NoError(t, conn.Close())
		reply(false, false)
		require.Empty(t, returns)
		reply(true, false)
		require.Equal(t, amqp091.Return{ReplyCode: 312, ReplyText: "NO_ROUTE", RoutingKey: address, Body: []byte("x")}, <-returns)
		reply(true, true)
		require.EqualValues(t, 313, (<-returns).ReplyCode)
	})
}

func TestEqualTagsDoNotSeeEachOthersReplies(t *testing.T) {
	withServer(t, func(t *env) {
		t.serve("rpc", echo)
		a, b := t.open(), t.open()
		ra, rb := t.consume(a, replyTo, "same", true), t.consume(b, replyTo, "same", true)
		t.publish(a, "", "rpc", false, false, amqp091.Publishing{ReplyTo: replyTo, Body: []byte("a")})
		t.publish(b, "", "rpc", false, false, amqp091.Publishing{ReplyTo: replyTo, Body: []byte("b")})
		require.Equal(t, []string{"re:a"}, t.bodies(ra, 1))
		require.Equal(t, []string{"re:b"}, t.bodies(rb, 1))
		require.NoError(t, a.Cancel("same", false))
		t.publish(b, "", "rpc", false, false, amqp091.Publishing{ReplyTo: replyTo, Body: []byte("b")})
		require.Equal(t, []string{"re:b"}, t.bodies(rb, 1))
	})
}

func TestChannelThatClosesWhileRepliesArrive(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		other := t.open()
		q := t.queue(other, "q")
		for range 20 {
			r.send(1, &wire.BasicConsume{Queue: []byte(replyTo), ConsumerTag: []byte("c"), NoAck: true})
			expect[*wire.BasicConsumeOk](r)
			m := wire.BasicPublish{RoutingKey: []byte(q)}
			r.write(wire.AppendPublish(nil, 1, &m, (&wire.Properties{ReplyTo: replyTo}).Append(nil), nil, 131072))
			t.ready(q)
			d, ok, err := other.Get(q, true)
			require.NoError(t, err)
			require.True(t, ok)
			done := make(chan error, 1)
			go func() {
				for range 50 {
					if err := other.Publish("", d.ReplyTo, false, false, amqp091.Publishing{Body: []byte("x")}); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
			r.send(1, &wire.ChannelClose{})
			for {
				f := r.nextFrame()
				if f.Type != wire.FrameMethod {
					continue
				}
				m := r.method(f)
				if _, ok := m.(*wire.ChannelCloseOk); ok {
					break
				}
				require.IsType(t, &wire.BasicDeliver{}, m)
			}
			require.NoError(t, <-done)
			synctest.Wait()
			r.send(1, &wire.ChannelOpen{})
			expect[*wire.ChannelOpenOk](r) // nothing came after close-ok
			t.queue(other, q)              // the replier is unharmed
		}
	})
}

func TestFlowDoesNotStopReplies(t *testing.T) {
	withServer(t, func(t *env) {
		t.serve("rpc", echo)
		ch := t.open()
		replies := t.consume(ch, replyTo, "", true)
		require.NoError(t, ch.Qos(1, 0, true))
		require.NoError(t, ch.Flow(false))
		for range 3 {
			t.publish(ch, "", "rpc", false, false, amqp091.Publishing{ReplyTo: replyTo})
		}
		require.Len(t, t.bodies(replies, 3), 3)
	})
}

func TestRequesterWhoDoesNotReadIsDisconnected(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		other := t.open()
		q := t.queue(other, "")
		r.send(1, &wire.BasicConsume{Queue: []byte(replyTo), ConsumerTag: []byte("c"), NoAck: true})
		expect[*wire.BasicConsumeOk](r)
		m := wire.BasicPublish{RoutingKey: []byte(q)}
		r.write(wire.AppendPublish(nil, 1, &m, (&wire.Properties{ReplyTo: replyTo}).Append(nil), nil, 131072))
		t.ready(q)
		d, ok, err := other.Get(q, true)
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, other.Confirm(false))
		returns := other.NotifyReturn(make(chan amqp091.Return, 100))
		for range 10 { // 10 MiB, but 16 times 256 KiB may wait
			dc, err := other.PublishWithDeferredConfirmWithContext(t.Context(), "", d.ReplyTo, true, false, amqp091.Publishing{Body: make([]byte, 1<<20)})
			require.NoError(t, err)
			require.True(t, dc.Wait(), "the replier does not wait")
			synctest.Wait()
		}
		require.NotEmpty(t, returns, "the requester is gone")
	})
}

// A client that may not publish to a queue cannot have a handler do so for it.
func TestAHandlersReplyToAQueueNeedsTheClientsRights(t *testing.T) {
	withServer(t, func(t *env) {
		t.handle("rpc", func(context.Context, *warren.Request) (warren.Message, error) { return warren.Message{}, nil })
		ch, host := t.open(), t.native()
		own, err := ch.QueueDeclare("", false, false, true, false, nil)
		require.NoError(t, err)
		mine, foreign := t.consume(ch, own.Name, "", true), "foreign"
		brokertest.Queues(t, host, foreign)
		require.NoError(t, host.QueueBind("rpc", "rpc", "amq.direct", nil))
		ask := func(replyTo string, headers amqp091.Table) {
			t.publish(ch, "amq.direct", "rpc", false, false, amqp091.Publishing{ReplyTo: replyTo, Headers: headers})
			synctest.Wait()
		}
		ask(foreign, nil)
		require.Equal(t, 1, t.ready(foreign), "guest may do everything")
		v := brokertest.VirtualHost(t, t.broker, "/")
		require.NoError(t, v.PermissionsSet("guest", warren.Permissions{Configure: ".*", Write: "^amq.direct$", Read: ".*"}))
		ask(foreign, nil)
		ask(foreign, amqp091.Table{"BCC": []any{"nobody"}})
		require.Equal(t, 1, t.ready(foreign))
		ask(own.Name, nil)
		t.next(mine)
		replies := t.consume(ch, replyTo, "", true)
		ask(replyTo, nil)
		t.next(replies)
	})
}
