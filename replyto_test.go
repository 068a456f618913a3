package warren_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// replyNames are the names of the pseudo-queue. They behave the same
// everywhere.
var replyNames = [...]string{"amq.direct.reply-to", "amq.rabbitmq.reply-to", "amq.lavinmq.reply-to"}

// replyWorld is a broker with a requester, who has a reply consumer, and a
// server that consumes from the queue "work".
type replyWorld struct {
	*testing.T
	b    *warren.Broker
	name string // of the pseudo-queue, as the requester says it

	session   *warren.Session // of the requester
	requester *warren.Channel
	replies   *warren.Consumer // of the requester
	server    *warren.Channel
	work      *warren.Consumer // of the server
}

// eachReplyName runs f once for each name of the pseudo-queue, in a bubble.
func eachReplyName(t *testing.T, f func(w *replyWorld)) {
	for _, name := range replyNames {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(newReplyWorld(t, name, nil)) })
		})
	}
}

// withReplyWorld runs f in a bubble, for rules in which the name plays no part.
func withReplyWorld(t *testing.T, o *warren.Options, f func(w *replyWorld)) {
	synctest.Test(t, func(t *testing.T) { f(newReplyWorld(t, warren.DirectReplyTo, o)) })
}

func newReplyWorld(t *testing.T, name string, o *warren.Options) *replyWorld {
	w := &replyWorld{T: t, b: warren.New(o), name: name}
	t.Cleanup(func() { require.NoError(t, w.b.Close()) })
	var err error
	w.session, err = w.b.Session()
	require.NoError(t, err)
	w.requester, err = w.session.Channel()
	require.NoError(t, err)
	w.replies = consumeReplies(t, w.requester, name)
	w.server = brokertest.Channel(t, w.b)
	_, err = w.server.QueueDeclare("work", warren.QueueOptions{})
	require.NoError(t, err)
	w.work, err = w.server.Consume("work", warren.ConsumeOptions{NoAck: true})
	require.NoError(t, err)
	return w
}

// consumeReplies starts a reply consumer.
func consumeReplies(t *testing.T, ch *warren.Channel, name string) *warren.Consumer {
	c, err := ch.Consume(name, warren.ConsumeOptions{NoAck: true})
	require.NoError(t, err)
	return c
}

// request sends a request the way an AMQP client does, and gives it as the
// server sees it.
func (w *replyWorld) request(body string) warren.Delivery {
	w.Helper()
	return w.requestOn(w.requester, w.name, body)
}

func (w *replyWorld) requestOn(ch *warren.Channel, name, body string) warren.Delivery {
	w.Helper()
	msg := warren.Message{ReplyTo: name, CorrelationId: "id of " + body, Body: []byte(body)}
	require.NoError(w, ch.Publish(w.Context(), "", "work", msg, warren.PublishOptions{}))
	return brokertest.Next(w.T, w.work)
}

// address is where replies to the requester go.
func (w *replyWorld) address() string {
	w.Helper()
	return w.request("what is my address?").ReplyTo
}

// reply publishes a reply as the server.
func (w *replyWorld) reply(address, body string, o warren.PublishOptions) error {
	return w.server.Publish(w.Context(), "", address, warren.Message{Body: []byte(body)}, o)
}

// gets says that the requester's next reply has this body and is the only one.
func (w *replyWorld) gets(body string) {
	w.Helper()
	require.Equal(w, body, string(brokertest.Next(w.T, w.replies).Body))
	brokertest.Nothing(w.T, w.replies)
}

// isReturned says that the message came back with this code and text.
func isReturned(t *testing.T, err error, code uint16, text, key, body string) {
	t.Helper()
	var r *warren.Return
	require.ErrorAs(t, err, &r)
	require.Equal(t, code, r.Code)
	require.Equal(t, text, r.Text)
	require.Empty(t, r.Exchange)
	require.Equal(t, key, r.RoutingKey)
	require.Equal(t, body, string(r.Body))
}

