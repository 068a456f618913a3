// Package talk_test speaks the protocol of streams by hand, as an AMQP client in any
// language does: the client is the caller, or the server, and the other side is a
// broker's HandleStream or CallStream. The protocol is in docs/protocol.md.
package talk_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
)

const replyTo = "amq.rabbitmq.reply-to"

// tried is a broker in a bubble, with a listener.
type tried struct {
	*testing.T
	*warren.Broker
	server *amqp.Server
	hands  []*hand
}

func run(t *testing.T, f func(t *tried)) {
	t.Helper()
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		server := amqp.NewServer(b, &amqp.Options{Heartbeat: -1})
		defer server.Close()
		tried := &tried{T: t, Broker: b, server: server}
		f(tried)
		for _, h := range tried.hands {
			h.conn.Close() // it may be closed
		}
		brokertest.Clean(t, b)
	})
}

// hand is a client's channel, by which one side of a talk is spoken.
type hand struct {
	t    *tried
	conn *amqp091.Connection
	*amqp091.Channel
	replies <-chan amqp091.Delivery
	returns chan amqp091.Return
	id      string // the correlation id of what it sends
	to      string // the other side's address
}

// hand connects a client, which can be talked to.
func (t *tried) hand() *hand {
	t.Helper()
	conn := brokertest.Dial(t, t.server.Dial, amqp091.Config{})
	h := &hand{t: t, conn: conn, Channel: brokertest.ClientChannel(t, conn), returns: make(chan amqp091.Return, 100), id: "7"}
	h.NotifyReturn(h.returns)
	var err error
	h.replies, err = h.Consume(replyTo, "", true, false, false, false, nil)
	require.NoError(t, err)
	t.hands = append(t.hands, h)
	return h
}

// tell sends a message to a key by the default exchange, with the hand's address.
func (h *hand) tell(key string, headers amqp091.Table, body string) {
	h.t.Helper()
	h.publish(key, amqp091.Publishing{Headers: headers, Body: []byte(body)})
	synctest.Wait()
}

func (h *hand) publish(key string, m amqp091.Publishing) {
	h.t.Helper()
	m.ReplyTo, m.CorrelationId = replyTo, h.id
	require.NoError(h.t, h.Publish("", key, true, false, m))
}

// say sends a message to the other side.
func (h *hand) say(headers amqp091.Table, body string) {
	h.t.Helper()
	h.tell(h.to, headers, body)
}

// item sends an item to the other side.
func (h *hand) item(n int32, body string) {
	h.t.Helper()
	h.say(amqp091.Table{"x-warren-item": n}, body)
}

// heard is what has come by now, in words, but for what is only credit of more
// than zero. The other side's address is noted.
func (h *hand) heard() []string {
	h.t.Helper()
	said, _ := h.heardWithCredit()
	return said
}

// heardWithCredit is heard, and how much credit has come.
func (h *hand) heardWithCredit() (said []string, credit int64) {
	h.t.Helper()
	said = []string{}
	for {
		synctest.Wait() // the client hands out one delivery at a time
		select {
		case d, ok := <-h.replies:
			require.True(h.t, ok, "the channel is open")
			require.Equal(h.t, h.id, d.CorrelationId, "correlation id of %v", d.Headers)
			if d.ReplyTo != "" {
				require.True(h.t, h.to == "" || h.to == d.ReplyTo, "the other side has one address")
				h.to = d.ReplyTo
			}
			n, more := number(h.t, d, "x-warren-credit")
			if credit += n; !more || n == 0 || len(d.Headers) > 1 {
				said = append(said, words(h.t, d))
			}
		default:
			return said, credit
		}
	}
}

// gone reports whether what was said last came back, because nobody was there.
func (h *hand) gone() bool {
	synctest.Wait()
	select {
	case r := <-h.returns:
		require.Equal(h.t, uint16(amqp091.NoRoute), r.ReplyCode)
		return true
	default:
		return false
	}
}

// number is a header that is an integer.
func number(t *tried, d amqp091.Delivery, name string) (n int64, ok bool) {
	t.Helper()
	switch v := d.Headers[name].(type) {
	case nil:
		return 0, false
	case int64:
		return v, true
	case int32:
		return int64(v), true
	default:
		require.FailNow(t, "no integer", "%s is a %T", name, v)
		return 0, false
	}
}

