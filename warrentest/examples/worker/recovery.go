package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rabbitmq/amqp091-go"
)

// RunRecovering is Run with the reconnects of amqp091-go: the library connects again, opens
// the channel, declares and consumes. The worker begins anew only when the library has
// given up.
func RunRecovering(ctx context.Context, c Config) {
	for ctx.Err() == nil {
		if err := serveRecovering(ctx, c); err != nil && c.Log != nil {
			c.Log(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(firstPause):
		}
	}
}

// serveRecovering does jobs until the library gives up or ctx ends.
func serveRecovering(ctx context.Context, c Config) error {
	g := &guard{config: c}
	properties := amqp091.NewConnectionProperties()
	properties.SetClientConnectionName("worker")
	conn, err := amqp091.DialConfig(c.url(), amqp091.Config{
		Heartbeat:  heartbeat,
		Properties: properties,
		Dial:       g.dial,
		Recovery: &amqp091.Recovery{
			ReconnectionConfig: &amqp091.ReconnectionConfig{MaxRetryCount: 10, RetryInterval: firstPause},
		},
	})
	if err != nil {
		g.opened()
		return fmt.Errorf("connect: %w", err)
	}
	// If a confirm does not come, the library may have lost count: a publish that fails while
	// it opens the channel again is taken off the new channel's number. Then no confirm is for
	// the right publish any more, until there is another connection.
	giveUp := func() { conn.CloseDeadline(time.Now().Add(c.patience())) }
	defer giveUp()
	changes := make(chan *amqp091.StateChanged)
	conn.NotifyStateChange(changes)
	go func() {
		for change := range changes {
			if change.To == amqp091.StateOpen {
				g.opened()
			}
		}
	}()
	ch, err := prepare(conn)
	if err != nil {
		return err
	}
	deliveries, err := ch.Consume(Jobs, "worker", false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	g.opened()
	returns := watchReturns(ch)
	closes := ch.NotifyClose(make(chan *amqp091.Error, 1))
	go func() {
		for range closes {
			g.epoch.Add(1)
		}
	}()
	var jobs sync.WaitGroup
	defer jobs.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil // what has come meanwhile goes back to the queue
		case d, ok := <-deliveries:
			if !ok {
				return errors.New("the consumer has ended")
			}
			epoch := g.epoch.Load()
			jobs.Go(func() {
				result := c.Do(d.Body)
				for ctx.Err() == nil && g.epoch.Load() == epoch {
					err := publish(ch, returns, c.patience(), Results, d.MessageId, result)
					switch {
					case err == nil:
						if g.epoch.Load() == epoch {
							d.Ack(false)
						}
						return
					case errors.Is(err, context.DeadlineExceeded) && g.epoch.CompareAndSwap(epoch, epoch+1):
						giveUp()
					}
					time.Sleep(firstPause)
				}
			})
		}
	}
}

// guard closes the socket of a connection that does not open in time, because the library
// waits for the answers to what it sends then without a bound. And it counts connections
// and channels: a delivery of one that has gone must not be acknowledged on the next, where
// its tag is another job's. That job comes again.
type guard struct {
	config Config
	epoch  atomic.Int64

	mu    sync.Mutex
	timer *time.Timer // guarded by mu; nil: none yet
}

// dial opens a connection.
func (g *guard) dial(network, addr string) (net.Conn, error) {
	socket, err := g.config.dial(network, addr)
	if err != nil {
		return nil, err
	}
	g.epoch.Add(1)
	g.opened() // the one before has failed
	g.mu.Lock()
	defer g.mu.Unlock()
	g.timer = time.AfterFunc(g.config.patience(), func() { socket.Close() })
	return socket, nil
}

// opened says that the connection is open, or has failed.
func (g *guard) opened() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.timer != nil {
		g.timer.Stop()
	}
}
