package warren_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// wireClient is an AMQP client that speaks the protocol of streams of items by hand.
type wireClient struct {
	testing.TB
	conn *amqp091.Connection
	ch   *amqp091.Channel
	came <-chan amqp091.Delivery // at its reply address
	back <-chan amqp091.Return
}

func newWireClient(t testing.TB, dial brokertest.Dialer) *wireClient {
	c := &wireClient{TB: t, conn: brokertest.Dial(t, dial, amqp091.Config{})}
	c.ch = brokertest.ClientChannel(t, c.conn)
	var err error
	c.came, err = c.ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
	require.NoError(t, err)
	c.back = c.ch.NotifyReturn(make(chan amqp091.Return, 100))
	return c
}

// send publishes a message with the client's reply address.
func (c *wireClient) send(to, correlation, body string, headers amqp091.Table) {
	c.Helper()
	require.NoError(c, c.ch.PublishWithContext(c.Context(), "", to, true, false, amqp091.Publishing{
		Headers: headers, CorrelationId: correlation, ReplyTo: "amq.rabbitmq.reply-to", Body: []byte(body),
	}))
}

// gets returns the next message, which must come.
func (c *wireClient) gets(headers amqp091.Table, body string) amqp091.Delivery {
	c.Helper()
	synctest.Wait()
	select {
	case d, ok := <-c.came:
		require.True(c, ok, "the channel is closed")
		require.Equal(c, headers, d.Headers)
		require.Equal(c, body, string(d.Body))
		return d
	default:
		require.FailNow(c, "no message", "want %v", headers)
		return amqp091.Delivery{}
	}
}

// getsNothing requires that no message is there.
func (c *wireClient) getsNothing() {
	c.Helper()
	synctest.Wait()
	select {
	case d := <-c.came:
		require.FailNow(c, "a message came", "%v %q", d.Headers, d.Body)
	default:
	}
}

// isReturned requires that one of the client's messages has come back.
func (c *wireClient) isReturned() {
	c.Helper()
	synctest.Wait()
	select {
	case r := <-c.back:
		require.EqualValues(c, 312, r.ReplyCode)
	default:
		require.FailNow(c, "no message came back")
	}
}

// serves declares a queue and consumes from it.
func (c *wireClient) serves(queue string) <-chan amqp091.Delivery {
	c.Helper()
	_, err := c.ch.QueueDeclare(queue, false, false, false, false, nil)
	require.NoError(c, err)
	requests, err := c.ch.Consume(queue, "", false, false, false, false, nil)
	require.NoError(c, err)
	return requests
}

// withWire runs f in a bubble with a broker and a server for clients.
func withWire(t *testing.T, o *warren.Options, f func(t *testing.T, b *warren.Broker, dial brokertest.Dialer)) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, o, nil)
		f(t, b, srv.Dial)
	})
}

// collected is what a loop over a stream of items got.
type collected struct {
	bodies []string
	err    error
}

func collect(seq iter.Seq2[warren.Message, error]) (c collected) {
	for m, err := range seq {
		if err != nil {
			c.err = err
		} else {
			c.bodies = append(c.bodies, string(m.Body))
		}
	}
	return c
}

// collecting collects in a goroutine.
func collecting(seq iter.Seq2[warren.Message, error]) <-chan collected {
	done := make(chan collected, 1)
	go func() { done <- collect(seq) }()
	return done
}

func TestAnAMQPClientReadsAStreamByCredit(t *testing.T) {
	withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
		_, err := b.HandleStream("count", numbers(5))
		require.NoError(t, err)
		c := newWireClient(t, dial)
		c.send("count", "c-1", "", amqp091.Table{"x-warren-stream": int32(2)})
		first := c.gets(amqp091.Table{"x-warren-credit": int64(0)}, "")
		require.Equal(t, "c-1", first.CorrelationId)
		require.Contains(t, first.ReplyTo, "reply-to.")
		for i := range 2 {
			d := c.gets(amqp091.Table{"x-warren-item": int64(i + 1)}, fmt.Sprint(i))
			require.Equal(t, "c-1", d.CorrelationId)
			require.Equal(t, first.ReplyTo, d.ReplyTo)
		}
		c.getsNothing()
		c.send(first.ReplyTo, "c-1", "", amqp091.Table{"x-warren-credit": int16(1)})
		c.gets(amqp091.Table{"x-warren-item": int64(3)}, "2")
		c.getsNothing()
		c.send(first.ReplyTo, "c-1", "", amqp091.Table{"x-warren-credit": int64(100)})
		c.gets(amqp091.Table{"x-warren-item": int64(4)}, "3")
		c.gets(amqp091.Table{"x-warren-item": int64(5)}, "4")
		end := c.gets(amqp091.Table{"x-warren-end": int64(5)}, "")
		require.Equal(t, "c-1", end.CorrelationId)
		c.send(first.ReplyTo, "c-1", "", amqp091.Table{"x-warren-credit": int64(100)})
		c.isReturned()
		require.NoError(t, c.conn.Close())
		brokertest.Clean(t, b)
	})
}

