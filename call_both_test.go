package warren_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// bodies yields messages with the numbers from 0 on; n < 0: for ever.
func bodies(n int) iter.Seq2[warren.Message, error] {
	return func(yield func(warren.Message, error) bool) {
		for i := 0; n < 0 || i < n; i++ {
			if !yield(warren.Message{Body: fmt.Append(nil, i)}, nil) {
				return
			}
		}
	}
}

// double answers each item with its body twice.
func double(_ context.Context, _ *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
	return func(yield func(warren.Message, error) bool) {
		for m, err := range in {
			m.Body = append(m.Body[:len(m.Body):len(m.Body)], m.Body...)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

func TestItemsGoBothWays(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 1000} {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			_, err := b.HandleStream("q", double)
			require.NoError(t, err)
			got := collect(b.CallStream(t.Context(), "q", warren.Message{}, bodies(n), warren.CallOptions{Window: 7}))
			require.NoError(t, got.err)
			require.Len(t, got.bodies, n)
			for i, body := range got.bodies {
				require.Equal(t, fmt.Sprint(i, i), body[:len(body)/2]+" "+body[len(body)/2:])
			}
			brokertest.Clean(t, b)
		})
	}
}

func TestTheHandlerMayLeaveTheCallersItemsAndReadOn(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		_, err := b.HandleStream("q", func(_ context.Context, _ *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
			for m := range in { // the first is read before there is an answer
				return func(yield func(warren.Message, error) bool) {
					yield(m, nil)
					for m := range in {
						yield(m, nil)
						break
					}
					for m := range in {
						yield(m, nil)
					}
					for range in {
						panic("there is no more")
					}
				}
			}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, collected{bodies: []string{"0", "1", "2", "3"}}, collect(b.CallStream(t.Context(), "q", warren.Message{}, bodies(4))))
		require.Equal(t, collected{}, collect(b.CallStream(t.Context(), "q", warren.Message{}, bodies(0))))
		require.Equal(t, collected{}, collect(b.CallStream(t.Context(), "q", warren.Message{}, nil)))
		brokertest.Clean(t, b)
	})
}

// The caller's items stop when the call ends, whoever ends it, and whether the handler
// reads them or not.
func TestTheCallersItemsEndWithTheCall(t *testing.T) {
	endless := func(reads bool) warren.StreamFunc {
		return func(_ context.Context, _ *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
			return func(yield func(warren.Message, error) bool) {
				n := 0
				for m, err := range in {
					if !reads {
						break
					}
					if n++; n == 1000 || !yield(m, err) {
						return
					}
				}
				for range 10 {
					if !yield(warren.Message{}, nil) {
						return
					}
				}
			}
		}
	}
	for _, reads := range []bool{true, false} {
		for _, leave := range []int{0, 1, 5, 2000} {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				_, err := b.HandleStream("q", endless(reads))
				require.NoError(t, err)
				var stopped atomic.Bool
				n := 0
				for _, err := range b.CallStream(t.Context(), "q", warren.Message{}, func(yield func(warren.Message, error) bool) {
					bodies(-1)(yield)
					stopped.Store(true)
				}) {
					require.NoError(t, err)
					if n == leave {
						break
					}
					n++
				}
				brokertest.Clean(t, b)
				require.True(t, stopped.Load())
			})
		}
	}
}

func TestAnErrorOfTheCallersItemsReachesTheHandler(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		own := errors.New("own")
		got := make(chan error, 1)
		_, err := b.HandleStream("q", func(_ context.Context, _ *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
			return func(yield func(warren.Message, error) bool) {
				for m, err := range in {
					if err != nil {
						got <- err
						yield(warren.Message{Body: []byte("the call goes on")}, nil)
						break
					}
					yield(m, nil)
				}
			}
		})
		require.NoError(t, err)
		all := collect(b.CallStream(t.Context(), "q", warren.Message{}, func(yield func(warren.Message, error) bool) {
			yield(warren.Message{Body: []byte("0")}, nil)
			yield(warren.Message{}, own)
		}))
		require.Equal(t, collected{bodies: []string{"0", "the call goes on"}}, all)
		err = <-got
		require.ErrorIs(t, err, own)
		require.ErrorIs(t, err, &warren.RemoteError{Code: warren.CodeError})
		brokertest.Clean(t, b)
	})
}

