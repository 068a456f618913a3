package warren_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// endlessStream yields until it is told to stop. Then it tells of its context.
type endlessStream struct {
	yielded atomic.Int64
	ended   chan error
}

func newEndlessStream() *endlessStream { return &endlessStream{ended: make(chan error, 100)} }

func (e *endlessStream) serve(ctx context.Context, _ *warren.Request, _ iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
	return func(yield func(warren.Message, error) bool) {
		for yield(warren.Message{Body: []byte("item")}, nil) {
			e.yielded.Add(1)
		}
		e.ended <- ctx.Err()
	}
}

func rootHandlers(t testing.TB, b *warren.Broker) []warren.HandlerInfo {
	v, err := b.VirtualHost("/")
	require.NoError(t, err)
	return v.Handlers()
}

// stream makes a sequence of messages, as a stream function that does not look at its
// request.
func stream(seq iter.Seq2[warren.Message, error]) warren.StreamFunc {
	return func(context.Context, *warren.Request, iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
		return seq
	}
}

func TestAHandlerIsAtMostTheWindowAheadOfTheLoop(t *testing.T) {
	for _, test := range []struct{ window, ahead int }{{0, 256}, {-1, 256}, {1, 1}, {10, 10}, {1 << 20, 1 << 16}} {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			e := newEndlessStream()
			_, err := b.HandleStream("q", e.serve)
			require.NoError(t, err)
			n := 0
			for _, err := range b.CallStream(t.Context(), "q", warren.Message{}, nil, warren.CallOptions{Window: test.window}) {
				require.NoError(t, err)
				n++
				time.Sleep(time.Hour) // nothing gives up
				synctest.Wait()
				require.LessOrEqual(t, int(e.yielded.Load()), n+test.ahead)
				require.GreaterOrEqual(t, int(e.yielded.Load()), n+(test.ahead-1)/2)
				if n == 20 {
					break
				}
			}
			require.ErrorIs(t, <-e.ended, context.Canceled)
			require.Zero(t, rootHandlers(t, b)[0].Failed)
			brokertest.Clean(t, b)
		})
	}
}

// Whichever item is the last that the caller wants, and however it says so, the handler
// ends.
func TestACallerLeavesTheStreamAfterAnyItem(t *testing.T) {
	for wanted := range 12 {
		for how, leave := range map[string]func(cancel func()) bool{
			"break":             func(func()) bool { return true },
			"cancel":            func(cancel func()) bool { cancel(); return false },
			"cancel and settle": func(cancel func()) bool { cancel(); synctest.Wait(); return false },
		} {
			for _, window := range []int{1, 4, 256} {
				brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
					e := newEndlessStream()
					_, err := b.HandleStream("q", e.serve)
					require.NoError(t, err)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					n := 0
					var last error
					for _, err := range b.CallStream(ctx, "q", warren.Message{}, nil, warren.CallOptions{Window: window}) {
						if last = err; err != nil {
							continue // which is the last
						}
						if n++; n > wanted && leave(cancel) {
							break
						}
					}
					require.Equal(t, wanted+1, n, "no item comes after the end of the context")
					if how != "break" {
						require.ErrorIs(t, last, context.Canceled)
					}
					require.ErrorIs(t, <-e.ended, context.Canceled)
					brokertest.Clean(t, b)
				})
			}
		}
	}
}

func TestAStreamWhoseDeadlineIsOver(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		e := newEndlessStream()
		_, err := b.HandleStream("q", e.serve)
		require.NoError(t, err)
		got := collect(b.CallStream(over, "q", warren.Message{}, nil))
		require.Equal(t, collected{err: context.DeadlineExceeded}, got)
		require.Zero(t, e.yielded.Load())

		t.Log("Before the first item:")
		_, err = b.HandleStream("slow", func(ctx context.Context, _ *warren.Request, _ iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
			<-ctx.Done()
			return bodies(3)
		})
		require.NoError(t, err)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Equal(t, collected{err: context.DeadlineExceeded}, collect(b.CallStream(short, "slow", warren.Message{}, nil)))

		t.Log("In the queue, without a handler:")
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "idle")
		short, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Equal(t, collected{err: context.DeadlineExceeded}, collect(b.CallStream(short, "idle", warren.Message{}, bodies(-1))))
		brokertest.Clean(t, b)
	})
}

