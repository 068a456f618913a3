package warren_test

import (
	"context"
	"errors"
	"fmt"
	"net"
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

// methodsOf is every method of a channel that can fail.
func methodsOf(ch *warren.Channel) map[string]func() error {
	ctx := context.Background()
	return map[string]func() error{
		"ExchangeDeclare":        func() error { return ch.ExchangeDeclare("x", warren.Direct, warren.ExchangeOptions{}) },
		"ExchangeDeclarePassive": func() error { return ch.ExchangeDeclarePassive("amq.direct") },
		"ExchangeDelete":         func() error { return ch.ExchangeDelete("x", warren.ExchangeDeleteOptions{}) },
		"ExchangeBind":           func() error { return ch.ExchangeBind("amq.direct", "", "amq.fanout", nil) },
		"ExchangeUnbind":         func() error { return ch.ExchangeUnbind("amq.direct", "", "amq.fanout", nil) },
		"QueueDeclare":           func() error { _, err := ch.QueueDeclare("q", warren.QueueOptions{}); return err },
		"QueueDeclare exclusive": func() error { _, err := ch.QueueDeclare("", warren.QueueOptions{Exclusive: true}); return err },
		"QueueDeclarePassive":    func() error { _, err := ch.QueueDeclarePassive("q"); return err },
		"QueueBind":              func() error { return ch.QueueBind("q", "", "amq.fanout", nil) },
		"QueueUnbind":            func() error { return ch.QueueUnbind("q", "", "amq.fanout", nil) },
		"QueuePurge":             func() error { _, err := ch.QueuePurge("q"); return err },
		"QueueDelete":            func() error { _, err := ch.QueueDelete("q", warren.QueueDeleteOptions{}); return err },
		"Publish":                func() error { return ch.Publish(ctx, "", "q", warren.Message{}, warren.PublishOptions{}) },
		"Publish to nobody": func() error {
			return ch.Publish(ctx, "", "nobody", warren.Message{}, warren.PublishOptions{Mandatory: true})
		},
		"PublishConfirm": func() error {
			_, err := ch.PublishConfirm(ctx, "", "q", warren.Message{}, warren.PublishOptions{})
			return err
		},
		"Consume": func() error { _, err := ch.Consume("q", warren.ConsumeOptions{}); return err },
		"Consume replies": func() error {
			_, err := ch.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
			return err
		},
		"ConsumeFunc": func() error {
			_, err := ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(context.Context, warren.Delivery) error { return nil })
			return err
		},
		"Deliveries": func() error {
			for _, err := range ch.Deliveries(ctx, "q", warren.ConsumeOptions{}) {
				return err
			}
			return errors.New("no error")
		},
		"Cancel":     func() error { return ch.Cancel("tag") },
		"Get":        func() error { _, _, err := ch.Get("q", true); return err },
		"Ack":        func() error { return ch.Ack(1, false) },
		"Ack all":    func() error { return ch.Ack(0, true) },
		"Nack":       func() error { return ch.Nack(1, false, true) },
		"Reject":     func() error { return ch.Reject(1, true) },
		"Recover":    func() error { return ch.Recover(true) },
		"Qos":        func() error { return ch.Qos(1, warren.QosOptions{}) },
		"Qos global": func() error { return ch.Qos(1, warren.QosOptions{Global: true}) },
		"Flow":       func() error { return ch.Flow(false) },
		"Confirm":    ch.Confirm,
		"Tx":         ch.Tx,
		"TxCommit":   ch.TxCommit,
		"TxRollback": ch.TxRollback,
	}
}

func TestEveryMethodOfAClosedChannelFails(t *testing.T) {
	for name, end := range map[string]func(*warren.Broker, *warren.Channel) error{
		"channel": func(_ *warren.Broker, ch *warren.Channel) error { return errors.Join(ch.Close(), ch.Close()) },
		"session": func(_ *warren.Broker, ch *warren.Channel) error {
			return errors.Join(ch.Session().Close(), ch.Session().Close())
		},
		"broker": func(b *warren.Broker, _ *warren.Channel) error { return b.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				brokertest.Queues(t, brokertest.Channel(t, b), "q")
				ch := brokertest.Channel(t, b)
				require.NoError(t, end(b, ch))
				for method, f := range methodsOf(ch) {
					err := f()
					require.ErrorIs(t, err, warren.ErrClosed, method)
					require.ErrorIs(t, err, net.ErrClosed, method)
				}
				require.NoError(t, ch.Close())
			})
		})
	}
}

