package warren

import (
	"context"

	"github.com/warrenmq/warren/internal/wire"
)

// Confirmation is the broker's answer to a message that was published in
// confirm mode: basic.ack or basic.nack.
type Confirmation struct {
	// DeliveryTag is the number of the publish: it counts the channel's publishes in
	// confirm mode from 1.
	DeliveryTag uint64

	done chan struct{} // closed after ok is set
	ok   bool
}

// resolve sets the answer. It is called once.
func (c *Confirmation) resolve(acked bool) {
	c.ok = acked
	close(c.done)
}

// Done returns a channel that is closed when the answer has come.
func (c *Confirmation) Done() <-chan struct{} { return c.done }

// Acked reports whether the answer is an ack: the broker is responsible for the
// message. It is false until the answer has come.
func (c *Confirmation) Acked() bool {
	select {
	case <-c.done:
		return c.ok
	default:
		return false
	}
}

// Wait waits for the answer. It returns nil for an ack, [ErrNacked] for a nack, and
// ctx's error if ctx ends first.
func (c *Confirmation) Wait(ctx context.Context) error {
	select {
	case <-c.done:
	case <-ctx.Done():
		select {
		case <-c.done: // the answer came before ctx ended
		default:
			return ctx.Err()
		}
	}
	if !c.ok {
		return ErrNacked
	}
	return nil
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
	ch.mode.Store(modeConfirm)
	return nil
}

// PublishConfirm is Publish on a channel in confirm mode. The returned answer can be
// awaited later. A returned message has both an answer and a *[Return] error. It
// fails with 406 without Confirm.
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