func TestTheBrokerEndsInTheMiddleOfAStream(t *testing.T) {
	for _, items := range []int{0, 1, 10} {
		for _, both := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				b := warren.New(nil)
				ended := make(chan error, 1)
				_, err := b.HandleStream("q", func(ctx context.Context, _ *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
					return func(yield func(warren.Message, error) bool) {
						for range items {
							yield(warren.Message{}, nil)
						}
						for range in {
						}
						<-ctx.Done()
						ended <- ctx.Err()
					}
				})
				require.NoError(t, err)
				var in iter.Seq2[warren.Message, error]
				if both {
					in = func(yield func(warren.Message, error) bool) {
						for yield(warren.Message{}, nil) {
							time.Sleep(time.Microsecond)
						}
					}
				}
				got := collecting(b.CallStream(t.Context(), "q", warren.Message{}, in))
				time.Sleep(time.Millisecond)
				require.NoError(t, b.Close())
				all := <-got
				require.ErrorIs(t, all.err, warren.ErrClosed)
				require.ErrorIs(t, <-ended, context.Canceled)
				require.Len(t, all.bodies, items)
				require.ErrorIs(t, collect(b.CallStream(t.Context(), "q", warren.Message{}, nil)).err, warren.ErrClosed)
			})
		}
	}
}

func TestAStreamThatCannotBegin(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		require.ErrorIs(t, collect(b.CallStream(t.Context(), "nowhere", warren.Message{}, bodies(-1))).err, warren.ErrNoRoute)
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "idle")
		now := warren.CallOptions{RequireConsumer: true}
		require.ErrorIs(t, collect(b.CallStream(t.Context(), "idle", warren.Message{}, nil, now)).err, warren.ErrNoConsumers)
		got := collecting(b.CallStream(t.Context(), "idle", warren.Message{}, nil))
		synctest.Wait()
		_, err := ch.QueueDelete("idle", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.Equal(t, collected{err: warren.ErrRequestDropped}, <-got)
		_, err = b.HandleStream("q", nil)
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		brokertest.Clean(t, b)
	})
}

func TestPlainCallsAndStreamsMeet(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "plain", brokertest.Echo)
		_, err := b.HandleStream("stream", numbers(2))
		require.NoError(t, err)
		got := collect(b.CallStream(t.Context(), "plain", warren.Message{Body: []byte("one")}, bodies(-1)))
		require.Equal(t, collected{bodies: []string{"one"}}, got)
		_, err = b.Call(t.Context(), "stream", warren.Message{})
		require.ErrorIs(t, err, &warren.RemoteError{Code: warren.CodeStream})
		require.ErrorContains(t, err, "x-warren-stream")

		t.Log("Each loop is a call of its own.")
		twice := b.CallStream(t.Context(), "stream", warren.Message{}, nil)
		require.Equal(t, collected{bodies: []string{"0", "1"}}, collect(twice))
		require.Equal(t, collected{bodies: []string{"0", "1"}}, collect(twice))
		brokertest.Clean(t, b)
	})
}

func TestFailuresOfAStreamReachTheLoop(t *testing.T) {
	own := errors.New("own")
	for name, test := range map[string]struct {
		end func(yield func(warren.Message, error) bool)
		is  []error
	}{
		"error":    {func(yield func(warren.Message, error) bool) { yield(warren.Message{}, own) }, []error{own, warren.ErrHandlerFailed}},
		"panic":    {func(func(warren.Message, error) bool) { panic(own) }, []error{own, warren.ErrHandlerPanicked}},
		"goexit":   {func(func(warren.Message, error) bool) { runtime.Goexit() }, []error{warren.ErrHandlerPanicked}},
		"no reply": {func(yield func(warren.Message, error) bool) { yield(warren.Message{}, warren.ErrNoReply) }, []error{warren.ErrHandlerFailed}},
		"bad item": {func(yield func(warren.Message, error) bool) {
			yield(warren.Message{Headers: warren.Table{"bad": struct{}{}}}, nil)
		}, []error{warren.ErrHandlerFailed}},
		"large item": {func(yield func(warren.Message, error) bool) {
			yield(warren.Message{Body: make([]byte, 1001)}, nil)
		}, []error{warren.ErrHandlerFailed, warren.ErrPreconditionFailed}},
	} {
		for _, items := range []int{0, 1, 300} {
			t.Run(fmt.Sprint(name, items), func(t *testing.T) {
				brokertest.RunWith(t, &warren.Options{MaxMessageSize: 1000}, func(t *testing.T, b *warren.Broker) {
					_, err := b.HandleStream("q", stream(func(yield func(warren.Message, error) bool) {
						for range items {
							yield(warren.Message{Body: make([]byte, 1000)}, nil)
						}
						test.end(yield)
					}))
					require.NoError(t, err)
					got := collect(b.CallStream(t.Context(), "q", warren.Message{}, nil))
					require.Len(t, got.bodies, items)
					for _, is := range test.is {
						require.ErrorIs(t, got.err, is)
					}
					require.EqualValues(t, 1, rootHandlers(t, b)[0].Failed)
					brokertest.Clean(t, b)
				})
			})
		}
	}
}