func TestAnAMQPClientCancelsAStream(t *testing.T) {
	withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
		for n := range 5 { // items that it wants
			ended := make(chan error, 1)
			h, err := b.HandleStream("q", func(ctx context.Context, _ *warren.Request, _ iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
				return func(yield func(warren.Message, error) bool) {
					for yield(warren.Message{}, nil) {
					}
					ended <- ctx.Err()
				}
			})
			require.NoError(t, err)
			c := newWireClient(t, dial)
			c.send("q", "c", "", amqp091.Table{"x-warren-stream": int32(n)})
			first := c.gets(amqp091.Table{"x-warren-credit": int64(0)}, "")
			for i := range n {
				c.gets(amqp091.Table{"x-warren-item": int64(i + 1)}, "")
			}
			c.getsNothing()
			require.Empty(t, ended)
			c.send(first.ReplyTo, "c", "", amqp091.Table{"x-warren-cancel": true})
			c.gets(amqp091.Table{"x-warren-end": int64(n)}, "")
			require.ErrorIs(t, <-ended, context.Canceled)
			v, err := b.VirtualHost("/")
			require.NoError(t, err)
			require.Zero(t, v.Handlers()[0].Failed)
			require.NoError(t, c.conn.Close())
			brokertest.Clean(t, b)
			require.NoError(t, h.Close())
		}
	})
}

// However the client leaves, the handler stops and its request is settled.
func TestAnAMQPClientLeavesInTheMiddleOfAStream(t *testing.T) {
	for how, leave := range map[string]func(c *wireClient){
		"connection": func(c *wireClient) { c.conn.Close() },
		"channel":    func(c *wireClient) { c.ch.Close() },
	} {
		t.Run(how, func(t *testing.T) {
			withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
				for n := range 4 {
					ended := make(chan error, 1)
					h, err := b.HandleStream("q", func(ctx context.Context, _ *warren.Request, _ iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
						return func(yield func(warren.Message, error) bool) {
							for yield(warren.Message{}, nil) {
							}
							ended <- ctx.Err()
						}
					})
					require.NoError(t, err)
					c := newWireClient(t, dial)
					c.send("q", "c", "", amqp091.Table{"x-warren-stream": int32(n)})
					synctest.Wait()
					leave(c)
					require.ErrorIs(t, <-ended, context.Canceled)
					c.conn.Close()
					brokertest.Clean(t, b)
					require.NoError(t, h.Close())
				}
			})
		})
	}
}

func TestFailuresOfAStreamReachAnAMQPClient(t *testing.T) {
	withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
		for name, fail := range map[string]func(yield func(warren.Message, error) bool){
			"own": func(yield func(warren.Message, error) bool) {
				yield(warren.Message{}, &warren.RemoteError{Code: "own", Text: "words"})
			},
			"panic": func(func(warren.Message, error) bool) { panic("a mess") },
			"error": func(yield func(warren.Message, error) bool) { yield(warren.Message{}, errors.New("secret")) },
		} {
			_, err := b.HandleStream(name, func(context.Context, *warren.Request, iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
				return func(yield func(warren.Message, error) bool) {
					yield(warren.Message{Body: []byte("0")}, nil)
					fail(yield)
				}
			})
			require.NoError(t, err)
		}
		_, err := b.HandleStream("count", numbers(1))
		require.NoError(t, err)
		c := newWireClient(t, dial)
		for name, want := range map[string]amqp091.Table{
			"own":   {"x-warren-error": "own", "x-warren-error-text": "words", "x-warren-end": int64(1)},
			"panic": {"x-warren-error": "panic", "x-warren-error-text": "the handler panicked"},
			"error": {"x-warren-error": "error", "x-warren-error-text": "the handler returned an error", "x-warren-end": int64(1)},
		} {
			c.send(name, "c", "", amqp091.Table{"x-warren-stream": int32(10)})
			c.gets(amqp091.Table{"x-warren-credit": int64(0)}, "")
			c.gets(amqp091.Table{"x-warren-item": int64(1)}, "0")
			c.gets(want, "")
		}
		c.send("count", "c", "", nil)
		c.gets(amqp091.Table{
			"x-warren-error": "stream", "x-warren-error-text": "the queue is answered by a stream of items: the request has no header x-warren-stream with a number of items",
		}, "")
		require.NoError(t, c.conn.Close())
		brokertest.Clean(t, b)
	})
}