// A request's reply_to names the pseudo-queue; the server sees an address in
// its place and everything else as it was.
func TestReplyToRewriting(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		sent := warren.Message{
			ReplyTo: w.name, CorrelationId: "42", MessageId: "m", ContentType: "text/plain", AppId: "a",
			Headers: warren.Table{"k": "v"}, Body: []byte("question"),
		}
		require.NoError(w, w.requester.Publish(w.Context(), "", "work", sent, warren.PublishOptions{}))
		seen := brokertest.Next(w.T, w.work).Message
		require.True(w, strings.HasPrefix(seen.ReplyTo, w.name+"."), "address %q", seen.ReplyTo)
		require.Equal(w, w.name, sent.ReplyTo, "the publisher's message")
		seen.ReplyTo = sent.ReplyTo
		require.Equal(w, sent, seen)

		w.Log("It is the same in every request of the consumer, through any exchange with any routing key.")
		address := w.address()
		for _, x := range []string{"amq.direct", "amq.fanout", "amq.topic", "amq.headers"} {
			require.NoError(w, w.server.QueueBind("work", "any.key", x, nil))
			msg := warren.Message{ReplyTo: w.name}
			require.NoError(w, w.requester.Publish(w.Context(), x, "any.key", msg, warren.PublishOptions{Mandatory: true}))
			require.Equal(w, address, brokertest.Next(w.T, w.work).ReplyTo)
		}
	})
}

// Whatever name the consumer used, requests may say any of the three; the
// address begins with the consumer's.
func TestReplyToAliasForms(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		for _, said := range replyNames {
			req := w.requestOn(w.requester, said, said)
			require.True(w, strings.HasPrefix(req.ReplyTo, w.name+"."), "address %q", req.ReplyTo)
			require.NoError(w, w.reply(req.ReplyTo, said, warren.PublishOptions{Mandatory: true}))
			w.gets(said)
		}
		// Names that only look like it are ordinary ones.
		for _, said := range []string{"amq.reply-to", "Amq.Direct.Reply-To", "amq.direct.reply-to ", "direct.reply-to"} {
			require.Equal(w, said, w.requestOn(w.requester, said, "").ReplyTo)
			_, err := w.server.Consume(said, warren.ConsumeOptions{NoAck: true})
			brokertest.Fails(w.T, err, 404, 60, 20, fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost '/'", said))
		}
	})
}

// What the requester's consumer gets: spec section 3.5, as RabbitMQ from 4.2.
func TestReplyToDelivery(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		reply := warren.Message{
			Headers: warren.Table{"h": int64(1)}, ContentType: "text/plain", ContentEncoding: "utf-8",
			DeliveryMode: warren.Persistent, Priority: 3, CorrelationId: "42", ReplyTo: "elsewhere",
			Expiration: "60000", MessageId: "m1", Timestamp: time.Unix(1_000_000_000, 0).UTC(),
			Type: "t", UserId: "guest", AppId: "app", Body: []byte("answer"),
		}
		require.NoError(w, w.server.Publish(w.Context(), "", address, reply, warren.PublishOptions{}))
		d := brokertest.Next(w.T, w.replies)
		require.Equal(w, reply, d.Message, "properties as the replier published them")
		require.Equal(w, w.replies.Tag(), d.ConsumerTag)
		require.Equal(w, "", d.Exchange)
		require.Equal(w, address, d.RoutingKey)
		require.False(w, d.Redelivered)
		require.Equal(w, uint64(1), d.DeliveryTag)
	})
}

// Replies count in the channel's own delivery tags, among its other deliveries.
func TestReplyToDeliveryTagsIncrease(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		_, err := w.requester.QueueDeclare("other", warren.QueueOptions{})
		require.NoError(w, err)
		other, err := w.requester.Consume("other", warren.ConsumeOptions{})
		require.NoError(w, err)
		for tag := uint64(1); tag <= 6; tag += 2 {
			require.NoError(w, w.reply(address, "", warren.PublishOptions{}))
			require.Equal(w, tag, brokertest.Next(w.T, w.replies).DeliveryTag)
			require.NoError(w, w.reply("other", "", warren.PublishOptions{}))
			require.Equal(w, tag+1, brokertest.Next(w.T, other).DeliveryTag)
		}

		w.Log("A reply needs no ack, and an ack of it settles nothing else.")
		brokertest.Fails(w.T, w.requester.Ack(5, false), 406, 60, 80, "PRECONDITION_FAILED - unknown delivery tag 5")
		brokertest.Fails(w.T, w.requester.Ack(5, true), 406, 60, 80, "PRECONDITION_FAILED - unknown delivery tag 5")
		require.Equal(w, 3, w.b.Stats().Unacked)
		require.NoError(w, w.requester.Ack(6, true))
		require.Zero(w, w.b.Stats().Unacked)
	})
}