// An item of the caller that cannot be sent ends its items with the error.
func TestACallersItemIsTooLarge(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{MaxMessageSize: 1000}, func(t *testing.T, b *warren.Broker) {
		_, err := b.HandleStream("q", double)
		require.NoError(t, err)
		got := collect(b.CallStream(t.Context(), "q", warren.Message{}, func(yield func(warren.Message, error) bool) {
			yield(warren.Message{Body: make([]byte, 500)}, nil)
			yield(warren.Message{Body: make([]byte, 1001)}, nil)
		}))
		require.Len(t, got.bodies, 1)
		require.ErrorIs(t, got.err, warren.ErrPreconditionFailed)
		brokertest.Clean(t, b)
	})
}

// A sequence that does not listen to its yield panics, as in any range loop, and is
// logged: nothing runs for ever.
func TestAHandlerGoesOnAfterItWasToldToStop(t *testing.T) {
	var log logText
	brokertest.RunWith(t, &warren.Options{Logger: log.logger(slog.LevelError)}, func(t *testing.T, b *warren.Broker) {
		_, err := b.HandleStream("q", stream(func(yield func(warren.Message, error) bool) {
			for {
				yield(warren.Message{}, nil)
			}
		}))
		require.NoError(t, err)
		for range b.CallStream(t.Context(), "q", warren.Message{}, nil) {
			break
		}
		brokertest.Clean(t, b)
		require.EqualValues(t, 1, rootHandlers(t, b)[0].Served)
		require.Contains(t, log.String(), "handler panicked")
	})
}

func TestALoopThatPanicsEndsItsStream(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		e := newEndlessStream()
		_, err := b.HandleStream("q", e.serve)
		require.NoError(t, err)
		require.PanicsWithValue(t, "mine", func() {
			for range b.CallStream(t.Context(), "q", warren.Message{}, bodies(-1)) {
				panic("mine")
			}
		})
		require.ErrorIs(t, <-e.ended, context.Canceled)
		brokertest.Clean(t, b)
	})
}

func TestOneOfSeveralHandlersServesAStream(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Exchanges(t, ch, warren.Fanout, "x")
		var served atomic.Int32
		for _, q := range []string{"a", "b", "c"} {
			_, err := b.HandleStream(q, func(ctx context.Context, req *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
				served.Add(1)
				return numbers(600)(ctx, req, in)
			})
			require.NoError(t, err)
			require.NoError(t, ch.QueueBind(q, "", "x", nil))
		}
		for range 20 {
			got := collect(b.CallStream(t.Context(), "", warren.Message{}, nil, warren.CallOptions{Exchange: "x"}))
			require.NoError(t, got.err)
			require.Len(t, got.bodies, 600)
			require.Equal(t, "599", got.bodies[599])
		}
		require.EqualValues(t, 20, served.Load())
		brokertest.Clean(t, b)
	})
}

// Interceptors are around the whole stream.
func TestAnInterceptorEndsAStream(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		e := newEndlessStream()
		_, err := b.HandleStream("q", e.serve, warren.HandleOptions{Intercept: []func(warren.HandlerFunc) warren.HandlerFunc{
			func(next warren.HandlerFunc) warren.HandlerFunc {
				return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
					ctx, cancel := context.WithTimeout(ctx, time.Second)
					defer cancel()
					return next(ctx, req)
				}
			},
		}})
		require.NoError(t, err)
		began := time.Now()
		n := 0
		var last error
		for _, err := range b.CallStream(t.Context(), "q", warren.Message{}, nil) {
			if last = err; n == 0 {
				time.Sleep(2 * time.Second)
			}
			n++
		}
		require.ErrorIs(t, last, warren.ErrHandlerTimeout)
		require.Equal(t, 2*time.Second, time.Since(began))
		require.ErrorIs(t, <-e.ended, context.DeadlineExceeded)
		brokertest.Clean(t, b)
	})
}

