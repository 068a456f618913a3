package warren_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// In process the caller gets the handler's error itself. Requesters outside get its
// code and a text that says no more than the handler has chosen to tell, unless the
// handler exposes its errors.
func TestFailuresOfHandlersReachTheCaller(t *testing.T) {
	own := &warren.RemoteError{Code: "own", Text: "words"}
	secret := errors.New("select from accounts: no luck")
	for _, test := range []struct {
		name                      string
		serve                     warren.HandlerFunc
		code, text, exposed, full string
		is                        error
	}{
		{"error", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{Body: []byte("ignored")}, secret
		}, warren.CodeError, "the handler returned an error", secret.Error(), secret.Error(), secret},
		{"own code", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{}, own
		}, "own", "words", "words", "words", own},
		{"own code in a wrapped error", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{}, fmt.Errorf("%w: %w", secret, own)
		}, "own", "words", secret.Error() + ": " + own.Error(), secret.Error() + ": " + own.Error(), secret},
		{"own code with an error", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{}, &warren.RemoteError{Code: "own", Text: "words", Err: secret}
		}, "own", "words", "words: " + secret.Error(), "words: " + secret.Error(), secret},
		{"panic", func(context.Context, *warren.Request) (warren.Message, error) { panic("a mess") },
			warren.CodePanic, "the handler panicked", "a mess", "a mess", &warren.RemoteError{Code: warren.CodePanic}},
		{"panic with an error", func(context.Context, *warren.Request) (warren.Message, error) { panic(secret) },
			warren.CodePanic, "the handler panicked", secret.Error(), secret.Error(), secret},
		{"runtime error", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: req.Body[10:]}, nil
		}, warren.CodePanic, "the handler panicked", "runtime error: slice bounds out of range [10:0]", "runtime error: slice bounds out of range [10:0]", &warren.RemoteError{Code: warren.CodePanic}},
		{"goexit", func(context.Context, *warren.Request) (warren.Message, error) {
			runtime.Goexit()
			return warren.Message{}, nil
		}, warren.CodePanic, "the handler panicked", "the handler called runtime.Goexit", "the handler called runtime.Goexit", &warren.RemoteError{Code: warren.CodePanic}},
	} {
		t.Run(test.name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				brokertest.Handle(t, b, "q", test.serve, warren.HandleOptions{Concurrency: 1})
				brokertest.Handle(t, b, "exposed", test.serve, warren.HandleOptions{ExposeErrors: true})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for range 3 { // a failure costs the handler nothing
					reply, err := b.Call(ctx, "q", warren.Message{})
					var remote *warren.RemoteError
					require.ErrorAs(t, err, &remote)
					require.Equal(t, []string{test.code, test.text}, []string{remote.Code, remote.Text})
					require.EqualError(t, err, "warren: the handler failed: "+test.code+": "+test.full)
					require.ErrorIs(t, err, &warren.RemoteError{Code: test.code})
					require.ErrorIs(t, err, test.is)
					require.Empty(t, reply.Body)
				}
				brokertest.Clean(t, b)
				require.Zero(t, b.Stats().Failed, "the callers were told")

				// A client of the AMQP model gets the same in headers.
				client := brokertest.Channel(t, b)
				callback, err := client.QueueDeclare("", warren.QueueOptions{Exclusive: true})
				require.NoError(t, err)
				for queue, text := range map[string]string{"q": test.text, "exposed": test.exposed} {
					require.NoError(t, client.Publish(ctx, "", queue, warren.Message{ReplyTo: callback.Name, CorrelationId: "c"}, warren.PublishOptions{}))
					synctest.Wait()
					d, ok, err := client.Get("", true)
					require.NoError(t, err)
					require.True(t, ok)
					require.Equal(t, "c", d.CorrelationId)
					require.Equal(t, warren.Table{"x-warren-error": test.code, "x-warren-error-text": text}, d.Headers)
					require.Empty(t, d.Body)
				}
			})
		})
	}
}

