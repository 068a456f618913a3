package remote

import (
	"context"
	"hash/fnv"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// Publish is [warren.Broker.Publish] to an exchange elsewhere. A publish whose connection
// is lost before the confirm fails with [ErrConnectionLost]: the event may be there or not.
func (b *Broker) Publish(ctx context.Context, exchange, key string, msg warren.Message, opts ...warren.EventOptions) error {
	return b.local.Publish(ctx, exchange, key, msg, opts...)
}

// Enqueue is [warren.Broker.Enqueue] to a queue elsewhere. It fails with
// [ErrConnectionLost] as Publish does.
func (b *Broker) Enqueue(ctx context.Context, queue string, msg warren.Message, opts ...warren.EnqueueOptions) error {
	return b.local.Enqueue(ctx, queue, msg, opts...)
}

// outlets is how many channels a bridge publishes on: one for the default exchange, and
// others for all other exchanges, so that the end of one, when its exchange does not
// exist, touches few.
const outlets = 16

// outlet publishes to some exchanges.
type outlet struct {
	turn chan struct{} // has room for one: who has put something in uses open, and writes
	open *confirms     // guarded by turn; nil: not open
}

// longWrite is from how many bytes on a message is written by a goroutine of its own, so
// that ctx can end the wait for a broker that does not read.
const longWrite = 16 << 10

// Publish implements link.Far.
func (o *outgoing) Publish(ctx context.Context, p *link.Outgoing) error {
	return (*Broker)(o).on(ctx, func(br *bridge) error { return br.publish(ctx, p) })
}

// publish publishes a message and waits for the confirm. It fails with errEnded if the
// bridge has ended before anything was sent.
func (br *bridge) publish(ctx context.Context, p *link.Outgoing) error {
	if err := br.checkUser(p.UserId); err != nil {
		return err
	}
	if err := br.checkSize(p.Properties); err != nil {
		return err
	}
	br.passOn(p)
	o := br.outlet(p.Exchange)
	select {
	case o.turn <- struct{}{}:
	default:
		br.gatherer.meet()
		select {
		case o.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		case <-br.ctx.Done():
			return errEnded
		}
	}
	if err := ctx.Err(); err != nil { // now it is certain that nobody has the message
		<-o.turn
		return err
	}
	if o.open != nil && !o.open.ch.IsClosed() && len(p.Body) < longWrite {
		s, err := o.send(ctx, br, p)
		if err != nil {
			return err
		}
		return s.wait(ctx)
	}
	sent := make(chan *sent, 1)
	err := finish(ctx, func() error {
		s, err := o.send(ctx, br, p)
		sent <- s
		return err
	})
	switch {
	case err == nil:
		return (<-sent).wait(ctx)
	case ctx.Err() != nil && err == ctx.Err():
		go func() {
			if s := <-sent; s != nil {
				s.leave()
			}
		}()
		return unknown(ctx)
	}
	return err
}

func (br *bridge) outlet(exchange string) *outlet {
	if exchange == "" {
		return &br.outlets[0]
	}
	h := fnv.New32a()
	h.Write([]byte(exchange))
	return &br.outlets[1+h.Sum32()%(outlets-1)]
}

// send writes a message, and ends the turn. It fails with errEnded if the bridge has ended
// before anything was sent.
func (o *outlet) send(ctx context.Context, br *bridge, p *link.Outgoing) (*sent, error) {
	for {
		c, err := o.enter(ctx, br)
		if err != nil {
			<-o.turn
			return nil, err
		}
		at := br.gatherer.accepted()
		br.gatherer.hold()
		s, err := c.send(p)
		if err == amqp091.ErrClosed && !br.over() {
			br.gatherer.release()
			continue // the channel was closed before
		}
		<-o.turn // first, so that others can write before
		br.gatherer.release()
		switch {
		case err == nil:
			return s, nil
		case br.over() && br.unsent(err, at):
			return nil, errEnded
		case br.over():
			return nil, lostError{err}
		}
		return nil, err
	}
}

// enter returns the open channel, when it has room for a message.
func (o *outlet) enter(ctx context.Context, br *bridge) (*confirms, error) {
	for {
		if o.open == nil || o.open.ch.IsClosed() {
			c, err := openConfirms(br)
			if err != nil {
				if br.over() {
					return nil, errEnded
				}
				if e := refused(wire.ChannelOpenID, err); e != nil {
					return nil, e
				}
				return nil, err
			}
			o.open = c
		}
		switch err := o.open.enter(ctx); {
		case err == nil:
			return o.open, nil
		case err != amqp091.ErrClosed:
			return nil, err
		case br.over():
			return nil, errEnded
		}
	}
}

// newOutlets makes outlets whose channels are not open.
func newOutlets() (list [outlets]outlet) {
	for i := range list {
		list[i].turn = make(chan struct{}, 1)
	}
	return list
}