func TestItemsKeepTheirProperties(t *testing.T) {
	sent := warren.Message{
		Headers: warren.Table{"a": 1}, ContentType: "text/plain", MessageId: "m", Type: "t", AppId: "app",
		CorrelationId: "not sent", ReplyTo: "not sent", Body: []byte("body"),
	}
	want := sent
	want.CorrelationId, want.ReplyTo, want.Headers = "", "", warren.Table{"a": int64(1)}
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		_, err := b.HandleStream("q", double)
		require.NoError(t, err)
		for m, err := range b.CallStream(t.Context(), "q", warren.Message{}, func(yield func(warren.Message, error) bool) { yield(sent, nil) }) {
			require.NoError(t, err)
			m.Body = m.Body[:4]
			require.Equal(t, want, m)
		}
	})
	withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
		_, err := b.HandleStream("q", stream(func(yield func(warren.Message, error) bool) { yield(sent, nil) }))
		require.NoError(t, err)
		c := newWireClient(t, dial)
		c.send("q", "c", "", amqp091.Table{"x-warren-stream": int32(1)})
		c.gets(amqp091.Table{"x-warren-credit": int64(0)}, "")
		d := c.gets(amqp091.Table{"x-warren-item": int64(1), "a": int64(1)}, "body")
		require.Equal(t, []string{"c", "text/plain", "m", "t", "app"}, []string{d.CorrelationId, d.ContentType, d.MessageId, d.Type, d.AppId})

		t.Log("And the other way round.")
		requests := c.serves("theirs")
		got := make(chan warren.Message, 1)
		go func() {
			for m := range b.CallStream(t.Context(), "theirs", warren.Message{}, nil) {
				got <- m
			}
		}()
		r := <-requests
		require.NoError(t, c.ch.Publish("", r.ReplyTo, false, false, amqp091.Publishing{
			Headers: amqp091.Table{"x-warren-item": int32(1), "a": int32(1)}, ContentType: "text/plain", MessageId: "m", Type: "t", AppId: "app",
			CorrelationId: r.CorrelationId, ReplyTo: "amq.rabbitmq.reply-to", Body: []byte("body"),
		}))
		require.Equal(t, want, <-got)
		c.send(r.ReplyTo, "c", "", amqp091.Table{"x-warren-end": int32(1)})
		require.NoError(t, r.Ack(false))
		synctest.Wait()
		c.conn.Close()
		brokertest.Clean(t, b)
	})
}

func TestTenThousandStreamsAtOnce(t *testing.T) {
	n := brokertest.Less(10_000, 10)
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var now atomic.Int32
		all := make(chan struct{})
		_, err := b.HandleStream("q", func(_ context.Context, _ *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
			if int(now.Add(1)) == n {
				close(all)
			}
			<-all
			return double(t.Context(), nil, in)
		}, warren.HandleOptions{Concurrency: n})
		require.NoError(t, err)
		var wg sync.WaitGroup
		var wrong atomic.Int32
		for i := range n {
			wg.Go(func() {
				got := collect(b.CallStream(t.Context(), "q", warren.Message{}, func(yield func(warren.Message, error) bool) {
					for range 3 {
						yield(warren.Message{Body: fmt.Append(nil, i)}, nil)
					}
				}, warren.CallOptions{Window: 2}))
				if got.err != nil || len(got.bodies) != 3 || got.bodies[2] != fmt.Sprintf("%d%d", i, i) {
					wrong.Add(1)
				}
			})
		}
		wg.Wait()
		require.Zero(t, wrong.Load())
		brokertest.Clean(t, b)
	})
}

// One channel of a client may have any number of streams: it tells them apart by their
// correlation ids.
func TestTenThousandStreamsOfAnAMQPClient(t *testing.T) {
	n := brokertest.Less(10_000, 20)
	withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
		_, err := b.HandleStream("q", numbers(4), warren.HandleOptions{Concurrency: n})
		require.NoError(t, err)
		c := newWireClient(t, dial)
		servers := make(map[string]string)
		for i := range n {
			c.send("q", fmt.Sprint(i), "", amqp091.Table{"x-warren-stream": int32(2)})
			if i%100 == 0 {
				synctest.Wait()
			}
		}
		items, ends := 0, 0
		for ends < n {
			d := <-c.came
			switch {
			case d.Headers["x-warren-credit"] != nil:
				servers[d.CorrelationId] = d.ReplyTo
			case d.Headers["x-warren-end"] != nil:
				require.Equal(t, int64(4), d.Headers["x-warren-end"])
				ends++
			default:
				items++
				if d.Headers["x-warren-item"] == int64(2) {
					c.send(servers[d.CorrelationId], d.CorrelationId, "", amqp091.Table{"x-warren-credit": int32(2)})
				}
			}
		}
		require.Equal(t, 4*n, items)
		c.conn.Close()
		brokertest.Clean(t, b)
	})
}

// The handler's Close waits for its streams, as for all that it serves.
func TestCloseOfAHandlerWaitsForItsStreams(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		h, err := b.HandleStream("q", numbers(600))
		require.NoError(t, err)
		closed := make(chan error, 1)
		n := 0
		for _, err := range b.CallStream(t.Context(), "q", warren.Message{}, nil) {
			require.NoError(t, err)
			if n == 0 {
				go func() { closed <- h.Close() }()
				time.Sleep(time.Second)
				require.Empty(t, closed)
			}
			n++
		}
		require.Equal(t, 600, n)
		require.NoError(t, <-closed)
		brokertest.Clean(t, b)
	})
}
