package warren

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/wire"
)

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
	if ch.vhost.broker.options.Intercept.Publish != nil {
		return ch.publishConfirmIntercepted(ctx, exchange, key, msg, o)
	}
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
	switch ch.mode.Load() {
	case modeConfirm:
	case modeElsewhere:
		return ch.confirmElsewhere(ctx, exchange, key, msg, o)
	default:
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

// publishConfirmIntercepted is PublishConfirm with interceptors. They may call
// publishNext, which leaves the Confirmation in the options, more than once, or never.
func (ch *Channel) publishConfirmIntercepted(ctx context.Context, exchange, key string, msg Message, o PublishOptions) (*Confirmation, error) {
	o.confirmed = new(atomic.Pointer[Confirmation])
	err := (*ch.vhost.broker.publishIntercepted())(ctx, ch, exchange, key, msg, o)
	c := o.confirmed.Load()
	if c == nil && err == nil {
		c = &Confirmation{}
		c.answered.Store(true)
	}
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