func TestConcurrencyIsNeverExceededAndAllAreServed(t *testing.T) {
	for _, limit := range []int{1, 3, 16, 40} {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			var now, most atomic.Int32
			brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(time.Minute)
				now.Add(-1)
				return warren.Message{}, nil
			}, warren.HandleOptions{Concurrency: limit})
			start := time.Now()
			var wg sync.WaitGroup
			var failed atomic.Int32
			for range 120 {
				wg.Go(func() {
					if _, err := b.Call(t.Context(), "q", warren.Message{}); err != nil {
						failed.Add(1)
					}
				})
			}
			wg.Wait()
			require.Zero(t, failed.Load())
			require.EqualValues(t, limit, most.Load(), "as many as allowed, and no more")
			require.Equal(t, time.Duration((120+limit-1)/limit)*time.Minute, time.Since(start))
			brokertest.Clean(t, b)
		})
	}
}

func TestHandlerCloseWaitsForRunningOnesAndLeavesTheRest(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q") // not auto-delete: it stays
		gate := brokertest.NewGate()
		old := brokertest.Handle(t, b, "q", gate.Serve, warren.HandleOptions{Concurrency: 2})
		require.Equal(t, "q", old.Queue())
		var calls []<-chan brokertest.CallResult
		for i := range 5 {
			calls = append(calls, brokertest.Call(t.Context(), b, "q", fmt.Sprint(i)))
			synctest.Wait()
		}
		closed := make(chan error, 1)
		go func() { closed <- old.Close() }()
		synctest.Wait()
		select {
		case <-closed:
			t.Fatal("Close did not wait")
		default:
		}
		require.Equal(t, 3, b.Stats().Ready)
		require.Zero(t, b.Stats().Consumers)
		close(gate.Release)
		require.NoError(t, <-closed)
		require.NoError(t, old.Close(), "closing twice does nothing")
		for i := range 2 {
			require.Equal(t, fmt.Sprint(i), string((<-calls[i]).Reply.Body))
		}
		require.Equal(t, 3, b.Stats().Ready)
		require.Len(t, gate.Entered, 2, "the others were not started")

		var redelivered atomic.Int32
		brokertest.Handle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			if req.Redelivered {
				redelivered.Add(1)
			}
			return warren.Message{Body: append([]byte("new "), req.Body...)}, nil
		})
		for i := 2; i < 5; i++ {
			require.Equal(t, "new "+fmt.Sprint(i), string((<-calls[i]).Reply.Body))
		}
		require.Zero(t, redelivered.Load(), "nobody had seen them")
		brokertest.Clean(t, b)
	})
}

func TestLastHandlerTakesItsQueueAlong(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		gate := brokertest.NewGate()
		first := brokertest.Handle(t, b, "q", gate.Serve, warren.HandleOptions{Concurrency: 1})
		second := brokertest.Handle(t, b, "q", gate.Serve, warren.HandleOptions{Concurrency: 1})
		require.Equal(t, 1, b.Stats().Queues)
		require.Equal(t, 2, b.Stats().Consumers)
		var calls []<-chan brokertest.CallResult
		for range 3 {
			calls = append(calls, brokertest.Call(t.Context(), b, "q", "x"))
			synctest.Wait()
		}
		require.Len(t, gate.Entered, 2, "one with each handler")
		first.Stop()
		require.Equal(t, 1, b.Stats().Queues, "another one serves it")
		second.Stop()
		require.Zero(t, b.Stats().Queues)
		require.ErrorIs(t, (<-calls[2]).Err, warren.ErrRequestDropped, "it was lost with the queue")
		_, err := b.Call(t.Context(), "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNoRoute)
		close(gate.Release)
		require.NoError(t, (<-calls[0]).Err, "those that ran are answered")
		require.NoError(t, (<-calls[1]).Err)
		require.NoError(t, first.Close())
		require.NoError(t, second.Close())
		brokertest.Clean(t, b)
	})
}

func TestHandlerServesAnExistingQueueAndLeavesIt(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true})
		early := brokertest.Call(t.Context(), b, "q", "early")
		synctest.Wait()
		h := brokertest.Handle(t, b, "q", brokertest.Echo)
		require.Equal(t, "early", string((<-early).Reply.Body))
		require.NoError(t, h.Close())
		q, err := ch.QueueDeclare("q", warren.QueueOptions{Durable: true})
		require.NoError(t, err)
		require.Equal(t, warren.Queue{Name: "q"}, q)
	})
}

func TestHandlersOfOneQueueShareTheRequests(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", brokertest.Reply("a"))
		brokertest.Handle(t, b, "q", brokertest.Reply("b"))
		count := make(map[string]int)
		for range 10 {
			reply, err := b.Call(t.Context(), "q", warren.Message{})
			require.NoError(t, err)
			count[string(reply.Body)]++
		}
		require.Equal(t, map[string]int{"a": 5, "b": 5}, count, "in turn")
	})
}

