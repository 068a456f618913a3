package warren_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// Whoever works on a delivery settles it before the broker ends, may publish what
// comes of it, and gets nothing new.
func TestShutdownWaitsForThoseWhoWorkOnDeliveries(t *testing.T) {
	work := func(ctx context.Context, ch *warren.Channel, d *warren.Delivery) error {
		time.Sleep(time.Hour)
		return ch.Publish(ctx, "", "results", d.Message, warren.PublishOptions{Mandatory: true})
	}
	for name, start := range map[string]func(b *warren.Broker, ch *warren.Channel, o warren.ConsumeOptions) <-chan error{
		"loop of a channel": func(_ *warren.Broker, ch *warren.Channel, o warren.ConsumeOptions) <-chan error {
			ended := make(chan error, 1)
			go func() {
				for d, err := range ch.Deliveries(context.Background(), "q", o) {
					if err == nil {
						if err = work(context.Background(), ch, &d); err == nil && !o.NoAck {
							err = d.Ack(false)
						}
					}
					if err != nil {
						ended <- err
						return
					}
				}
			}()
			return ended
		},
		"loop of a consumer": func(_ *warren.Broker, ch *warren.Channel, o warren.ConsumeOptions) <-chan error {
			ended := make(chan error, 1)
			c, err := ch.Consume("q", o)
			if err != nil {
				panic(err)
			}
			go func() {
				for d, err := range c.Deliveries(context.Background()) {
					if err == nil {
						if err = work(context.Background(), ch, &d); err == nil && !o.NoAck {
							err = ch.Ack(0, true)
						}
					}
					if err != nil {
						ended <- err
						return
					}
				}
			}()
			return ended
		},
		"function": func(b *warren.Broker, ch *warren.Channel, o warren.ConsumeOptions) <-chan error {
			ended := make(chan error, 1)
			results := brokertest.MustChannel(b) // a channel of its own, by the function's context
			c, err := ch.ConsumeFunc("q", o, func(ctx context.Context, d warren.Delivery) error { return work(ctx, results, &d) })
			if err != nil {
				panic(err)
			}
			go func() { <-c.Done(); ended <- c.Err() }()
			return ended
		},
		"steps": func(_ *warren.Broker, ch *warren.Channel, o warren.ConsumeOptions) <-chan error {
			ended := make(chan error, 1)
			c, err := ch.Consume("q", warren.ConsumeOptions{Prefetch: o.Prefetch})
			if err != nil {
				panic(err)
			}
			go func() {
				for {
					d, err := c.Next(context.Background())
					if err == nil {
						err = work(context.Background(), ch, &d)
					}
					if err == nil {
						err = d.Ack(false)
					}
					if err != nil {
						ended <- err
						return
					}
				}
			}()
			return ended
		},
	} {
		for _, o := range []warren.ConsumeOptions{{}, {Prefetch: 1}, {NoAck: true}} {
			t.Run(fmt.Sprintf("%s, prefetch %d, NoAck %t", name, o.Prefetch, o.NoAck), func(t *testing.T) {
				brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
					host := brokertest.Channel(t, b)
					brokertest.Queues(t, host, "q", "results")
					brokertest.Fill(t, host, "q", brokertest.Numbers(1, 5)...)
					var served atomic.Int32
					brokertest.Handle(t, b, "results", func(context.Context, *warren.Request) (warren.Message, error) {
						time.Sleep(time.Hour)
						served.Add(1)
						return warren.Message{}, nil
					})
					ended := start(b, brokertest.Channel(t, b), o)
					brokertest.Later(90 * time.Minute) // in the second one
					begin := time.Now()
					down := shutDown(t.Context(), b)
					require.Empty(t, down)
					var dropped *warren.DroppedError
					require.ErrorAs(t, <-down, &dropped)
					require.Equal(t, &warren.DroppedError{Messages: 3, Queues: []warren.DroppedQueue{{VirtualHost: "/", Name: "q", Ready: 3}}}, dropped)
					require.Equal(t, 90*time.Minute, time.Since(begin), "the delivery, and then what came of it")
					require.EqualValues(t, 2, served.Load())
					require.ErrorIs(t, <-ended, warren.ErrClosed)
				})
			})
		}
	}
}

// What was taken and not settled is waited for, until its channel is closed or the
// context ends.
func TestShutdownWaitsForWhatIsNotSettled(t *testing.T) {
	for name, finish := range map[string]func(b *warren.Broker, ch *warren.Channel) error{
		"ack":           func(_ *warren.Broker, ch *warren.Channel) error { return ch.Ack(0, true) },
		"ack of each":   func(_ *warren.Broker, ch *warren.Channel) error { ch.Ack(1, false); return ch.Ack(2, false) },
		"reject":        func(_ *warren.Broker, ch *warren.Channel) error { return ch.Nack(0, true, false) },
		"requeue":       func(_ *warren.Broker, ch *warren.Channel) error { return ch.Nack(0, true, true) },
		"recover":       func(_ *warren.Broker, ch *warren.Channel) error { return ch.Recover(true) },
		"recover to it": func(_ *warren.Broker, ch *warren.Channel) error { return ch.Recover(false) },
		"close":         func(_ *warren.Broker, ch *warren.Channel) error { return ch.Close() },
		"broker":        func(b *warren.Broker, _ *warren.Channel) error { return b.Close() },
		"transaction": func(_ *warren.Broker, ch *warren.Channel) error {
			if err := ch.Tx(); err != nil {
				return err
			}
			if err := ch.Ack(0, true); err != nil {
				return err
			}
			synctest.Wait()
			return ch.TxCommit()
		},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				brokertest.Fill(t, ch, "q", "1", "2", "3")
				brokertest.Take(t, ch, "q")
				c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
				brokertest.Next(t, c)
				down := shutDown(t.Context(), b)
				brokertest.Later(time.Hour)
				require.Empty(t, down)
				require.NoError(t, finish(b, ch))
				err := <-down
				if name == "broker" {
					return // what there was when Close began is not told
				}
				var dropped *warren.DroppedError
				require.ErrorAs(t, err, &dropped)
				want := map[string]int{"requeue": 3, "recover": 3, "recover to it": 3, "close": 3}[name]
				require.Equal(t, max(1, want), dropped.Messages)
				require.Zero(t, dropped.Queues[0].Unacked)
			})
		})
	}
}