func TestAPanicOfTheCallersItemsIsOneOfTheLoop(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		_, err := b.HandleStream("q", double)
		require.NoError(t, err)
		require.PanicsWithValue(t, "a mess", func() {
			collect(b.CallStream(t.Context(), "q", warren.Message{}, func(yield func(warren.Message, error) bool) {
				yield(warren.Message{}, nil)
				panic("a mess")
			}))
		})
		brokertest.Clean(t, b)

		t.Log("Of a sequence that ends its goroutine, the handler learns that it has not ended well.")
		all := collect(b.CallStream(t.Context(), "q", warren.Message{}, func(yield func(warren.Message, error) bool) {
			yield(warren.Message{}, nil)
			runtime.Goexit()
		}))
		require.ErrorContains(t, all.err, "runtime.Goexit")

		t.Log("After the loop has ended, a panic is no one's, and is logged.")
		for range b.CallStream(t.Context(), "q", warren.Message{}, func(yield func(warren.Message, error) bool) {
			for yield(warren.Message{}, nil) {
			}
			panic("late")
		}) {
			break
		}
		brokertest.Clean(t, b)
	})
}

// The caller's items may wait for something that never comes. The loop does not wait for
// them, but Close does.
func TestTheCallersItemsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(nil)
		_, err := b.HandleStream("q", numbers(3))
		require.NoError(t, err)
		release := make(chan struct{})
		all := collect(b.CallStream(t.Context(), "q", warren.Message{}, func(yield func(warren.Message, error) bool) {
			<-release
			yield(warren.Message{}, nil)
		}))
		require.Equal(t, collected{bodies: []string{"0", "1", "2"}}, all)
		time.AfterFunc(time.Second, func() { close(release) })
		began := time.Now()
		require.NoError(t, b.Close())
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestAnAMQPClientSendsItems(t *testing.T) {
	withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
		_, err := b.HandleStream("q", double)
		require.NoError(t, err)
		c := newWireClient(t, dial)
		c.send("q", "c", "", amqp091.Table{"x-warren-stream": int32(1000), "x-warren-stream-in": true})
		server := c.gets(amqp091.Table{"x-warren-credit": int64(256)}, "").ReplyTo
		for i := range 300 {
			if i == 256 {
				synctest.Wait() // for more credit
			}
			c.send(server, "c", "x", amqp091.Table{"x-warren-item": int32(i + 1)})
		}
		items, credit := 0, 0
		synctest.Wait()
		for len(c.came) > 0 || items < 300 {
			d := <-c.came
			if d.Headers["x-warren-credit"] != nil {
				credit += int(d.Headers["x-warren-credit"].(int64))
				continue
			}
			require.Equal(t, "xx", string(d.Body))
			items++
		}
		require.Equal(t, 256, credit, "for two halves of the window")
		c.send(server, "c", "", amqp091.Table{"x-warren-end": int32(300)})
		c.gets(amqp091.Table{"x-warren-end": int64(300)}, "")
		require.NoError(t, c.conn.Close())
		brokertest.Clean(t, b)
	})
}

// What a caller over AMQP may do wrong comes to the handler as an error of its items.
func TestAnAMQPClientSendsItemsOtherwise(t *testing.T) {
	item := func(n int) amqp091.Table { return amqp091.Table{"x-warren-item": int64(n)} }
	for _, test := range []struct {
		name     string
		messages []amqp091.Table
		items    int
		is       error
	}{
		{"none", []amqp091.Table{{"x-warren-end": int32(0)}}, 0, nil},
		{"error", []amqp091.Table{item(1), {"x-warren-error": "own", "x-warren-error-text": "words"}}, 1, &warren.RemoteError{Code: "own"}},
		{"error with its end", []amqp091.Table{item(1), {"x-warren-error": "own", "x-warren-end": int32(1)}}, 1, &warren.RemoteError{Code: "own"}},
		{"gap", []amqp091.Table{item(1), item(3)}, 1, warren.ErrBrokenStream},
		{"zero", []amqp091.Table{item(0)}, 0, warren.ErrBrokenStream},
		{"too few", []amqp091.Table{item(1), {"x-warren-end": int32(2)}}, 1, warren.ErrBrokenStream},
		{"no header", []amqp091.Table{nil}, 0, warren.ErrBrokenStream},
		{"cancelled", []amqp091.Table{item(1), {"x-warren-cancel": true}}, 1, context.Canceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
				got := make(chan collected, 1)
				_, err := b.HandleStream("q", func(_ context.Context, _ *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
					got <- collect(in)
					return nil
				})
				require.NoError(t, err)
				c := newWireClient(t, dial)
				c.send("q", "c", "", amqp091.Table{"x-warren-stream": int32(10), "x-warren-stream-in": true})
				server := c.gets(amqp091.Table{"x-warren-credit": int64(256)}, "").ReplyTo
				for _, headers := range test.messages {
					c.send(server, "c", "x", headers)
				}
				all := <-got
				require.Len(t, all.bodies, test.items)
				require.ErrorIs(t, all.err, test.is)
				c.gets(amqp091.Table{"x-warren-end": int64(0)}, "")
				require.NoError(t, c.conn.Close())
				brokertest.Clean(t, b)
			})
		})
	}
}

