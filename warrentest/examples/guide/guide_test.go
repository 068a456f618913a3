// Package guide has a test for each thing that docs/testing.md says of the test kit.
package guide_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/warrentest"
)

// connect connects for the time of the test. The channel has confirms.
func connect(t *testing.T, b *warrentest.Broker) (*amqp091.Connection, *amqp091.Channel) {
	t.Helper()
	conn, err := amqp091.DialConfig("amqp://", amqp091.Config{Dial: b.Dial})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	require.NoError(t, err)
	require.NoError(t, ch.Confirm(false))
	return conn, ch
}

// publish publishes a message and waits for its confirm.
func publish(t *testing.T, ch *amqp091.Channel, exchange, key, body string) bool {
	t.Helper()
	confirm, err := ch.PublishWithDeferredConfirm(exchange, key, false, false, amqp091.Publishing{Body: []byte(body)})
	require.NoError(t, err)
	return confirm.Wait()
}

// topology is an exchange with a queue.
func topology(t *testing.T, ch *amqp091.Channel) {
	t.Helper()
	require.NoError(t, ch.ExchangeDeclare("orders", "topic", true, false, false, false, nil))
	_, err := ch.QueueDeclare("billing", true, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.QueueBind("billing", "order.*", "orders", false, nil))
}

// A broker from a URL, for code that dials by itself.
func TestURL(t *testing.T) {
	b := warrentest.New(t)
	conn, err := amqp091.Dial(b.URL())
	require.NoError(t, err)
	defer conn.Close()
	b.WaitConnections(1)
}

// Looking takes nothing away.
func TestLooking(t *testing.T) {
	b := warrentest.New(t)
	_, ch := connect(t, b)
	topology(t, ch)
	publish(t, ch, "orders", "order.paid", "a book")
	publish(t, ch, "orders", "invoice.paid", "a pen")

	b.RequireMessages("billing", "a book")                            // the ready ones, the next one first
	require.Equal(t, "a book", string(b.Messages("billing")[0].Body)) // with all properties
	b.RequireRouted("orders", "order.new", nil, "billing")            // where a message would go
	b.RequireTopology(`
		exchange orders topic durable
		queue billing durable
		binding orders -> queue billing key order.*`)

	sent := b.Published(warrentest.Match{Exchange: "orders"})
	require.Equal(t, []string{"billing"}, sent[0].Routed)
	require.Empty(t, sent[1].Routed) // nobody has got it, and no queue shows that
	require.Contains(t, b.Transcript(warrentest.Match{Method: "basic.publish"}), "key order.paid")
	b.RequireMessages("billing", "a book") // still
}

// Waiting for a state.
func TestWaiting(t *testing.T) {
	b := warrentest.New(t)
	_, ch := connect(t, b)
	topology(t, ch)
	deliveries, err := ch.Consume("billing", "", false, false, false, false, nil)
	require.NoError(t, err)
	release := make(chan struct{})
	go func() {
		for d := range deliveries {
			<-release
			d.Ack(false)
		}
	}()
	publish(t, ch, "orders", "order.paid", "a book")

	b.WaitConnections(1)
	b.WaitConsumers("billing", 1)
	b.WaitReady("billing", 0)
	b.WaitUnacked("billing", 1, time.Second) // the usual bound is five seconds
	close(release)
	b.WaitIdle() // nobody has anything to do
	b.WaitFor("the order to be billed", func() bool { return len(b.Messages("billing")) == 0 })
}

// Hours in a bubble.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warrentest.New(t)
		_, ch := connect(t, b)
		_, err := ch.QueueDeclare("offers", true, false, false, false, amqp091.Table{"x-message-ttl": 3_600_000})
		require.NoError(t, err)
		publish(t, ch, "", "offers", "a book")

		time.Sleep(59 * time.Minute) // with heartbeats, and in no time
		b.RequireMessages("offers", "a book")
		time.Sleep(2 * time.Minute)
		b.RequireMessages("offers")
	})
}

// A broker that refuses what RabbitMQ refuses.
func TestLikeRabbitMQ(t *testing.T) {
	for like, code := range map[warren.Like]int{warren.LikeWarren: 0, warren.LikeRabbitMQ: amqp091.NotImplemented} {
		b := warrentest.New(t, warrentest.Options{Broker: &warren.Options{Like: like}})
		conn, ch := connect(t, b)
		closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
		require.NoError(t, ch.Publish("", "nowhere", false, true, amqp091.Publishing{})) // immediate
		if code == 0 {
			require.NoError(t, ch.Close())
			continue
		}
		require.Equal(t, code, (<-closed).Code)
	}
}