func TestAClosedBrokerTakesNothing(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		s, err := b.Session()
		require.NoError(t, err)
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		h := brokertest.Handle(t, b, "q", brokertest.Echo)
		require.NoError(t, b.Close())
		ctx := t.Context()
		for name, f := range map[string]func() error{
			"Session":             func() error { _, err := b.Session(); return err },
			"Channel":             func() error { _, err := b.Channel(); return err },
			"Session.Channel":     func() error { _, err := s.Channel(); return err },
			"VirtualHost":         func() error { _, err := b.VirtualHost("/"); return err },
			"VirtualHostDeclare":  func() error { _, err := b.VirtualHostDeclare("w"); return err },
			"VirtualHostDelete":   func() error { return b.VirtualHostDelete("v") },
			"VirtualHost.Session": func() error { _, err := v.Session(); return err },
			"Call":                func() error { _, err := b.Call(ctx, "q", warren.Message{}); return err },
			"Call Via": func() error {
				_, err := b.Call(ctx, "q", warren.Message{}, warren.CallOptions{Exchange: "amq.fanout"})
				return err
			},
			"VirtualHost.Call":   func() error { _, err := v.Call(ctx, "q", warren.Message{}); return err },
			"CallFor":            func() error { _, err := warren.CallFor[int](ctx, b, "q", 1); return err },
			"Handle":             func() error { _, err := b.Handle("q", brokertest.Echo); return err },
			"Handle a new queue": func() error { _, err := v.Handle("new", brokertest.Echo); return err },
		} {
			err := f()
			require.ErrorIs(t, err, warren.ErrClosed, name)
			require.ErrorIs(t, err, net.ErrClosed, name)
		}
		require.NoError(t, h.Close())
		require.NoError(t, s.Close())
		require.NoError(t, b.Shutdown(ctx))
	})
}

func TestADeletedVirtualHostTakesNothing(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		gate := brokertest.NewGate()
		h := brokertest.Handle(t, v, "q", gate.Serve)
		running := brokertest.Call(t.Context(), v, "q", "x")
		<-gate.Entered
		ch := brokertest.Channel(t, v)
		require.NoError(t, b.VirtualHostDelete("v"))
		require.ErrorIs(t, (<-running).Err, warren.ErrClosed)
		_, err = v.Call(t.Context(), "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrClosed)
		_, err = v.Handle("q", brokertest.Echo)
		require.ErrorIs(t, err, warren.ErrClosed)
		_, err = ch.QueueDeclare("q", warren.QueueOptions{})
		require.ErrorIs(t, err, warren.ErrClosed)
		_, err = v.Session()
		require.ErrorIs(t, err, warren.ErrClosed)
		_, err = v.Channel()
		require.ErrorIs(t, err, warren.ErrClosed)
		require.Zero(t, b.Stats().Sessions)
		close(gate.Release)
		require.NoError(t, h.Close())
	})
}

// Calls at every stage end when the broker closes, all with ErrClosed.
func TestAllPendingCallsEndWhenTheBrokerCloses(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		const calls = 10000
		brokertest.Queues(t, brokertest.Channel(t, b), "unserved")
		var running atomic.Int32
		brokertest.Handle(t, b, "served", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			running.Add(1)
			<-ctx.Done()
			return warren.Message{}, ctx.Err()
		}, warren.HandleOptions{Concurrency: 100})
		_, err := brokertest.Channel(t, b).Consume("unserved", warren.ConsumeOptions{})
		require.NoError(t, err)
		var wg sync.WaitGroup
		var wrong atomic.Int32
		for i := range calls {
			wg.Go(func() {
				_, err := b.Call(context.Background(), []string{"served", "unserved"}[i%2], warren.Message{})
				if !errors.Is(err, warren.ErrClosed) {
					wrong.Add(1)
				}
			})
		}
		synctest.Wait()
		require.Equal(t, calls, b.Stats().Requesters)
		require.EqualValues(t, 100, running.Load())
		require.NoError(t, b.Close())
		wg.Wait()
		require.Zero(t, wrong.Load())
		brokertest.Clean(t, b)
	})
}