func TestAnAMQPServerGetsItems(t *testing.T) {
	for _, credit := range []int{0, 1, 3, 100} {
		withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
			c := newWireClient(t, dial)
			requests := c.serves("q")
			got := collecting(b.CallStream(t.Context(), "q", warren.Message{}, bodies(5)))
			r := <-requests
			require.Equal(t, amqp091.Table{"x-warren-stream": int64(256), "x-warren-stream-in": true}, r.Headers)
			c.getsNothing()
			c.send(r.ReplyTo, r.CorrelationId, "", amqp091.Table{"x-warren-credit": int32(credit)})
			for i := range min(credit, 5) {
				d := c.gets(amqp091.Table{"x-warren-item": int64(i + 1)}, fmt.Sprint(i))
				require.Equal(t, r.CorrelationId, d.CorrelationId)
				require.Equal(t, r.ReplyTo, d.ReplyTo)
			}
			if credit == 100 {
				c.gets(amqp091.Table{"x-warren-end": int64(5)}, "")
			} else {
				c.getsNothing()
				c.send(r.ReplyTo, r.CorrelationId, "a", amqp091.Table{"x-warren-item": int32(1), "x-warren-credit": int32(1)})
				c.gets(amqp091.Table{"x-warren-item": int64(credit + 1)}, fmt.Sprint(credit))
				c.getsNothing()
			}
			c.send(r.ReplyTo, r.CorrelationId, "", amqp091.Table{"x-warren-error": "own"})
			all := <-got
			require.ErrorIs(t, all.err, &warren.RemoteError{Code: "own"})
			require.NoError(t, r.Ack(false))
			c.getsNothing()
			require.NoError(t, c.conn.Close())
			brokertest.Clean(t, b)
		})
	}
}

// A server that wants no items is told of their end and their error all the same.
func TestAnAMQPServerIsToldHowTheCallersItemsEnd(t *testing.T) {
	withWire(t, nil, func(t *testing.T, b *warren.Broker, dial brokertest.Dialer) {
		c := newWireClient(t, dial)
		requests := c.serves("q")
		for _, test := range []struct {
			err  error
			want amqp091.Table
		}{
			{nil, amqp091.Table{"x-warren-end": int64(0)}},
			{errors.New("secret"), amqp091.Table{"x-warren-end": int64(0), "x-warren-error": "error", "x-warren-error-text": "the items of the caller ended with an error"}},
			{&warren.RemoteError{Code: "own", Text: "words"}, amqp091.Table{"x-warren-end": int64(0), "x-warren-error": "own", "x-warren-error-text": "words"}},
		} {
			got := collecting(b.CallStream(t.Context(), "q", warren.Message{}, func(yield func(warren.Message, error) bool) {
				if test.err != nil {
					yield(warren.Message{}, test.err)
				}
			}))
			r := <-requests
			c.send(r.ReplyTo, r.CorrelationId, "", amqp091.Table{"x-warren-credit": int32(0)})
			c.gets(test.want, "")
			c.send(r.ReplyTo, r.CorrelationId, "", amqp091.Table{"x-warren-end": int32(0)})
			require.Equal(t, collected{}, <-got)
			require.NoError(t, r.Ack(false))
		}
		require.NoError(t, c.conn.Close())
		brokertest.Clean(t, b)
	})
}
