package warren

import (
	"context"
	"sync"
	"sync/atomic"
)

// Confirmation is the broker's answer to a message that was published in
// confirm mode: basic.ack or basic.nack.
type Confirmation struct {
	// DeliveryTag is the number of the publish: it counts the channel's publishes in
	// confirm mode from 1.
	DeliveryTag uint64

	answered atomic.Bool // set after err
	err      error       // nil: an ack

	mu   sync.Mutex
	done chan struct{} // closed after the answer; nil until somebody asks. Guarded by mu
}

// Answer sets the answer: nil is an ack, an error a nack or the reason why there is no
// answer. It is called once.
func (c *confirmation) Answer(err error) {
	c.err = err
	c.mu.Lock()
	c.answered.Store(true)
	done := c.done
	c.mu.Unlock()
	if done != nil {
		close(done)
	}
}

// confirmation is a Confirmation as those see it who answer it.
type confirmation Confirmation

// Done returns a channel that is closed when the answer has come.
func (c *Confirmation) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.answered.Load() {
			close(c.done)
		}
	}
	return c.done
}

// Acked reports whether the answer is an ack: the broker is responsible for the
// message. It is false until the answer has come.
func (c *Confirmation) Acked() bool { return c.answered.Load() && c.err == nil }

// Wait waits for the answer. It returns nil for an ack, [ErrNacked] for a nack,
// [ErrClosed] if the channel was closed before there was an answer, and ctx's error if
// ctx ends first. With any of these errors the message may be kept or not.
func (c *Confirmation) Wait(ctx context.Context) error {
	if c.answered.Load() {
		return c.err
	}
	select {
	case <-c.Done():
		return c.err
	case <-ctx.Done():
	}
	if c.answered.Load() { // the answer came before ctx ended
		return c.err
	}
	return ctx.Err()
}