// A client gets the items of a request once, whatever an interceptor does.
func TestAnInterceptorMayNotRepeatAStreamOfAnAMQPClient(t *testing.T) {
	twice := handleWith(func(next warren.HandlerFunc) warren.HandlerFunc {
		return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			_, err := next(ctx, req)
			require.NoError(t, err)
			return next(ctx, req)
		}
	})
	withWire(t, twice, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
		_, err := b.HandleStream("count", numbers(1))
		require.NoError(t, err)
		c := newWireClient(t, dial)
		c.send("count", "c", "", amqp091.Table{"x-warren-stream": int32(10)})
		c.gets(amqp091.Table{"x-warren-credit": int64(0)}, "")
		c.gets(amqp091.Table{"x-warren-item": int64(1)}, "0")
		c.gets(amqp091.Table{
			"x-warren-error": "stream", "x-warren-error-text": "an interceptor has called the handler of a stream of items more than once for a request",
		}, "")
		c.getsNothing()
		require.NoError(t, c.conn.Close())
		brokertest.Clean(t, b)
	})
}

func TestAnAMQPServerAnswersWithAStream(t *testing.T) {
	withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
		c := newWireClient(t, dial)
		requests := c.serves("q")
		got := collecting(b.CallStream(t.Context(), "q", warren.Message{Body: []byte("go")}, nil, warren.CallOptions{Window: 4}))
		r := <-requests
		require.Equal(t, amqp091.Table{"x-warren-stream": int64(4)}, r.Headers)
		require.Equal(t, "go", string(r.Body))
		c.send(r.ReplyTo, r.CorrelationId, "", amqp091.Table{"x-warren-credit": int32(0)})
		for i := range 10 {
			c.send(r.ReplyTo, r.CorrelationId, fmt.Sprint(i), amqp091.Table{"x-warren-item": int32(i + 1)})
			if i%2 == 1 {
				d := c.gets(amqp091.Table{"x-warren-credit": int64(2)}, "")
				require.Equal(t, r.CorrelationId, d.CorrelationId)
				require.Equal(t, r.ReplyTo, d.ReplyTo)
			}
		}
		c.send(r.ReplyTo, r.CorrelationId, "", amqp091.Table{"x-warren-end": int32(10)})
		require.NoError(t, r.Ack(false))
		require.Equal(t, collected{bodies: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}}, <-got)
		c.getsNothing()
		require.NoError(t, c.conn.Close())
		brokertest.Clean(t, b)
	})
}

