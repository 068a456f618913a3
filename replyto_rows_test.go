package warren_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

const noReplyConsumer = "PRECONDITION_FAILED - fast reply consumer does not exist"

// A request needs a reply consumer on its own channel, started before it.
func TestReplyToNoReplyConsumerOnTheChannel(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		sibling, err := w.session.Channel()
		require.NoError(w, err)
		for name, ch := range map[string]*warren.Channel{
			"another channel of the session": sibling, "another session": w.server,
		} {
			for _, said := range replyNames {
				err := ch.Publish(w.Context(), "", "work", warren.Message{ReplyTo: said}, warren.PublishOptions{})
				brokertest.Fails(w.T, err, 406, 60, 40, noReplyConsumer)
			}
			brokertest.Nothing(w.T, w.work)
			// In process the error closes nothing.
			require.NoError(w, ch.Publish(w.Context(), "", "work", warren.Message{Type: name}, warren.PublishOptions{}))
			require.Equal(w, name, brokertest.Next(w.T, w.work).Type)
		}
	})
}

// basic.cancel ends the requester; a new consumer has a new address.
func TestReplyToCancelThenPublish(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		old := w.address()
		require.NoError(w, w.requester.Cancel(w.replies.Tag()))
		err := w.requester.Publish(w.Context(), "", "work", warren.Message{ReplyTo: w.name}, warren.PublishOptions{})
		brokertest.Fails(w.T, err, 406, 60, 40, noReplyConsumer)
		brokertest.Nothing(w.T, w.work)

		w.replies = consumeReplies(w.T, w.requester, w.name)
		fresh := w.address()
		require.NotEqual(w, old, fresh)
		isReturned(w.T, w.reply(old, "late", warren.PublishOptions{Mandatory: true}), 312, "NO_ROUTE", old, "late")
		require.NoError(w, w.reply(fresh, "in time", warren.PublishOptions{Mandatory: true}))
		w.gets("in time")
	})
}

// Publishing checks size, exchange, reply_to and expiration, in this order.
func TestReplyToOrderOfChecks(t *testing.T) {
	withReplyWorld(t, &warren.Options{MaxMessageSize: 3}, func(w *replyWorld) {
		msg := warren.Message{ReplyTo: w.name, Expiration: "soon", Body: []byte("four")}
		for _, step := range []struct {
			exchange string
			code     uint16
			text     string
			mend     func()
		}{
			{"nowhere", 406, "PRECONDITION_FAILED - message size 4 is larger than configured max size 3", func() { msg.Body = nil }},
			{"nowhere", 404, "NOT_FOUND - no exchange 'nowhere' in vhost '/'", func() {}},
			{"", 406, noReplyConsumer, func() { consumeReplies(w.T, w.server, w.name) }},
			{"", 406, "PRECONDITION_FAILED - invalid expiration 'soon': no_integer", func() { msg.Expiration = "" }},
		} {
			err := w.server.Publish(w.Context(), step.exchange, "work", msg, warren.PublishOptions{})
			brokertest.Fails(w.T, err, step.code, 60, 40, step.text)
			step.mend()
		}
		require.NoError(w, w.server.Publish(w.Context(), "", "work", msg, warren.PublishOptions{}))
	})
}

// Replies are not acknowledged, so the consumer must not promise it. The ack
// mode is looked at before whether there is a reply consumer already.
func TestReplyToConsumeWithNoAckFalse(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		for _, ch := range []*warren.Channel{w.requester, w.server} {
			_, err := ch.Consume(w.name, warren.ConsumeOptions{})
			brokertest.Fails(w.T, err, 406, 60, 20, "PRECONDITION_FAILED - reply consumer cannot acknowledge")
		}
		require.Equal(w, 1, w.b.Stats().Requesters)
		err := w.server.Publish(w.Context(), "", "work", warren.Message{ReplyTo: w.name}, warren.PublishOptions{})
		brokertest.Fails(w.T, err, 406, 60, 40, noReplyConsumer)
	})
}

