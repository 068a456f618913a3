package warren

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/wire"
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

// Confirm puts the channel into confirm mode (confirm.select): from now on publishes
// are numbered and PublishConfirm may be used. It fails with 406 in transaction
// mode. A second call does nothing.
func (ch *Channel) Confirm() error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if err := ch.checkOpen(); err != nil {
		return err
	}
	if ch.mode.Load() == modeTx {
		return failure(wire.ConfirmSelectID, wire.CodePreconditionFailed, "cannot switch from tx to confirm mode")
	}
	ch.openLine()
	ch.mode.Store(modeConfirm)
	return nil
}

// PublishConfirm is Publish on a channel in confirm mode that does not wait for the
// answer: that can be awaited later. A persistent message is acked when it is on disk
// in each durable queue that it went to. All other messages, and those of a broker
// from [New], are answered at once. A returned message has both an answer and a
// *[Return] error. PublishConfirm fails with 406 without Confirm.
func (ch *Channel) PublishConfirm(ctx context.Context, exchange, key string, msg Message, o PublishOptions) (*Confirmation, error) {
	if ch.vhost.broker.options.Tracer != nil {
		return ch.publishConfirmTraced(ctx, exchange, key, msg, o)
	}
	return ch.publishToConfirm(ctx, exchange, key, &msg, o)
}

// publishToConfirm is PublishConfirm without a tracer.
func (ch *Channel) publishToConfirm(ctx context.Context, exchange, key string, msg *Message, o PublishOptions) (*Confirmation, error) {
	if err := ch.checkOpen(); err != nil {
		return nil, err
	}
	if ch.mode.Load() != modeConfirm {
		return nil, failure(wire.BasicPublishID, wire.CodePreconditionFailed, "channel is not in confirm mode").withHint("call Confirm first")
	}
	tag, synced, nacked, err := ch.publishNumbered(ctx, exchange, key, msg, o)
	if tag == 0 {
		return nil, err
	}
	c := &Confirmation{DeliveryTag: tag}
	switch {
	case nacked:
		c.err = ErrNacked
	case synced != 0:
		ch.line.Add(synced, tag, (*confirmation)(c))
		return c, err
	}
	c.answered.Store(true)
	return c, err
}

// publishConfirmTraced is publishToConfirm with a tracer. It does not wait for the answer.
func (ch *Channel) publishConfirmTraced(ctx context.Context, exchange, key string, msg Message, o PublishOptions) (*Confirmation, error) {
	ctx, end := ch.tracePublish(ctx, exchange, key, &msg)
	c, err := ch.publishToConfirm(ctx, exchange, key, &msg, o)
	end(err)
	return c, err
}

// awaitSync waits until a record is on disk.
func (ch *Channel) awaitSync(ctx context.Context, synced uint64) error {
	var c Confirmation
	ch.line.Add(synced, 0, (*confirmation)(&c))
	err := c.Wait(ctx)
	if err != nil && err == ctx.Err() {
		return fmt.Errorf("%w: whether the message is on disk is not known yet", err)
	}
	return err
}