// What a server over AMQP may do wrong, or not do to the end.
func TestAnAMQPServerEndsItsStreamOtherwise(t *testing.T) {
	item := func(n int) amqp091.Table { return amqp091.Table{"x-warren-item": int64(n)} }
	end := func(n int) amqp091.Table { return amqp091.Table{"x-warren-end": int64(n)} }
	for _, test := range []struct {
		name     string
		messages []amqp091.Table
		items    int
		is       error
		text     string
	}{
		{"nothing", []amqp091.Table{end(0)}, 0, nil, ""},
		{"plain reply", []amqp091.Table{nil}, 1, nil, ""},
		{"plain reply with headers", []amqp091.Table{{"own": "header"}}, 1, nil, ""},
		{"error of a call", []amqp091.Table{{"x-warren-error": "own"}}, 0, &warren.RemoteError{Code: "own"}, "own"},
		{"error in the middle", []amqp091.Table{item(1), item(2), {"x-warren-error": "own", "x-warren-end": int32(2)}}, 2, &warren.RemoteError{Code: "own"}, "own"},
		{"items of narrow numbers", []amqp091.Table{{"x-warren-item": int8(1)}, {"x-warren-item": byte(2)}, {"x-warren-end": int16(2)}}, 2, nil, ""},
		{"twice the same", []amqp091.Table{item(1), item(1)}, 1, warren.ErrBrokenStream, "item 1 came after item 1"},
		{"gap", []amqp091.Table{item(1), item(3)}, 1, warren.ErrBrokenStream, "item 3 came after item 1"},
		{"back", []amqp091.Table{item(1), item(2), item(1)}, 2, warren.ErrBrokenStream, "item 1 came after item 2"},
		{"zero", []amqp091.Table{item(0)}, 0, warren.ErrBrokenStream, "item 0 came after item 0"},
		{"negative", []amqp091.Table{item(-1)}, 0, warren.ErrBrokenStream, "x-warren-item is -1, which is no number of items"},
		{"too few", []amqp091.Table{item(1), end(2)}, 1, warren.ErrBrokenStream, "1 items came of 2"},
		{"too many", []amqp091.Table{item(1), item(2), end(1)}, 2, warren.ErrBrokenStream, "2 items came of 1"},
		{"plain in the middle", []amqp091.Table{item(1), item(2), nil}, 2, warren.ErrBrokenStream, "a plain reply came after item 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
				c := newWireClient(t, dial)
				requests := c.serves("q")
				got := collecting(b.CallStream(t.Context(), "q", warren.Message{}, nil))
				r := <-requests
				for _, headers := range test.messages {
					c.send(r.ReplyTo, r.CorrelationId, "x", headers)
				}
				all := <-got
				require.Len(t, all.bodies, test.items)
				if test.is == nil {
					require.NoError(t, all.err)
				} else {
					require.ErrorIs(t, all.err, test.is)
					require.ErrorContains(t, all.err, test.text)
				}
				if errors.Is(all.err, warren.ErrBrokenStream) && test.items < 2 && test.text[0] == 'i' {
					c.gets(amqp091.Table{"x-warren-cancel": true}, "")
				}
				c.send(r.ReplyTo, r.CorrelationId, "late", item(1))
				c.isReturned()
				require.NoError(t, r.Ack(false))
				require.NoError(t, c.conn.Close())
				brokertest.Clean(t, b)
			})
		})
	}
}

func TestAnAMQPServerExceedsTheCredit(t *testing.T) {
	withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
		c := newWireClient(t, dial)
		requests := c.serves("q")
		reading := make(chan struct{})
		got := make(chan collected, 1)
		go func() {
			var all collected
			for m, err := range b.CallStream(t.Context(), "q", warren.Message{}, nil, warren.CallOptions{Window: 2}) {
				<-reading
				all.bodies, all.err = append(all.bodies, string(m.Body)), err
			}
			got <- all
		}()
		r := <-requests
		for i := range 5 {
			c.send(r.ReplyTo, r.CorrelationId, fmt.Sprint(i), amqp091.Table{"x-warren-item": int32(i + 1)})
			synctest.Wait() // the loop has the first
		}
		close(reading)
		all := <-got
		require.Equal(t, []string{"0", "1", "2", ""}, all.bodies, "one was read, which gave credit for one more")
		require.ErrorIs(t, all.err, warren.ErrBrokenStream)
		require.ErrorContains(t, all.err, "item 4 came, but there was credit for 3")
		c.isReturned()
		c.gets(amqp091.Table{"x-warren-credit": int64(1)}, "")
		require.NoError(t, r.Ack(false))
		c.ch.Close()
		c.conn.Close()
		brokertest.Clean(t, b)
	})
}