func TestHandlerStopsFromInside(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		var h *warren.Handler
		h = brokertest.Handle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			h.Stop()
			h.Stop()
			return warren.Message{Body: []byte("the last one")}, nil
		})
		reply, err := b.Call(t.Context(), "q", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "the last one", string(reply.Body))
		require.NoError(t, h.Close())
		_, err = b.Call(t.Context(), "q", warren.Message{}, warren.CallOptions{RequireConsumer: true})
		require.ErrorIs(t, err, warren.ErrNoConsumers)
	})
}

// Stop meets workers at every point of their work.
func TestHandlerStopsWhileItWorks(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		for range 100 {
			h := brokertest.Handle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
				runtime.Gosched()
				return warren.Message{Body: req.Body}, nil
			}, warren.HandleOptions{Concurrency: 4})
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for {
						if _, err := b.Call(t.Context(), "q", warren.Message{}); err != nil {
							if !errors.Is(err, warren.ErrRequestDropped) && !errors.Is(err, warren.ErrNoRoute) {
								t.Error(err)
							}
							return
						}
					}
				})
			}
			runtime.Gosched()
			h.Stop()
			wg.Wait()
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}
		brokertest.Clean(t, b)
	})
}

func TestDroppedRequestEndsTheCall(t *testing.T) {
	for _, test := range []struct {
		name string
		drop func(ch *warren.Channel) error
	}{
		{"queue deleted", func(ch *warren.Channel) error {
			_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			return err
		}},
		{"queue purged", func(ch *warren.Channel) error {
			_, err := ch.QueuePurge("q")
			return err
		}},
		{"rejected", func(ch *warren.Channel) error {
			d, _, err := ch.Get("q", false)
			return errors.Join(err, d.Reject(false))
		}},
		{"deleted, then given back", func(ch *warren.Channel) error {
			d, _, err := ch.Get("q", false)
			_, err2 := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			return errors.Join(err, err2, d.Nack(false, true))
		}},
		{"deleted, then its channel closed", func(ch *warren.Channel) error {
			_, _, err := ch.Get("q", false)
			_, err2 := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			return errors.Join(err, err2, ch.Close())
		}},
		{"deleted while a consumer had it unread", func(ch *warren.Channel) error {
			c, err := ch.Consume("q", warren.ConsumeOptions{})
			_, err2 := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			return errors.Join(err, err2, c.Cancel())
		}},
		{"deleted while a consumer without ack had it unread", func(ch *warren.Channel) error {
			_, err := ch.Consume("q", warren.ConsumeOptions{NoAck: true})
			_, err2 := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			return errors.Join(err, err2, ch.Close())
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				call := brokertest.Call(ctx, b, "q", "x")
				synctest.Wait()
				require.NoError(t, test.drop(ch))
				require.ErrorIs(t, (<-call).Err, warren.ErrRequestDropped)
				brokertest.Clean(t, b)
			})
		})
	}
}

func TestCallWaitsAsLongAsACopyOfItsRequestLives(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		for _, q := range []string{"a", "b", "c"} {
			brokertest.Queues(t, ch, q)
			require.NoError(t, ch.QueueBind(q, "", "amq.fanout", nil))
		}
		call := brokertest.Call(t.Context(), b, "", "x", warren.CallOptions{Exchange: "amq.fanout"})
		synctest.Wait()
		_, err := ch.QueueDelete("a", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		_, err = ch.QueuePurge("b")
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, call)
		brokertest.Handle(t, b, "c", brokertest.Reply("the last copy"))
		r := <-call
		require.NoError(t, r.Err)
		require.Equal(t, "the last copy", string(r.Reply.Body))

		call = brokertest.Call(t.Context(), b, "", "x", warren.CallOptions{Exchange: "amq.direct"})
		require.ErrorIs(t, (<-call).Err, warren.ErrNoRoute)
		brokertest.Clean(t, b)
	})
}