func TestShutdownTellsWhatItInterrupted(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "a", "b", "c", "d", "empty", "q")
		brokertest.Stream(t, ch, "stream", warren.QueueOptions{})
		require.NoError(t, ch.ExchangeDeclare("later", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Fanout}))
		require.NoError(t, ch.QueueBind("q", "", "later", nil))
		putDelayed(t, ch, "later", "", "x", time.Hour)
		for i, q := range []string{"a", "b", "c", "d", "stream"} {
			brokertest.Fill(t, ch, q, brokertest.Numbers(0, i)...)
		}
		brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 9)...)
		cut := make(chan error, 1)
		c := consumeFunc(t, ch, "q", warren.ConsumeOptions{Prefetch: 1}, func(ctx context.Context, _ warren.Delivery) error {
			<-ctx.Done()
			cut <- ctx.Err()
			return nil
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := b.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var dropped *warren.DroppedError
		require.ErrorAs(t, err, &dropped)
		require.Equal(t, &warren.DroppedError{Messages: 21, Delayed: 1, Queues: []warren.DroppedQueue{
			{VirtualHost: "/", Name: "q", Ready: 9, Unacked: 1},
			{VirtualHost: "/", Name: "d", Ready: 4},
			{VirtualHost: "/", Name: "c", Ready: 3},
			{VirtualHost: "/", Name: "b", Ready: 2},
			{VirtualHost: "/", Name: "a", Ready: 1},
		}}, dropped)
		require.EqualError(t, dropped, "warren: 21 messages were dropped with the broker: 10 of queue 'q' in vhost '/', "+
			"4 of queue 'd' in vhost '/', 3 of queue 'c' in vhost '/', those of 2 other queues, 1 of delayed exchanges")
		require.ErrorIs(t, <-cut, context.Canceled)
		<-c.Done()
	})
}

// Shutdown asks nothing of those who only wait for replies.
func TestShutdownDoesNotWaitForReadersOfReplies(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "rpc", gate.Serve)
		replies := make(chan string, 1)
		c := consumeFunc(t, ch, warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true}, func(_ context.Context, d warren.Delivery) error {
			replies <- string(d.Body)
			return nil
		})
		require.NoError(t, brokertest.Send(ch, "", "rpc", warren.Message{ReplyTo: warren.DirectReplyTo, Body: []byte("x")}, warren.PublishOptions{}))
		<-gate.Entered
		down := shutDown(t.Context(), b)
		close(gate.Release)
		require.NoError(t, <-down)
		require.Equal(t, "x", <-replies, "the reply of a handler that drains still comes")
		<-c.Done()
	})
}

// An auto-delete queue stays while the broker drains, for handlers that publish to
// it, and to be told of.
func TestShutdownKeepsTheQueuesOfItsConsumers(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{AutoDelete: true})
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "rpc", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			if _, err := gate.Serve(ctx, req); err != nil {
				return warren.Message{}, err
			}
			return warren.Message{}, ch.Publish(ctx, "", "q", warren.Message{}, warren.PublishOptions{Mandatory: true})
		})
		call := brokertest.Call(t.Context(), b, "rpc", "x")
		<-gate.Entered
		down := shutDown(t.Context(), b)
		close(gate.Release)
		require.NoError(t, (<-call).Err)
		require.EqualError(t, <-down, "warren: 1 messages were dropped with the broker: 1 of queue 'q' in vhost '/'")
	})
}

// A consumer that starts while Shutdown begins is refused or waited for.
func TestConsumersThatStartDuringShutdown(t *testing.T) {
	for range 50 {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q")
			ended := make(chan error, 10)
			for range cap(ended) {
				go func() {
					for _, err := range ch.Deliveries(context.Background(), "q", warren.ConsumeOptions{}) {
						ended <- err
					}
				}()
			}
			require.NoError(t, b.Shutdown(t.Context()))
			for range cap(ended) {
				require.ErrorIs(t, <-ended, warren.ErrClosed)
			}
		})
	}
}

// TestShutdownWaitsForAFunctionThatFails: what it worked on becomes a dead letter before
// the end, also after a panic, and it gets nothing more.
func TestShutdownWaitsForAFunctionThatFails(t *testing.T) {
	for _, panics := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := warren.New(nil)
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "lost")
			brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "lost"}})
			brokertest.Fill(t, ch, "q", "a", "b", "c")
			c, err := ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(context.Context, warren.Delivery) error {
				time.Sleep(time.Second)
				if panics {
					panic("no")
				}
				return errors.New("no")
			})
			require.NoError(t, err)
			synctest.Wait()
			var dropped *warren.DroppedError
			require.ErrorAs(t, b.Shutdown(t.Context()), &dropped)
			require.Equal(t, []warren.DroppedQueue{
				{VirtualHost: "/", Name: "q", Ready: 2}, {VirtualHost: "/", Name: "lost", Ready: 1},
			}, dropped.Queues)
			require.Equal(t, uint64(1), b.Stats().Failed)
			<-c.Done()
		})
	}
}