// A request that comes back from a server that died goes to another one, but its items
// are not taken for those of the first.
func TestAnAMQPServerDiesInTheMiddleOfAStream(t *testing.T) {
	for sent := range 4 {
		withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
			c, second := newWireClient(t, dial), newWireClient(t, dial)
			requests := c.serves("q")
			got := collecting(b.CallStream(t.Context(), "q", warren.Message{}, nil))
			r := <-requests
			again := second.serves("q")
			c.send(r.ReplyTo, r.CorrelationId, "", amqp091.Table{"x-warren-credit": int32(0)})
			for i := range sent {
				c.send(r.ReplyTo, r.CorrelationId, "x", amqp091.Table{"x-warren-item": int32(i + 1)})
			}
			synctest.Wait()
			require.NoError(t, c.conn.Close())
			all := <-got
			require.ErrorIs(t, all.err, warren.ErrServerLost)
			require.Len(t, all.bodies, sent)
			r = <-again
			require.True(t, r.Redelivered)
			second.send(r.ReplyTo, r.CorrelationId, "x", amqp091.Table{"x-warren-item": int32(1)})
			second.isReturned()
			require.NoError(t, r.Ack(false))
			second.conn.Close()
			brokertest.Clean(t, b)
		})
	}
}

// A server may not speak for another one that was first.
func TestASecondServerOfAStreamIsRefused(t *testing.T) {
	withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
		c, second := newWireClient(t, dial), newWireClient(t, dial)
		requests := c.serves("q")
		got := collecting(b.CallStream(t.Context(), "q", warren.Message{}, nil))
		r := <-requests
		c.send(r.ReplyTo, r.CorrelationId, "a", amqp091.Table{"x-warren-item": int32(1)})
		synctest.Wait()
		second.send(r.ReplyTo, r.CorrelationId, "b", amqp091.Table{"x-warren-item": int32(2)})
		second.isReturned()
		second.send(r.ReplyTo, r.CorrelationId, "", amqp091.Table{"x-warren-error": "own"})
		second.isReturned()
		c.send(r.ReplyTo, r.CorrelationId, "", amqp091.Table{"x-warren-end": int32(1)})
		require.Equal(t, collected{bodies: []string{"a"}}, <-got)
		c.conn.Close()
		second.conn.Close()
	})
}

// The caller leaves its loop before or after any item, and the server is told.
func TestACallerLeavesTheStreamOfAnAMQPServer(t *testing.T) {
	for wanted := range 6 {
		withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
			c := newWireClient(t, dial)
			requests := c.serves("q")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan int, 1)
			go func() {
				n := 0
				for _, err := range b.CallStream(ctx, "q", warren.Message{}, nil) {
					if err != nil {
						break
					}
					if n++; n == wanted {
						break
					}
				}
				done <- n
			}()
			r := <-requests
			c.send(r.ReplyTo, r.CorrelationId, "", amqp091.Table{"x-warren-credit": int32(0)})
			for i := range wanted {
				c.send(r.ReplyTo, r.CorrelationId, "x", amqp091.Table{"x-warren-item": int32(i + 1)})
			}
			synctest.Wait()
			if wanted == 0 {
				cancel()
			}
			require.Equal(t, wanted, <-done)
			c.gets(amqp091.Table{"x-warren-cancel": true}, "")
			c.send(r.ReplyTo, r.CorrelationId, "", amqp091.Table{"x-warren-end": int32(wanted)})
			c.isReturned()
			require.NoError(t, r.Ack(false))
			c.conn.Close()
			brokertest.Clean(t, b)
		})
	}
}

func TestAStreamFromTheNetworkCountsAgainstMemory(t *testing.T) {
	withWire(t, &warren.Options{MemoryLimit: 1 << 20}, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
		c := newWireClient(t, dial)
		requests := c.serves("q")
		reading := make(chan struct{})
		got := make(chan error, 1)
		go func() {
			for _, err := range b.CallStream(t.Context(), "q", warren.Message{}, nil, warren.CallOptions{Window: 1000}) {
				<-reading
				if err != nil {
					got <- err
				}
			}
		}()
		r := <-requests
		for i := range 20 {
			c.send(r.ReplyTo, r.CorrelationId, string(make([]byte, 100<<10)), amqp091.Table{"x-warren-item": int32(i + 1)})
		}
		time.Sleep(time.Second)
		require.Less(t, b.Stats().Memory, int64(1<<20+1<<18))
		close(reading)
		require.ErrorIs(t, <-got, warren.ErrMemoryLimit)
		require.NoError(t, r.Ack(false))
		c.conn.Close()
		brokertest.Clean(t, b)
	})
}