// A server need not repeat the correlation id: the reply comes as it was sent.
func TestReplyToRequesterWithoutCorrelationId(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		require.NoError(w, w.requester.Publish(w.Context(), "", "work", warren.Message{ReplyTo: w.name}, warren.PublishOptions{}))
		req := brokertest.Next(w.T, w.work)
		require.Empty(w, req.CorrelationId)
		require.NoError(w, w.reply(req.ReplyTo, "answer", warren.PublishOptions{}))
		d := brokertest.Next(w.T, w.replies)
		require.Equal(w, warren.Message{Body: []byte("answer")}, d.Message)
	})
}

func TestReplyToEmptyBody(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		require.NoError(w, w.server.Publish(w.Context(), "", w.address(), warren.Message{Type: "empty"}, warren.PublishOptions{}))
		d := brokertest.Next(w.T, w.replies)
		require.Empty(w, d.Body)
		require.Equal(w, "empty", d.Type)
	})
}

func TestReplyToLargeBody(t *testing.T) {
	withReplyWorld(t, &warren.Options{MaxMessageSize: 1 << 20}, func(w *replyWorld) {
		address := w.address()
		large := strings.Repeat("0123456789abcdef", 1<<16)
		require.NoError(w, w.reply(address, large, warren.PublishOptions{}))
		w.gets(large)
		err := w.reply(address, large+"x", warren.PublishOptions{})
		brokertest.Fails(w.T, err, 406, 60, 40, "PRECONDITION_FAILED - message size 1048577 is larger than configured max size 1048576")
		brokertest.Nothing(w.T, w.replies)
	})
}

// Nothing ties one reply to one request.
func TestReplyToSeveralRepliesToOneRequest(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		req := w.request("count")
		for i := range 100 {
			require.NoError(w, w.reply(req.ReplyTo, fmt.Sprint(i), warren.PublishOptions{Mandatory: true}))
		}
		for i := range 100 {
			require.Equal(w, fmt.Sprint(i), string(brokertest.Next(w.T, w.replies).Body), "in the order of one replier")
		}
		brokertest.Nothing(w.T, w.replies)
	})
}

// An address of somebody else passes unchanged, so that a third party can
// answer: also when the one who forwards has a reply consumer.
func TestReplyToForwarding(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		third := brokertest.Channel(w.T, w.b)
		_, err := third.QueueDeclare("third", warren.QueueOptions{})
		require.NoError(w, err)
		forwarded, err := third.Consume("third", warren.ConsumeOptions{NoAck: true})
		require.NoError(w, err)

		for _, own := range []bool{false, true} {
			var mine *warren.Consumer
			if own {
				mine = consumeReplies(w.T, w.server, w.name)
			}
			req := w.request("question")
			require.NoError(w, w.server.Publish(w.Context(), "", "third", req.Message, warren.PublishOptions{}))
			got := brokertest.Next(w.T, forwarded)
			require.Equal(w, req.Message, got.Message)
			require.NoError(w, third.Publish(w.Context(), "", got.ReplyTo, warren.Message{Body: []byte("from afar")}, warren.PublishOptions{Mandatory: true}))
			w.gets("from afar")
			if own {
				brokertest.Nothing(w.T, mine)
			}
		}
	})
}

// A request keeps its address when it is given back and delivered again.
func TestReplyToAddressSurvivesRequeue(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		require.NoError(w, w.work.Cancel())
		require.NoError(w, w.requester.Publish(w.Context(), "", "work", warren.Message{ReplyTo: w.name}, warren.PublishOptions{}))
		first, ok, err := w.server.Get("work", false)
		require.NoError(w, err)
		require.True(w, ok)
		require.Equal(w, address, first.ReplyTo)
		require.NoError(w, first.Nack(false, true))
		again, ok, err := w.server.Get("work", true)
		require.NoError(w, err)
		require.True(w, ok)
		require.True(w, again.Redelivered)
		require.Equal(w, address, again.ReplyTo)
		require.NoError(w, w.reply(again.ReplyTo, "answer", warren.PublishOptions{Mandatory: true}))
		w.gets("answer")
	})
}

