package warren

import (
	"context"
	"errors"
)

// A call on a channel that waits for the disk ends with the channel, and with the channel's
// connection.

// await waits for the disk by a function, whose context ends with the channel and with
// its connection.
func (ch *Channel) await(wait func(ctx context.Context) error) error {
	ctx, c := ch.context(), ch.session.diskWait
	if c == nil {
		return wait(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	short, cancelShort := context.WithTimeout(ctx, diskPatience)
	defer cancelShort()
	err := wait(short)
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	c.waits(blockedReason(errDiskSlow))
	defer c.waits("")
	return wait(ctx)
}

// stored is Broker.stored for a call on the channel.
func (ch *Channel) stored(err error) error {
	b := ch.vhost.broker
	if err != nil || b.topology == nil {
		return err
	}
	return storedError(ch.await(b.topology.wait))
}

// storedIf is stored if something durable may have changed.
func (ch *Channel) storedIf(durable bool, err error) error {
	if !durable {
		return err
	}
	return ch.stored(err)
}

// channelWaiter is a channel that waits for messages that are on disk only. It implements
// queue.Waiter.
type channelWaiter Channel

// Await implements queue.Waiter.
func (w *channelWaiter) Await(loaded <-chan struct{}) bool {
	return (*Channel)(w).await(func(ctx context.Context) error {
		select {
		case <-loaded:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}) == nil
}