// Calls that come while the broker closes end, with an answer or ErrClosed.
func TestBrokerClosesUnderBusyCallers(t *testing.T) {
	for range 5 {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			brokertest.Handle(t, b, "q", brokertest.Echo, warren.HandleOptions{Concurrency: 2})
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					for {
						if _, err := b.Call(context.Background(), "q", warren.Message{}); err != nil {
							if !errors.Is(err, warren.ErrClosed) {
								t.Error(err)
							}
							return
						}
					}
				})
			}
			for range 50 {
				runtime.Gosched()
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			wg.Wait()
			brokertest.Clean(t, b)
		})
	}
}

func TestBrokerClosesUnderLoops(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		ended := make(chan error, 100)
		for i := range 10 {
			queue := fmt.Sprint("q", i)
			brokertest.Queues(t, ch, queue)
			brokertest.Fill(t, ch, queue, brokertest.Numbers(0, 99)...)
			go func() { // waits for more
				for _, err := range brokertest.MustChannel(b).Deliveries(context.Background(), queue, warren.ConsumeOptions{NoAck: i%2 == 0}) {
					if err != nil {
						ended <- err
					}
				}
			}()
			c, err := ch.ConsumeFunc(queue, warren.ConsumeOptions{Prefetch: 1}, func(context.Context, warren.Delivery) error { time.Sleep(time.Second); return nil })
			require.NoError(t, err)
			defer func() { <-c.Done() }()
		}
		requester, err := brokertest.MustChannel(b).Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		require.NoError(t, err)
		go func() {
			_, err := requester.Next(context.Background())
			ended <- err
		}()
		time.Sleep(100 * time.Millisecond)
		start := time.Now()
		require.NoError(t, b.Close())
		require.Less(t, time.Since(start), 2*time.Second, "it waits for the calls of functions, once")
		for range 11 {
			require.ErrorIs(t, <-ended, warren.ErrClosed)
		}
		brokertest.Clean(t, b)
	})
}

func TestSessionsCloseUnderEverything(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Queues(t, brokertest.Channel(t, b), "shared")
		var wg sync.WaitGroup
		for i := range 30 {
			s, err := b.Session()
			require.NoError(t, err)
			ch := brokertest.Channel(t, s)
			queue := fmt.Sprint("own", i)
			for _, f := range []func() error{
				func() error { _, err := ch.QueueDeclare(queue, warren.QueueOptions{Exclusive: true}); return err },
				func() error { return ch.QueueBind("shared", queue, "amq.topic", nil) },
				func() error { return ch.Publish(t.Context(), "", "shared", warren.Message{}, warren.PublishOptions{}) },
				func() error { _, _, err := ch.Get("shared", false); return err },
				func() error { return ch.Nack(0, true, true) },
				func() error {
					c, err := ch.Consume("shared", warren.ConsumeOptions{Prefetch: 5})
					if err == nil && i%2 == 0 {
						err = c.Cancel()
					}
					return err
				},
				func() error { _, err := s.Channel(); return err },
			} {
				wg.Go(func() {
					for range 10 * 300 {
						if err := f(); errors.Is(err, warren.ErrClosed) {
							return
						} else if err != nil && !errors.Is(err, warren.ErrNotAllowed) {
							t.Errorf("%d: %v", i, err)
							return
						}
						runtime.Gosched()
					}
				})
			}
			wg.Go(func() {
				for range i {
					runtime.Gosched()
				}
				s.Close()
			})
		}
		wg.Wait()
		synctest.Wait()
		s := b.Stats()
		require.Equal(t, 1, s.Sessions, "the one of the shared queue")
		require.Equal(t, 1, s.Queues)
		require.Zero(t, s.Consumers)
		require.Zero(t, s.Unacked)
		require.Equal(t, int(s.Published), s.Ready)
	})
}