// A channel has one reply consumer, whatever the names; the first one stays.
func TestReplyToSecondReplyConsumer(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		for _, second := range replyNames {
			for _, tag := range []string{"second", "", w.replies.Tag()} {
				_, err := w.requester.Consume(second, warren.ConsumeOptions{NoAck: true, Tag: tag})
				brokertest.Fails(w.T, err, 406, 60, 20, "PRECONDITION_FAILED - reply consumer already set")
			}
			_, err := w.requester.Consume(second, warren.ConsumeOptions{Tag: w.replies.Tag()})
			brokertest.Fails(w.T, err, 406, 60, 20, "PRECONDITION_FAILED - reply consumer cannot acknowledge")
		}
		require.Equal(w, 1, w.b.Stats().Requesters)
		require.Equal(w, address, w.address())
		require.NoError(w, w.reply(address, "answer", warren.PublishOptions{Mandatory: true}))
		w.gets("answer")

		w.Log("The refused tag is free, and another channel of the session can have a reply consumer.")
		_, err := w.requester.QueueDeclare("other", warren.QueueOptions{})
		require.NoError(w, err)
		_, err = w.requester.Consume("other", warren.ConsumeOptions{Tag: "second"})
		require.NoError(w, err)
		sibling, err := w.session.Channel()
		require.NoError(w, err)
		consumeReplies(w.T, sibling, w.name)
		require.NotEqual(w, address, w.requestOn(sibling, w.name, "").ReplyTo)
	})
}

// Reply consumers and others share the channel's tags.
func TestReplyToConsumerTagInUse(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		_, err := w.server.Consume(w.name, warren.ConsumeOptions{NoAck: true, Tag: w.work.Tag()})
		brokertest.Fails(w.T, err, 530, 60, 20, fmt.Sprintf("NOT_ALLOWED - attempt to reuse consumer tag '%s'", w.work.Tag()))
		_, err = w.requester.Consume("work", warren.ConsumeOptions{Tag: w.replies.Tag()})
		brokertest.Fails(w.T, err, 530, 60, 20, fmt.Sprintf("NOT_ALLOWED - attempt to reuse consumer tag '%s'", w.replies.Tag()))
		require.Equal(w, 1, w.b.Stats().Requesters)
	})
}

func TestReplyToConsumerTags(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		w.Log("An empty tag is the broker's to choose.")
		require.True(w, strings.HasPrefix(w.replies.Tag(), "amq.ctag-"), "tag %q", w.replies.Tag())
		require.Equal(w, w.name, w.replies.Queue())

		w.Log("A tag of 255 bytes does not make the address too long for reply_to and routing key.")
		require.NoError(w, w.replies.Cancel())
		long := strings.Repeat("t", 255)
		var err error
		w.replies, err = w.requester.Consume(w.name, warren.ConsumeOptions{NoAck: true, Tag: long})
		require.NoError(w, err)
		req := w.request("question")
		require.LessOrEqual(w, len(req.ReplyTo), 255)
		require.NoError(w, w.reply(req.ReplyTo, "answer", warren.PublishOptions{Mandatory: true}))
		require.Equal(w, long, brokertest.Next(w.T, w.replies).ConsumerTag)
	})
}

// Exclusive, priority and arguments mean nothing to a reply consumer, and it is
// not counted among the consumers.
func TestReplyToConsumeOptionsAreIgnored(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		for range 2 {
			ch := brokertest.Channel(w.T, w.b)
			c, err := ch.Consume(w.name, warren.ConsumeOptions{NoAck: true, Exclusive: true, Priority: 7, Prefetch: 1, Args: warren.Table{"x-any": true}})
			require.NoError(w, err)
			address := w.requestOn(ch, w.name, "").ReplyTo
			for range 2 {
				require.NoError(w, w.reply(address, "answer", warren.PublishOptions{Mandatory: true}))
			}
			for range 2 {
				require.Equal(w, "answer", string(brokertest.Next(w.T, c).Body))
			}
		}
		s := w.b.Stats()
		require.Equal(w, 3, s.Requesters)
		require.Equal(w, 1, s.Consumers, "that of the queue")
		require.Equal(w, 1, s.Queues, "no queues are created")
	})
}

