package warren

import (
	"context"

	"github.com/warrenmq/warren/internal/wire"
)

// Confirmation is the broker's answer to a message that was published in
// confirm mode: basic.ack or basic.nack.
type Confirmation struct {
	// DeliveryTag numbers the channel's publishes in confirm mode from 1.
	DeliveryTag uint64

	done chan struct{} // closed when acked is known
	ok   bool
}

// resolve gives the answer, once.
func (c *Confirmation) resolve(acked bool) {
	c.ok = acked
	close(c.done)
}

// Done is closed when the answer is there.
func (c *Confirmation) Done() <-chan struct{} { return c.done }

// Acked reports whether the broker has taken responsibility for the message.
// It is false as long as there is no answer.
func (c *Confirmation) Acked() bool {
	select {
	case <-c.done:
		return c.ok
	default:
		return false
	}
}

// Wait waits for the answer: nil for an ack, [ErrNacked] for a nack, ctx's
// error if ctx ends first.
func (c *Confirmation) Wait(ctx context.Context) error {
	select {
	case <-c.done:
	case <-ctx.Done():
		select {
		case <-c.done: // it was first
		default:
			return ctx.Err()
		}
	}
	if !c.ok {
		return ErrNacked
	}
	return nil
}

// Confirm puts the channel into confirm mode (confirm.select): from now on
// publishes are numbered and PublishConfirm may be used. It fails with 406 on a channel with
// transactions. A second call does nothing.
func (ch *Channel) Confirm() error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if err := ch.checkOpen(); err != nil {
		return err
	}
	if ch.mode.Load() == modeTx {
		return failure(wire.ConfirmSelectID, wire.CodePreconditionFailed, "cannot switch from tx to confirm mode")
	}
	ch.mode.Store(modeConfirm)
	return nil
}

// PublishConfirm is Publish on a channel in confirm mode, with an answer that
// can be awaited later. A message that is returned has an answer as well,
// beside the *[Return].
func (ch *Channel) PublishConfirm(ctx context.Context, exchange, key string, msg Message, o PublishOptions) (*Confirmation, error) {
	if err := ch.checkOpen(); err != nil {
		return nil, err
	}
	if ch.mode.Load() != modeConfirm {
		return nil, failure(wire.BasicPublishID, wire.CodePreconditionFailed, "channel is not in confirm mode").withHint("call Confirm first")
	}
	c := &Confirmation{done: make(chan struct{})}
	tag, nacked, err := ch.publishNumbered(ctx, exchange, key, &msg, o)
	if tag == 0 {
		return nil, err
	}
	c.DeliveryTag = tag
	c.resolve(!nacked)
	return c, err
}
