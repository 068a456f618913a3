// Package worker is a worker with reconnects, written by hand with amqp091-go, and the
// same worker with the reconnects of that library. faults_test.go tries both with every
// fault.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rabbitmq/amqp091-go"
)

// The queues.
const (
	Jobs    = "jobs"
	Results = "results"
)

const (
	prefetch    = 4 // jobs at a time
	heartbeat   = 10 * time.Second
	firstPause  = time.Second // before the worker connects again, doubled each time
	longestTime = time.Minute // of a pause, and after which a connection was a good one
)

// Config says how a worker connects and what it does.
type Config struct {
	// URL is the broker's. Empty: of this machine.
	URL string
	// Dial opens a connection, as amqp091.Config.Dial. Nil: by TCP.
	Dial func(network, addr string) (net.Conn, error)
	// Patience is how long the broker may take for an answer. Zero: 30 seconds.
	Patience time.Duration
	// Do does a job.
	Do func(job []byte) (result []byte)
	// Log is told why a connection ended. Nil: nobody is.
	Log func(error)
}

func (c *Config) url() string { return cmp.Or(c.URL, "amqp://") }

func (c *Config) patience() time.Duration { return cmp.Or(c.Patience, 30*time.Second) }

func (c *Config) dial(network, addr string) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(network, addr)
	}
	return net.DialTimeout(network, addr, c.patience())
}

// Run does jobs until ctx ends: it takes them from the queue jobs, publishes each result
// to the queue results, and acknowledges the job when the broker has the result. So each
// job is done at least once, and twice when nobody can know. It connects again when
// anything goes wrong, with longer pauses each time, and does not return before that.
// At the end it finishes what it has begun.
func Run(ctx context.Context, c Config) {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, longestTime) {
		began := time.Now()
		err := serve(ctx, c)
		if c.Log != nil && err != nil {
			c.Log(err)
		}
		if time.Since(began) > longestTime {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// serve does jobs by one connection, until that fails or ctx ends.
func serve(ctx context.Context, c Config) error {
	l, err := open(c)
	if err != nil {
		return err
	}
	defer l.close()
	deliveries, err := l.consume()
	if err != nil {
		return err
	}
	var jobs sync.WaitGroup
	defer jobs.Wait()
	for {
		select {
		case <-ctx.Done():
			return l.cancel()
		case d, ok := <-deliveries:
			if !ok {
				return errors.New("the consumer has ended")
			}
			jobs.Go(func() {
				if err := do(l, d, c.Do); err != nil {
					l.fail(fmt.Errorf("job %s: %w", d.MessageId, err))
				}
			})
		}
	}
}

// do does a job. An error says that the connection is not to be used any more, so that the
// job will come again.
func do(l *link, d amqp091.Delivery, work func([]byte) []byte) error {
	err := l.publish(d.MessageId, work(d.Body))
	if errors.Is(err, errNacked) {
		time.Sleep(firstPause)
		return d.Nack(false, true) // the broker may take it later
	}
	if err != nil {
		return err
	}
	return d.Ack(false)
}