// Replies are taken by the default exchange only, by routing key, CC and BCC.
func TestReplyToWhereRepliesAreTaken(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		publish := func(exchange, key string, headers warren.Table) error {
			msg := warren.Message{Headers: headers, Body: []byte("answer")}
			return w.server.Publish(w.Context(), exchange, key, msg, warren.PublishOptions{Mandatory: true})
		}

		w.Log("routing key")
		require.NoError(w, publish("", address, nil))
		w.gets("answer")

		w.Log("CC, which stays in the message, and BCC, which does not")
		require.NoError(w, publish("", "nobody", warren.Table{"CC": []any{address}, "k": "v"}))
		require.Equal(w, warren.Table{"CC": []any{address}, "k": "v"}, brokertest.Next(w.T, w.replies).Headers)
		require.NoError(w, publish("", "nobody", warren.Table{"BCC": []any{address}, "k": "v"}))
		require.Equal(w, warren.Table{"k": "v"}, brokertest.Next(w.T, w.replies).Headers)

		w.Log("a queue and a requester with one message")
		require.NoError(w, publish("", "work", warren.Table{"CC": []any{address}}))
		require.Equal(w, "answer", string(brokertest.Next(w.T, w.work).Body))
		w.gets("answer")

		w.Log("one message reaches a requester once, also among forged addresses")
		forged := address[:len(w.name)+1] + strings.Repeat("A", 22) + "0"
		require.NoError(w, publish("", address, warren.Table{"CC": []any{address, forged, address + "0"}, "BCC": []any{address}}))
		w.gets("answer")
		err := publish("", forged, warren.Table{"CC": []any{address + "0"}})
		isReturned(w.T, err, 312, "NO_ROUTE", forged, "answer")
		brokertest.Nothing(w.T, w.replies)

		w.Log("any other exchange routes by its bindings")
		for _, x := range []string{"amq.direct", "amq.fanout", "amq.topic", "amq.headers"} {
			require.ErrorIs(w, publish(x, address, warren.Table{"CC": []any{address}}), warren.ErrNoRoute, x)
			require.NoError(w, w.server.QueueBind("work", address, x, nil))
			require.NoError(w, publish(x, address, nil), x)
			require.Equal(w, address, brokertest.Next(w.T, w.work).RoutingKey)
		}
		brokertest.Nothing(w.T, w.replies)
	})
}

// A name of the pseudo-queue itself is no address.
func TestReplyToPublishToABareName(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		err := w.reply(w.name, "answer", warren.PublishOptions{Mandatory: true})
		isReturned(w.T, err, 312, "NO_ROUTE", w.name, "answer")
		brokertest.Nothing(w.T, w.replies)
	})
}

// An exchange with an alternate gives it what it cannot route; a reply address
// is nothing special there, either.
func TestReplyToAlternateExchange(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		require.NoError(w, w.server.ExchangeDeclare("lost", warren.Fanout, warren.ExchangeOptions{}))
		require.NoError(w, w.server.ExchangeDeclare("x", warren.Direct, warren.ExchangeOptions{Alternate: "lost"}))
		require.NoError(w, w.server.QueueBind("work", "", "lost", nil))
		require.NoError(w, w.server.Publish(w.Context(), "x", address, warren.Message{}, warren.PublishOptions{Mandatory: true}))
		d := brokertest.Next(w.T, w.work)
		require.Equal(w, "x", d.Exchange)
		require.Equal(w, address, d.RoutingKey)
		brokertest.Nothing(w.T, w.replies)
	})
}

// Mandatory, immediate, confirm: a reply to a requester who is there is
// delivered once and never returned.
func TestReplyToRequesterAlive(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		for _, o := range []warren.PublishOptions{{}, {Mandatory: true}, {Immediate: true}, {Mandatory: true, Immediate: true}} {
			require.NoError(w, w.reply(address, "answer", o))
			w.gets("answer")
		}
		require.NoError(w, w.server.Confirm())
		for i, o := range []warren.PublishOptions{{}, {Mandatory: true}, {Immediate: true}, {Mandatory: true, Immediate: true}} {
			c, err := w.server.PublishConfirm(w.Context(), "", address, warren.Message{Body: []byte("answer")}, o)
			require.NoError(w, err)
			require.True(w, c.Acked())
			require.Equal(w, uint64(i+1), c.DeliveryTag)
			w.gets("answer")
		}
		require.Zero(w, w.b.Stats().Returned)
	})
}