// words are a message as a text, such as "item 3: body".
func words(t *tried, d amqp091.Delivery) string {
	t.Helper()
	var said []string
	for _, name := range []string{"item", "credit", "end"} {
		if n, ok := number(t, d, "x-warren-"+name); ok && (name != "credit" || n == 0) {
			said = append(said, fmt.Sprint(name, " ", n))
		}
	}
	if d.Headers["x-warren-cancel"] != nil {
		require.Equal(t, true, d.Headers["x-warren-cancel"])
		said = append(said, "cancel")
	}
	if code := d.Headers["x-warren-error"]; code != nil {
		require.IsType(t, "", d.Headers["x-warren-error-text"])
		said = append(said, fmt.Sprint("error ", code))
	}
	for name := range d.Headers {
		require.Contains(t, []string{
			"x-warren-item", "x-warren-credit", "x-warren-end", "x-warren-cancel", "x-warren-error", "x-warren-error-text",
		}, name, "a header of the protocol")
	}
	text := strings.Join(said, ", ")
	if text == "" {
		text = "plain"
	}
	if len(d.Body) > 0 {
		text += ": " + string(d.Body)
	}
	return text
}

// soon is what comes from a channel by now.
func soon[V any](t *tried, c <-chan V) (v V) {
	t.Helper()
	synctest.Wait()
	select {
	case v = <-c:
	default:
		require.FailNow(t, "nothing came")
	}
	return v
}

// unsettled is how many messages the broker has that are not settled.
func (t *tried) unsettled() int {
	synctest.Wait()
	s := t.Stats()
	return s.Ready + s.Unacked
}

// messages are a stream of bodies.
func messages(bodies ...string) iter.Seq2[warren.Message, error] {
	return failing(nil, bodies...)
}

// failing are a stream of bodies, and an error if there is one.
func failing(err error, bodies ...string) iter.Seq2[warren.Message, error] {
	return func(yield func(warren.Message, error) bool) {
		for _, body := range bodies {
			if !yield(warren.Message{Body: []byte(body)}, nil) {
				return
			}
		}
		if err != nil {
			yield(warren.Message{}, err)
		}
	}
}

// counting is a handler that yields numbers from 1 on, until it is stopped. It tells
// how many it has yielded, and its context's error.
func counting(stopped chan<- error) warren.StreamFunc {
	return func(ctx context.Context, _ *warren.Request, _ iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
		return func(yield func(warren.Message, error) bool) {
			for n := 1; yield(warren.Message{Body: fmt.Append(nil, n)}, nil); n++ {
			}
			stopped <- ctx.Err()
		}
	}
}

func (t *tried) handleStream(queue string, f warren.StreamFunc, opts ...warren.HandleOptions) *warren.Handler {
	t.Helper()
	h, err := t.HandleStream(queue, f, opts...)
	require.NoError(t, err)
	return h
}

// a reader reads a stream in a goroutine, an item each time it is told to.
type reader struct {
	t     *tried
	more  chan int
	items chan string
	end   chan error // the stream's error, or nil
}

// read begins to read answers. It reads n of them, or all with a negative one.
func (t *tried) read(answers iter.Seq2[warren.Message, error], n int) *reader {
	r := &reader{t: t, more: make(chan int, 1), items: make(chan string, 10_000), end: make(chan error, 1)}
	go func() {
		left := n
		for m, err := range answers {
			if err != nil {
				r.end <- err
				return
			}
			r.items <- string(m.Body)
			if left--; left == 0 {
				if left = <-r.more; left == 0 {
					break
				}
			}
		}
		r.end <- nil
	}()
	synctest.Wait()
	return r
}

// next lets it read n more, or leave its loop if n is zero.
func (r *reader) next(n int) {
	r.more <- n
	synctest.Wait()
}

// got are the items that it has read since the last time.
func (r *reader) got() []string {
	synctest.Wait()
	got := []string{}
	for len(r.items) > 0 {
		got = append(got, <-r.items)
	}
	return got
}

// ended is how the stream ended, which it must have.
func (r *reader) ended() error {
	r.t.Helper()
	return soon(r.t, r.end)
}

func (r *reader) runs() bool {
	synctest.Wait()
	return len(r.end) == 0
}

// serverHand is a hand that serves a queue, and its requests.
func (t *tried) serverHand(queue string) (*hand, <-chan amqp091.Delivery) {
	t.Helper()
	h := t.hand()
	_, err := h.QueueDeclare(queue, false, true, false, false, nil)
	require.NoError(t, err)
	requests, err := h.Consume(queue, "", false, false, false, false, nil)
	require.NoError(t, err)
	return h, requests
}

// take takes a request, and notes the caller's address.
func (h *hand) take(requests <-chan amqp091.Delivery) amqp091.Delivery {
	h.t.Helper()
	d := soon(h.t, requests)
	h.to, h.id = d.ReplyTo, d.CorrelationId
	require.NotEmpty(h.t, h.to)
	require.NotEmpty(h.t, h.id)
	return d
}
