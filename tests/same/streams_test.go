package same_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// stream serves a queue of the rule's own by a stream.
func (w *world) stream(s string, f warren.StreamFunc, opts ...warren.HandleOptions) string {
	h, err := w.server.HandleStream(w.name(s), f, opts...)
	require.NoError(w, err)
	return h.Queue()
}

// numbers yields messages with the numbers from 1 to n, and then err unless it is nil.
func numbers(n int, err error) iter.Seq2[warren.Message, error] {
	return func(yield func(warren.Message, error) bool) {
		for i := 1; i <= n; i++ {
			if !yield(warren.Message{Body: []byte(fmt.Sprint(i))}, nil) {
				return
			}
		}
		if err != nil {
			yield(warren.Message{}, err)
		}
	}
}

// wantNumbers reads what numbers yields, and returns the error after them.
func (w *world) wantNumbers(n int, items iter.Seq2[warren.Message, error]) (err error) {
	w.Helper()
	next := 1
	for m, e := range items {
		if err = e; err != nil {
			break
		}
		require.Equal(w, fmt.Sprint(next), string(m.Body))
		next++
	}
	require.Equal(w, n+1, next, "%v", err)
	return err
}

func TestAStreamOfAnswers(t *testing.T) {
	everywhere(t, func(w *world) {
		q := w.stream("numbers", func(_ context.Context, req *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
			for range in {
				w.Error("an item of a caller that has none")
			}
			return numbers(len(req.Body), nil)
		})
		for _, n := range []int{0, 1, 2, 255, 256, 257, 2000} {
			require.NoError(w, w.wantNumbers(n, w.caller.CallStream(w.Context(), q, warren.Message{Body: make([]byte, n)}, nil)))
		}
		all := w.caller.CallStream(w.Context(), q, warren.Message{Body: make([]byte, 10)}, nil, warren.CallOptions{Window: 1})
		require.NoError(w, w.wantNumbers(10, all))
		require.NoError(w, w.wantNumbers(10, all), "each loop is a call of its own")
		require.ErrorIs(w, w.wantNumbers(0, w.caller.CallStream(w.Context(), w.name("none"), warren.Message{}, nil)), warren.ErrNoRoute)
		_, err := w.call(q, warren.Message{})
		require.ErrorIs(w, err, &warren.RemoteError{Code: warren.CodeStream})
		plain := w.handle("plain", echo)
		require.NoError(w, w.wantNumbers(1, w.caller.CallStream(w.Context(), plain, warren.Message{Body: []byte("1")}, nil)))
	})
}

func TestStreamsBothWays(t *testing.T) {
	everywhere(t, func(w *world) {
		q := w.stream("echo", func(_ context.Context, _ *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
			return in
		})
		require.NoError(w, w.wantNumbers(1000, w.caller.CallStream(w.Context(), q, warren.Message{}, numbers(1000, nil))))
		err := w.wantNumbers(10, w.caller.CallStream(w.Context(), q, warren.Message{}, numbers(10, &warren.RemoteError{Code: "of-caller"})))
		require.ErrorIs(w, err, &warren.RemoteError{Code: "of-caller"}, "the handler has passed it on")
	})
}

func TestItemsHaveProperties(t *testing.T) {
	everywhere(t, func(w *world) {
		q := w.stream("echo", func(_ context.Context, _ *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
			return in
		})
		headers := allTypes(time.Unix(1700000000, 0))
		items := func(yield func(warren.Message, error) bool) {
			for _, n := range []int{0, 1, 131064, 1 << 20} {
				m := warren.Message{
					Headers: headers, ContentType: "text/plain", MessageId: "m", Type: "t", AppId: "a", Priority: 3, Body: bytes.Repeat([]byte("x"), n),
				}
				if !yield(m, nil) {
					return
				}
			}
		}
		n := 0
		for m, err := range w.caller.CallStream(w.Context(), q, warren.Message{}, items) {
			require.NoError(w, err)
			require.Equal(w, wide(headers), wide(m.Headers))
			require.Equal(w, [4]string{"text/plain", "m", "t", "a"}, [4]string{m.ContentType, m.MessageId, m.Type, m.AppId})
			require.EqualValues(w, 3, m.Priority)
			require.Empty(w, m.ReplyTo+m.CorrelationId)
			n++
		}
		require.Equal(w, 4, n)
	})
}

func TestAnErrorInTheMiddle(t *testing.T) {
	for name, c := range map[string]struct{ fails, is error }{
		"a code":   {&warren.RemoteError{Code: "own", Text: "words"}, &warren.RemoteError{Code: "own"}},
		"an error": {errors.New("any"), warren.ErrHandlerFailed},
		"a panic":  {nil, warren.ErrHandlerPanicked},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(w *world) {
				q := w.stream("fails", func(context.Context, *warren.Request, iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
					if c.fails != nil {
						return numbers(300, c.fails)
					}
					return func(yield func(warren.Message, error) bool) {
						numbers(300, nil)(yield)
						panic("by design")
					}
				})
				err := w.wantNumbers(300, w.caller.CallStream(w.Context(), q, warren.Message{}, nil))
				require.ErrorIs(w, err, c.is)
			})
		})
	}
}

// endless is a stream without an end, which counts what it has yielded and tells when its
// caller has gone.
func (w *world) endless() (queue string, sent *atomic.Int64, ended chan error) {
	sent, ended = new(atomic.Int64), make(chan error, 1)
	queue = w.stream("endless", func(ctx context.Context, _ *warren.Request, _ iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
		return func(yield func(warren.Message, error) bool) {
			for yield(warren.Message{Body: []byte("x")}, nil) {
				sent.Add(1)
			}
			<-ctx.Done()
			ended <- ctx.Err()
		}
	})
	return queue, sent, ended
}