// A reply to a requester who has gone is dropped; mandatory returns it, and
// then the confirm acks. Nothing else happens to the replier.
func TestReplyToRequesterGone(t *testing.T) {
	for how, leave := range waysToGo {
		t.Run(how, func(t *testing.T) {
			eachReplyName(t, func(w *replyWorld) {
				address := w.address()
				leave(w)
				require.NoError(w, w.reply(address, "late", warren.PublishOptions{}))
				err := w.reply(address, "late", warren.PublishOptions{Mandatory: true})
				isReturned(w.T, err, 312, "NO_ROUTE", address, "late")

				require.NoError(w, w.server.Confirm())
				c, err := w.server.PublishConfirm(w.Context(), "", address, warren.Message{}, warren.PublishOptions{})
				require.NoError(w, err)
				require.True(w, c.Acked(), "as any message that cannot be routed")
				c, err = w.server.PublishConfirm(w.Context(), "", address, warren.Message{Body: []byte("late")}, warren.PublishOptions{Mandatory: true})
				isReturned(w.T, err, 312, "NO_ROUTE", address, "late")
				require.NotNil(w, c)
				require.True(w, c.Acked())
				require.Equal(w, uint64(2), c.DeliveryTag)

				require.NoError(w, w.reply("work", "still here", warren.PublishOptions{Mandatory: true}))
				require.Equal(w, "still here", string(brokertest.Next(w.T, w.work).Body))
				_, err = w.replies.Next(w.Context())
				require.ErrorIs(w, err, warren.ErrClosed)
			})
		})
	}
}

// waysToGo are how a requester goes away.
var waysToGo = map[string]func(w *replyWorld){
	"basic.cancel":     func(w *replyWorld) { require.NoError(w, w.requester.Cancel(w.replies.Tag())) },
	"channel.close":    func(w *replyWorld) { require.NoError(w, w.requester.Close()) },
	"connection.close": func(w *replyWorld) { require.NoError(w, w.session.Close()) },
}

// Immediate asks for a consumer: a requester who has gone is 313, with
// mandatory too.
func TestReplyToImmediateRequesterGone(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		require.NoError(w, w.replies.Cancel())
		for _, o := range []warren.PublishOptions{{Immediate: true}, {Mandatory: true, Immediate: true}} {
			err := w.reply(address, "late", o)
			isReturned(w.T, err, 313, "NO_CONSUMERS", address, "late")
			require.ErrorIs(w, err, warren.ErrNoConsumers)
			require.NotErrorIs(w, err, warren.ErrNoRoute)
		}
	})
}

// Replies in a transaction are held to its commit and dropped by rollback.
func TestReplyToInATx(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		require.NoError(w, w.server.Tx())
		for _, o := range []warren.PublishOptions{{}, {Mandatory: true}, {Immediate: true}} {
			require.NoError(w, w.reply(address, "rolled back", o))
			brokertest.Nothing(w.T, w.replies)
			require.NoError(w, w.server.TxRollback())
			brokertest.Nothing(w.T, w.replies)

			require.NoError(w, w.reply(address, "first", o))
			require.NoError(w, w.reply(address, "second", o))
			brokertest.Nothing(w.T, w.replies)
			require.NoError(w, w.server.TxCommit())
			require.Equal(w, "first", string(brokertest.Next(w.T, w.replies).Body))
			w.gets("second")
		}

		w.Log("Who is there counts at commit.")
		require.NoError(w, w.reply(address, "silent", warren.PublishOptions{}))
		require.NoError(w, w.reply(address, "late", warren.PublishOptions{Mandatory: true}))
		require.NoError(w, w.reply("work", "for the queue", warren.PublishOptions{}))
		require.NoError(w, w.replies.Cancel())
		isReturned(w.T, w.server.TxCommit(), 312, "NO_ROUTE", address, "late")
		require.Equal(w, "for the queue", string(brokertest.Next(w.T, w.work).Body))
		require.NoError(w, w.reply(address, "late", warren.PublishOptions{Immediate: true}))
		isReturned(w.T, w.server.TxCommit(), 313, "NO_CONSUMERS", address, "late")
	})
}