// A server that answers by a list.
func TestScriptedServer(t *testing.T) {
	b := warrentest.New(t)
	prices := b.Answer("prices",
		warrentest.Fail("busy", "try again"), // the first request
		warrentest.Reply("42").For("a book"), // each request for a book
		warrentest.Reply("0"),                // all others
	)
	_, ch := connect(t, b)
	require.Equal(t, "", call(t, ch, "a book"))
	require.Equal(t, "42", call(t, ch, "a book"))
	require.Equal(t, "0", call(t, ch, "a pen"))
	require.Len(t, prices.Requests(), 3)
	b.RequireAnsweredOnce()
}

// call asks for a price by direct reply-to. An error has no body.
func call(t *testing.T, ch *amqp091.Channel, article string) string {
	t.Helper()
	const replyTo = "amq.rabbitmq.reply-to"
	replies, err := ch.Consume(replyTo, article, true, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.Publish("", "prices", true, false, amqp091.Publishing{ReplyTo: replyTo, CorrelationId: "1", Body: []byte(article)}))
	reply := <-replies
	require.NoError(t, ch.Cancel(article, false))
	return string(reply.Body)
}

// A requester that asks the server under test.
func TestScriptedRequester(t *testing.T) {
	b := warrentest.New(t)
	_, ch := connect(t, b)
	_, err := ch.QueueDeclare("double", false, false, false, false, nil)
	require.NoError(t, err)
	requests, err := ch.Consume("double", "", true, false, false, false, nil)
	require.NoError(t, err)
	go func() { // the server
		for d := range requests {
			ch.Publish("", d.ReplyTo, false, false, amqp091.Publishing{CorrelationId: d.CorrelationId, Body: append(d.Body, d.Body...)})
		}
	}()

	b.Ask("double", "ab").RequireReply("abab")
}

// Tests that run at once do not see each other.
func TestParallel(t *testing.T) {
	for i := range 10 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			b := warrentest.New(t)
			_, ch := connect(t, b)
			topology(t, ch)
			publish(t, ch, "orders", "order.paid", strconv.Itoa(i))
			b.RequireMessages("billing", strconv.Itoa(i))
		})
	}
}

// What is left fails the test that has left it.
func TestNothingLeft(t *testing.T) {
	tb := &recorder{TB: t}
	b := warrentest.New(tb, warrentest.Options{NothingLeft: true})
	_, ch := connect(t, b)
	topology(t, ch)
	publish(t, ch, "orders", "order.paid", "a book")
	_, ok, err := ch.Get("billing", false)
	require.NoError(t, err)
	require.True(t, ok)

	tb.end() // the test ends
	require.Contains(t, strings.Join(tb.errors, "\n"), "1 delivery that nobody has settled in queue 'billing'")
}

// recorder is a test that fails.
type recorder struct {
	testing.TB
	cleanups []func()
	errors   []string
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (r *recorder) end() {
	for len(r.cleanups) > 0 {
		last := r.cleanups[len(r.cleanups)-1]
		r.cleanups = r.cleanups[:len(r.cleanups)-1]
		last()
	}
}

// Faults are set before they happen, count, and can be undone.
func TestFaults(t *testing.T) {
	b := warrentest.New(t)
	_, ch := connect(t, b)
	topology(t, ch)

	refused := b.Before(warrentest.Match{Method: "basic.publish", Exchange: "orders", Skip: 1, Times: 2}, warrentest.Nack())
	require.True(t, publish(t, ch, "orders", "order.paid", "1"))
	require.False(t, publish(t, ch, "orders", "order.paid", "2"))
	require.False(t, publish(t, ch, "orders", "order.paid", "3"))
	require.True(t, publish(t, ch, "orders", "order.paid", "4"))
	refused.Wait(2)
	b.RequireMessages("billing", "1", "4")

	all := b.Before(warrentest.Match{Method: "basic.publish", Times: warrentest.Forever}, warrentest.Nack())
	require.False(t, publish(t, ch, "orders", "order.paid", "5"))
	all.Undo()
	require.True(t, publish(t, ch, "orders", "order.paid", "6"))
	require.Equal(t, 1, all.Count())

	b.Before(warrentest.Match{Method: "basic.publish"}, warrentest.Delay(time.Millisecond), warrentest.Nack()) // one after the other
	require.False(t, publish(t, ch, "orders", "order.paid", "7"))
}