func TestTheReaderHoldsTheHandlerBack(t *testing.T) {
	everywhere(t, func(w *world) {
		q, sent, ended := w.endless()
		read := int64(0)
		for _, err := range w.caller.CallStream(w.Context(), q, warren.Message{}, nil, warren.CallOptions{Window: 10}) {
			require.NoError(w, err)
			if read++; read%50 == 0 {
				<-time.After(100 * time.Millisecond) // all that may come has come
				require.LessOrEqual(w, sent.Load(), read+10)
				require.Greater(w, sent.Load(), read)
			}
			if read == 200 {
				break
			}
		}
		require.ErrorIs(w, receive(w, ended), context.Canceled)
	})
}

// The handler holds the caller's items back, too.
func TestTheHandlerHoldsTheCallerBack(t *testing.T) {
	everywhere(t, func(w *world) {
		first, release := make(chan struct{}), make(chan struct{})
		q := w.stream("slow", func(_ context.Context, _ *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
			return func(yield func(warren.Message, error) bool) {
				for m := range in {
					if string(m.Body) == "1" {
						close(first)
						<-release
					}
				}
				yield(warren.Message{Body: []byte("1")}, nil)
			}
		})
		var sent atomic.Int64
		items := func(yield func(warren.Message, error) bool) {
			for m := range numbers(5000, nil) {
				if !yield(m, nil) {
					return
				}
				sent.Add(1)
			}
		}
		done := make(chan error, 1)
		go func() { done <- w.wantNumbers(1, w.caller.CallStream(w.Context(), q, warren.Message{}, items)) }()
		receive(w, first)
		<-time.After(200 * time.Millisecond)
		require.Less(w, sent.Load(), int64(1000))
		close(release)
		require.NoError(w, receive(w, done))
		require.EqualValues(w, 5000, sent.Load())
	})
}

func TestACallerLeavesInTheMiddle(t *testing.T) {
	everywhere(t, func(w *world) {
		q, _, ended := w.endless()
		for n := range 3 {
			for range w.caller.CallStream(w.Context(), q, warren.Message{}, nil) {
				if n--; n < 0 {
					break
				}
			}
			require.ErrorIs(w, receive(w, ended), context.Canceled)
		}
		ctx, cancel := context.WithCancel(w.Context())
		n, last := 0, error(nil)
		for _, err := range w.caller.CallStream(ctx, q, warren.Message{}, nil) {
			last = err
			if n++; n == 100 {
				cancel()
			}
		}
		cancel()
		require.ErrorIs(w, last, context.Canceled)
		require.ErrorIs(w, receive(w, ended), context.Canceled)
	})
}

func TestAStreamHasADeadline(t *testing.T) {
	everywhere(t, func(w *world) {
		ended, late := make(chan error, 1), make(chan struct{})
		q := w.stream("silent", func(ctx context.Context, _ *warren.Request, _ iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
			<-ctx.Done()
			ended <- ctx.Err()
			<-late // the caller may be told of the end a moment after the server
			return numbers(3, nil)
		})
		ctx, cancel := context.WithTimeout(w.Context(), 500*time.Millisecond)
		defer cancel()
		require.ErrorIs(w, w.wantNumbers(0, w.caller.CallStream(ctx, q, warren.Message{}, nil)), context.DeadlineExceeded)
		close(late)
		if err := receive(w, ended); !errors.Is(err, context.Canceled) { // the caller was the first to tell
			require.ErrorIs(w, err, context.DeadlineExceeded)
		}
	})
}

func TestAHundredStreamsAtOnce(t *testing.T) {
	everywhere(t, func(w *world) {
		q := w.stream("echo", func(_ context.Context, _ *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
			return in
		})
		var all sync.WaitGroup
		for n := range 100 {
			all.Go(func() {
				next := 1
				for m, err := range w.caller.CallStream(w.Context(), q, warren.Message{CorrelationId: "same"}, numbers(50+n, nil), warren.CallOptions{Window: 16}) {
					if err != nil || string(m.Body) != fmt.Sprint(next) {
						w.Errorf("%v: %s instead of %d", err, m.Body, next)
						return
					}
					next++
				}
				if next != 51+n {
					w.Errorf("%d came of %d", next-1, 50+n)
				}
			})
		}
		all.Wait()
	})
}

func TestAServerOfAStreamDies(t *testing.T) {
	for _, other := range []bool{false, true} {
		t.Run(fmt.Sprint("another: ", other), func(t *testing.T) {
			everywhere(t, func(w *world) {
				conn, ch := w.client()
				q := w.queue(ch, "shared", nil)
				requests, err := ch.Consume(q, "", false, false, false, false, nil)
				require.NoError(w, err)
				_, err = ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
				require.NoError(w, err)
				done := make(chan error, 1)
				go func() { done <- w.wantNumbers(2, w.caller.CallStream(w.Context(), q, warren.Message{}, nil)) }()
				d := receive(w, requests)
				for n := range 2 {
					require.NoError(w, ch.Publish("", d.ReplyTo, false, false, amqp091.Publishing{
						CorrelationId: d.CorrelationId, ReplyTo: "amq.rabbitmq.reply-to",
						Headers: amqp091.Table{"x-warren-item": int64(n + 1)}, Body: []byte(fmt.Sprint(n + 1)),
					}))
				}
				_, err = ch.QueueDeclarePassive(q, true, false, false, false, nil) // they have been sent
				require.NoError(w, err)
				if other {
					_, err = w.server.HandleStream(q, func(context.Context, *warren.Request, iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
						return numbers(5, nil)
					})
					require.NoError(w, err)
				}
				require.NoError(w, conn.Close())
				require.ErrorIs(w, receive(w, done), warren.ErrServerLost)
			})
		})
	}
}