// Requests can be sent in a transaction as well.
func TestReplyToRequestInATx(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		require.NoError(w, w.requester.Tx())
		require.NoError(w, w.requester.Publish(w.Context(), "", "work", warren.Message{ReplyTo: w.name}, warren.PublishOptions{}))
		brokertest.Nothing(w.T, w.work)
		require.NoError(w, w.requester.TxCommit())
		require.Equal(w, address, brokertest.Next(w.T, w.work).ReplyTo)

		require.NoError(w, w.server.Tx())
		err := w.server.Publish(w.Context(), "", "work", warren.Message{ReplyTo: w.name}, warren.PublishOptions{})
		brokertest.Fails(w.T, err, 406, 60, 40, noReplyConsumer)
	})
}

// declare tells a server whether the requester is still there.
func TestReplyToDeclareOfAnAddress(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		declare := map[string]func(ch *warren.Channel, name string) (warren.Queue, error){
			"active": func(ch *warren.Channel, name string) (warren.Queue, error) {
				return ch.QueueDeclare(name, warren.QueueOptions{})
			},
			"passive": (*warren.Channel).QueueDeclarePassive,
			"other options": func(ch *warren.Channel, name string) (warren.Queue, error) {
				return ch.QueueDeclare(name, warren.QueueOptions{Durable: true, Exclusive: true, AutoDelete: true})
			},
		}
		v, err := w.b.VirtualHostDeclare("other")
		require.NoError(w, err)
		foreign, err := v.Channel()
		require.NoError(w, err)
		for how, f := range declare {
			q, err := f(w.server, address)
			require.NoError(w, err, how)
			require.Equal(w, warren.Queue{Name: address, Messages: 0, Consumers: 1}, q, how)

			w.Log("another virtual host")
			_, err = f(foreign, address)
			brokertest.Fails(w.T, err, 404, 50, 10, fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost 'other'", address))
			for _, garbage := range []string{w.name + ".", w.name + ".x", address + "0", w.name + "." + strings.Repeat("?", 200)} {
				_, err = f(w.server, garbage)
				brokertest.Fails(w.T, err, 404, 50, 10, fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost '/'", garbage))
			}
		}
		require.NoError(w, w.reply(address, "answer", warren.PublishOptions{}))
		q, err := w.server.QueueDeclarePassive(address)
		require.NoError(w, err)
		require.Zero(w, q.Messages, "an unread reply is no message in a queue")

		require.NoError(w, w.replies.Cancel())
		for _, f := range declare {
			_, err := f(w.server, address)
			brokertest.Fails(w.T, err, 404, 50, 10, fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost '/'", address))
		}
		require.Equal(w, 1, w.b.Stats().Queues, "nothing was declared")
	})
}

// declare of a bare name tells whether the channel has its reply consumer.
func TestReplyToDeclareOfABareName(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		for _, name := range replyNames {
			for ch, consumers := range map[*warren.Channel]int{w.requester: 1, w.server: 0} {
				q, err := ch.QueueDeclare(name, warren.QueueOptions{Durable: true, Exclusive: true})
				require.NoError(w, err)
				require.Equal(w, warren.Queue{Name: name, Consumers: consumers}, q)
				q, err = ch.QueueDeclarePassive(name)
				require.NoError(w, err)
				require.Equal(w, warren.Queue{Name: name, Consumers: consumers}, q)
			}
		}
		require.NoError(w, w.replies.Cancel())
		q, err := w.requester.QueueDeclarePassive(w.name)
		require.NoError(w, err)
		require.Zero(w, q.Consumers)
		require.Equal(w, 1, w.b.Stats().Queues, "nothing was declared")
	})
}

// An address is no queue: what is done to it as one does nothing, or fails.
func TestReplyToDeletePurgeBindGetConsumeOfAnAddress(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		require.NoError(w, w.reply(address, "unread", warren.PublishOptions{}))
		for _, ch := range []*warren.Channel{w.server, w.requester} {
			n, err := ch.QueueDelete(address, warren.QueueDeleteOptions{IfUnused: true, IfEmpty: true})
			require.NoError(w, err)
			require.Zero(w, n)
			n, err = ch.QueuePurge(address)
			require.NoError(w, err)
			require.Zero(w, n)
			err = ch.QueueBind(address, "k", "amq.direct", nil)
			var e *warren.Error
			require.ErrorAs(w, err, &e)
			require.Equal(w, [3]uint16{403, 50, 20}, [3]uint16{e.Code, e.Class, e.Method})
			require.Equal(w, "ACCESS_REFUSED - cannot bind or unbind to a volatile (direct reply-to) queue", e.Text)
			noQueue := fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost '/'", address)
			_, _, err = ch.Get(address, true)
			brokertest.Fails(w.T, err, 404, 60, 70, noQueue)
			_, err = ch.Consume(address, warren.ConsumeOptions{NoAck: true})
			brokertest.Fails(w.T, err, 404, 60, 20, noQueue)
		}
		w.gets("unread")
		require.NoError(w, w.reply(address, "alive", warren.PublishOptions{Mandatory: true}))
		w.gets("alive")
	})
}