// A reply can itself be a request: its reply_to is rewritten with the
// replier's reply consumer, or is 406 without one.
func TestReplyToConversation(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		req := w.request("question")
		counter := warren.Message{ReplyTo: w.name, Body: []byte("which one?")}
		err := w.server.Publish(w.Context(), "", req.ReplyTo, counter, warren.PublishOptions{})
		brokertest.Fails(w.T, err, 406, 60, 40, "PRECONDITION_FAILED - fast reply consumer does not exist")
		brokertest.Nothing(w.T, w.replies)

		servers := consumeReplies(w.T, w.server, w.name)
		require.NoError(w, w.server.Publish(w.Context(), "", req.ReplyTo, counter, warren.PublishOptions{}))
		d := brokertest.Next(w.T, w.replies)
		require.NotEqual(w, req.ReplyTo, d.ReplyTo)
		require.NoError(w, w.requester.Publish(w.Context(), "", d.ReplyTo, warren.Message{Body: []byte("this one")}, warren.PublishOptions{Mandatory: true}))
		require.Equal(w, "this one", string(brokertest.Next(w.T, servers).Body))
		brokertest.Nothing(w.T, w.replies)
	})
}

// Prefetch and flow say nothing about replies.
func TestReplyToFlowAndQosDoNotHoldRepliesBack(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		require.NoError(w, w.requester.Qos(1, warren.QosOptions{}))
		require.NoError(w, w.requester.Qos(1, warren.QosOptions{Global: true}))
		require.NoError(w, w.requester.Flow(false))
		for range 3 {
			require.NoError(w, w.reply(address, "answer", warren.PublishOptions{Mandatory: true, Immediate: true}))
		}
		for range 3 {
			require.Equal(w, "answer", string(brokertest.Next(w.T, w.replies).Body))
		}
	})
}

// An expiration on a reply is checked like any other, and then means nothing:
// there is no queue in which it could run out.
func TestReplyToExpiration(t *testing.T) {
	eachReplyName(t, func(w *replyWorld) {
		address := w.address()
		for _, ms := range []string{"0", "1"} {
			msg := warren.Message{Expiration: ms, Body: []byte(ms)}
			require.NoError(w, w.server.Publish(w.Context(), "", address, msg, warren.PublishOptions{Mandatory: true}))
			time.Sleep(time.Second)
			w.gets(ms)
		}
		err := w.server.Publish(w.Context(), "", address, warren.Message{Expiration: "soon"}, warren.PublishOptions{})
		brokertest.Fails(w.T, err, 406, 60, 40, "PRECONDITION_FAILED - invalid expiration 'soon': no_integer")
		brokertest.Nothing(w.T, w.replies)
	})
}

// Replies go through when publishers must wait for memory or are refused:
// those who free memory can finish. Requests are publishes like others.
func TestReplyToRepliesPassWhenMemoryIsShort(t *testing.T) {
	withReplyWorld(t, &warren.Options{MemoryLimit: 1000, MemoryPolicy: warren.FailPublishers}, func(w *replyWorld) {
		address := w.address()
		_, err := w.server.QueueDeclare("backlog", warren.QueueOptions{})
		require.NoError(w, err)
		require.NoError(w, w.reply("backlog", strings.Repeat("x", 2000), warren.PublishOptions{}))
		err = w.requester.Publish(w.Context(), "", "work", warren.Message{ReplyTo: w.name}, warren.PublishOptions{})
		require.ErrorIs(w, err, warren.ErrMemoryLimit)
		require.NoError(w, w.reply(address, "answer", warren.PublishOptions{Mandatory: true}))
		w.gets("answer")
	})
}

// So do they while the broker drains: a shutdown lets replies out.
func TestReplyToRepliesPassDuringShutdown(t *testing.T) {
	withReplyWorld(t, nil, func(w *replyWorld) {
		address := w.address()
		_, err := w.b.Handle("rpc", func(context.Context, *warren.Request) (warren.Message, error) {
			time.Sleep(time.Minute) // the shutdown waits for it
			return warren.Message{Body: []byte("from the handler")}, nil
		})
		require.NoError(w, err)
		require.NoError(w, w.requester.Publish(w.Context(), "", "rpc", warren.Message{ReplyTo: w.name}, warren.PublishOptions{}))
		down := make(chan error, 1)
		go func() { down <- w.b.Shutdown(w.Context()) }()
		time.Sleep(time.Second)
		require.ErrorIs(w, w.reply("work", "", warren.PublishOptions{}), warren.ErrClosed)
		require.NoError(w, w.reply(address, "from a consumer", warren.PublishOptions{Mandatory: true}))
		w.gets("from a consumer")
		require.NoError(w, <-down)
		require.Equal(w, uint64(2), w.b.Stats().Replies, "the handler's, too")
		w.gets("from the handler") // it got out, though the broker is closed
	})
}