func TestCloseTwiceAndByMany(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
			time.Sleep(time.Second) // takes no notice of its context
			return warren.Message{}, nil
		})
		call := brokertest.Call(t.Context(), b, "q", "x")
		synctest.Wait()
		start := time.Now()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
				if time.Since(start) != time.Second {
					t.Error("every Close waits for what runs")
				}
			})
		}
		require.ErrorIs(t, (<-call).Err, warren.ErrClosed)
		require.Zero(t, time.Since(start), "callers do not wait for the handler")
		wg.Wait()
		require.NoError(t, b.Close())
		require.Equal(t, time.Second, time.Since(start))
	})
}

func TestCloseGivesUpOnAHandlerThatDoesNotReturn(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Minute, 3 * time.Hour} {
		want := timeout
		if want == 0 {
			want = 10 * time.Second
		}
		synctest.Test(t, func(t *testing.T) {
			b := warren.New(&warren.Options{CloseTimeout: timeout})
			release := make(chan struct{})
			h := brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
				<-release
				return warren.Message{}, nil
			})
			call := brokertest.Call(t.Context(), b, "q", "x")
			synctest.Wait()
			start := time.Now()
			require.ErrorIs(t, b.Close(), context.DeadlineExceeded)
			require.Equal(t, want, time.Since(start))
			require.ErrorIs(t, (<-call).Err, warren.ErrClosed)
			require.Error(t, b.Close(), "it still runs")
			require.Equal(t, 2*want, time.Since(start))
			close(release)
			require.NoError(t, h.Close())
			require.NoError(t, b.Close())
		})
	}
}

// Who closes the broker from what the broker itself runs waits for himself.
func TestCloseFromInside(t *testing.T) {
	t.Run("handler", func(t *testing.T) {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			closed := make(chan error, 1)
			brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
				closed <- b.Close()
				return warren.Message{}, nil
			})
			start := time.Now()
			_, err := b.Call(t.Context(), "q", warren.Message{})
			require.ErrorIs(t, err, warren.ErrClosed)
			require.ErrorIs(t, <-closed, context.DeadlineExceeded)
			require.Equal(t, 10*time.Second, time.Since(start))
		})
	})
	t.Run("ConsumeFunc", func(t *testing.T) {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q")
			brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 1)...)
			closed := make(chan error, 2)
			c, err := ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(context.Context, warren.Delivery) error { closed <- b.Close(); return nil })
			require.NoError(t, err)
			<-c.Done()
			require.ErrorIs(t, <-closed, context.DeadlineExceeded)
			require.Empty(t, closed, "the second message is not shown")
		})
	})
	t.Run("channel in ConsumeFunc", func(t *testing.T) {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q")
			brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 1)...)
			n := 0
			c, err := ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(context.Context, warren.Delivery) error { n++; return ch.Close() })
			require.NoError(t, err)
			<-c.Done()
			require.Equal(t, 1, n)
			require.Equal(t, 2, b.Stats().Ready, "one comes back, one was not shown")
		})
	})
}

// TestWhoWaitsForAnotherCloseWaitsNoLongerThanHeMay has a first Close that is held up by
// a session whose end takes long.
func TestWhoWaitsForAnotherCloseWaitsNoLongerThanHeMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, free := warren.New(nil), make(chan struct{})
		v, err := b.VirtualHost("/")
		require.NoError(t, err)
		s, err := v.Session()
		require.NoError(t, err)
		s.Link().Ended(func(string) { <-free })
		first := make(chan error)
		go func() { first <- b.Close() }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, b.Shutdown(ctx), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.Error(t, b.Close())
		require.Equal(t, 11*time.Second, time.Since(start), "CloseTimeout")
		close(free)
		require.NoError(t, <-first)
	})
}