// Nor is a bare name: only declare and consume know it.
func TestReplyToDeletePurgeBindGetOfABareName(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		require.NoError(w, w.reply(address, "unread", warren.PublishOptions{}))
		noQueue := fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost '/'", w.name)
		n, err := w.requester.QueueDelete(w.name, warren.QueueDeleteOptions{})
		require.NoError(w, err)
		require.Zero(w, n)
		_, err = w.requester.QueuePurge(w.name)
		brokertest.Fails(w.T, err, 404, 50, 30, noQueue)
		brokertest.Fails(w.T, w.requester.QueueBind(w.name, "k", "amq.direct", nil), 404, 50, 20, noQueue)
		_, _, err = w.requester.Get(w.name, true)
		brokertest.Fails(w.T, err, 404, 60, 70, noQueue)
		w.gets("unread")
		require.NoError(w, w.reply(address, "alive", warren.PublishOptions{Mandatory: true}))
		w.gets("alive")
	})
}

// Replies have counters of their own and are not unroutable messages.
func TestReplyToCounters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newReplyWorld(t, warren.DirectReplyTo, &warren.Options{ReplyBuffer: 3})
		address := w.address()
		require.Equal(t, 1, w.b.Stats().Requesters)
		for range 3 {
			require.NoError(t, w.reply(address, "delivered", warren.PublishOptions{}))
		}
		require.NoError(t, w.reply(address, "too fast", warren.PublishOptions{}))
		require.Zero(t, w.b.Stats().Requesters)
		require.NoError(t, w.reply(address, "too late", warren.PublishOptions{}))
		require.Error(t, w.reply(address, "too late", warren.PublishOptions{Mandatory: true}))
		require.NoError(t, w.reply(w.name+".garbage", "too late", warren.PublishOptions{}))
		s := w.b.Stats()
		require.Equal(t, uint64(3), s.Replies)
		require.Equal(t, uint64(1), s.RepliesTooFast)
		require.Equal(t, uint64(3), s.RepliesTooLate)
		require.Equal(t, uint64(1), s.Returned)
		require.Zero(t, s.Unroutable)
		require.Equal(t, uint64(1), s.Published, "replies do not count in queues")

		require.NoError(t, w.reply("nobody", "", warren.PublishOptions{}))
		s = w.b.Stats()
		require.Equal(t, uint64(1), s.Unroutable)
		require.Equal(t, uint64(3), s.RepliesTooLate)
	})
}

// Nobody needs a permission to consume replies; to send one is to write to the
// default exchange, whose name permissions know as amq.default.
func TestReplyToPermissions(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		require.NoError(w, w.b.UserDeclare("ann", ""))
		v := w.requester.Session().VirtualHost()
		reader := func(p warren.Permissions) *warren.Channel {
			require.NoError(w, v.PermissionsSet("ann", p))
			s, err := v.SessionFor("ann")
			require.NoError(w, err)
			ch, err := s.Channel()
			require.NoError(w, err)
			return ch
		}
		ch := reader(warren.Permissions{})
		consumeReplies(w.T, ch, w.name)
		err := ch.Publish(w.Context(), "", w.address(), warren.Message{}, warren.PublishOptions{})
		brokertest.Fails(w.T, err, 403, 60, 40, "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'ann'")
		brokertest.Nothing(w.T, w.replies)

		ch = reader(warren.Permissions{Write: "^amq.default$"})
		require.NoError(w, ch.Publish(w.Context(), "", w.address(), warren.Message{Body: []byte("allowed")}, warren.PublishOptions{}))
		w.gets("allowed")
	})
}