func TestQueuesThatDidNotTakeTheRequestAreNoCopies(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		for _, q := range []string{"idle", "busy"} {
			brokertest.Queues(t, ch, q)
			require.NoError(t, ch.QueueBind(q, "", "amq.fanout", nil))
		}
		_, err := ch.ConsumeFunc("busy", warren.ConsumeOptions{}, func(_ context.Context, d warren.Delivery) error { return d.Reject(false) })
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err = b.Call(ctx, "", warren.Message{}, warren.CallOptions{Exchange: "amq.fanout"}, warren.CallOptions{RequireConsumer: true})
		require.ErrorIs(t, err, warren.ErrRequestDropped)
		brokertest.Clean(t, b)
	})
}

func TestRequestsOverTheSizeLimitAreRefused(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{MaxMessageSize: 10}, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: req.Body}, nil
		})
		reply, err := b.Call(t.Context(), "q", warren.Message{Body: bytes.Repeat([]byte("x"), 10)})
		require.NoError(t, err)
		require.Len(t, reply.Body, 10)
		_, err = b.Call(t.Context(), "q", warren.Message{Body: bytes.Repeat([]byte("x"), 11)})
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		require.ErrorContains(t, err, "PRECONDITION_FAILED - message size 11 is larger than configured max size 10")
		brokertest.Clean(t, b)
	})
}

func TestRequestThatComesBackIsRedelivered(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		call := brokertest.Call(t.Context(), b, "q", "x")
		synctest.Wait()
		d, ok, err := ch.Get("q", false)
		require.NoError(t, err)
		require.True(t, ok)
		require.False(t, d.Redelivered)
		require.NoError(t, d.Nack(false, true))
		require.Empty(t, call, "the call waits")
		brokertest.Handle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: fmt.Append(nil, req.Redelivered)}, nil
		})
		r := <-call
		require.NoError(t, r.Err)
		require.Equal(t, "true", string(r.Reply.Body))
		brokertest.Clean(t, b)
	})
}

func TestHandlerCallsItsOwnQueue(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		countdown := func(queue string) warren.HandlerFunc {
			return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
				if len(req.Body) == 0 {
					return warren.Message{Body: []byte("bottom")}, nil
				}
				return b.Call(ctx, queue, warren.Message{Body: req.Body[1:]})
			}
		}
		brokertest.Handle(t, b, "many", countdown("many"))
		reply, err := b.Call(t.Context(), "many", warren.Message{Body: make([]byte, 10)})
		require.NoError(t, err)
		require.Equal(t, "bottom", string(reply.Body))

		// One at a time cannot wait for itself: the deadline ends it.
		brokertest.Handle(t, b, "one", countdown("one"), warren.HandleOptions{Concurrency: 1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = b.Call(ctx, "one", warren.Message{Body: make([]byte, 10)})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		brokertest.Clean(t, b)
		reply, err = b.Call(t.Context(), "one", warren.Message{})
		require.NoError(t, err, "the handler works on")
		require.Equal(t, "bottom", string(reply.Body))
	})
}

// Callers leave at every point of a call: before it, while the request waits,
// while the handler runs and while the reply is handed over.
func TestCallersWhoLeaveAtAnyPointLeaveNothing(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			for range len(req.Body) % 5 {
				runtime.Gosched()
			}
			return warren.Message{Body: req.Body}, nil
		}, warren.HandleOptions{Concurrency: 3})
		var wg sync.WaitGroup
		var answered, left atomic.Int32
		for caller := range 20 {
			wg.Go(func() {
				for i := range 100 {
					ctx, cancel := context.WithCancel(t.Context())
					body := bytes.Repeat([]byte{byte(caller)}, i)
					if i%7 == 0 {
						cancel()
					} else {
						wg.Go(func() {
							for range i % 13 {
								runtime.Gosched()
							}
							cancel()
						})
					}
					reply, err := b.Call(ctx, "q", warren.Message{Body: body})
					switch {
					case err == nil && bytes.Equal(reply.Body, body):
						answered.Add(1)
					case errors.Is(err, context.Canceled):
						left.Add(1)
					default:
						t.Errorf("reply %v, error %v", reply.Body, err)
					}
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 2000, answered.Load()+left.Load())
		require.GreaterOrEqual(t, left.Load(), int32(300), "those that were cancelled before")
		brokertest.Clean(t, b)
		reply, err := b.Call(t.Context(), "q", warren.Message{Body: []byte("after")})
		require.NoError(t, err)
		require.Equal(t, "after", string(reply.Body))
	})
}
