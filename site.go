package warren

import (
	"context"
	"time"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// site is where queues and exchanges of events and jobs are: a Channel in confirm mode,
// or another broker.
type site interface {
	QueueDeclare(name string, o QueueOptions) (Queue, error)
	QueueDeclarePassive(name string) (Queue, error)
	QueueBind(name, key, exchange string, args Table) error
	ExchangeDeclare(name string, kind ExchangeType, o ExchangeOptions) error
	ExchangeDeclarePassive(name string) error
	// Publish publishes a message and waits for the confirm.
	Publish(ctx context.Context, exchange, key string, msg Message, o PublishOptions) error
	// publishWithin publishes a message to a queue unless that has to wait too long, and
	// waits for the confirm.
	publishWithin(ctx context.Context, limit time.Duration, queue string, msg Message) error
}

var (
	_ site = (*Channel)(nil)
	_ site = (*far)(nil)
)

// site returns where a channel in confirm mode publishes. ctx ends what waits for another
// broker.
func (v *VirtualHost) site(ctx context.Context, ch *Channel) site {
	if v.elsewhere == nil {
		return ch
	}
	return &far{ch, ctx}
}

// confirms makes a new channel one on which Publish waits for the confirm.
func (ch *Channel) confirms() error {
	if ch.vhost.elsewhere == nil {
		return ch.Confirm()
	}
	ch.mode.Store(modeElsewhere)
	return nil
}

func (ch *Channel) publishWithin(ctx context.Context, limit time.Duration, queue string, msg Message) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c, err := ch.PublishConfirm(limited, "", queue, msg, PublishOptions{Mandatory: true})
	if err != nil {
		return err
	}
	return c.Wait(ctx)
}

// far is a channel whose queues and exchanges are at another broker.
type far struct {
	*Channel
	ctx context.Context // of what waits for the other broker
}

func (f *far) QueueDeclare(name string, o QueueOptions) (Queue, error) {
	q := &link.QueueDeclare{Name: name, Durable: o.Durable, Exclusive: o.Exclusive, AutoDelete: o.AutoDelete, Arguments: o.table()}
	return Queue{Name: name}, f.declareQueue(q)
}

func (f *far) QueueDeclarePassive(name string) (Queue, error) {
	return Queue{Name: name}, f.declareQueue(&link.QueueDeclare{Name: name, Passive: true})
}

func (f *far) declareQueue(q *link.QueueDeclare) error {
	if err := checkName(wire.QueueDeclareID, "queue name", q.Name); err != nil {
		return err
	}
	if _, err := checkTable(wire.QueueDeclareID, q.Arguments); err != nil {
		return err
	}
	return f.vhost.elsewhere.QueueDeclare(f.ctx, q)
}

func (f *far) QueueBind(name, key, exchange string, args Table) error {
	for _, n := range [...]struct{ what, text string }{{"queue name", name}, {"routing key", key}, {"exchange name", exchange}} {
		if err := checkName(wire.QueueBindID, n.what, n.text); err != nil {
			return err
		}
	}
	if _, err := checkTable(wire.QueueBindID, args); err != nil {
		return err
	}
	return f.vhost.elsewhere.QueueBind(f.ctx, name, key, exchange, args)
}

func (f *far) ExchangeDeclare(name string, kind ExchangeType, o ExchangeOptions) error {
	return f.declareExchange(&link.ExchangeDeclare{
		Name: name, Kind: string(kind), Durable: o.Durable, AutoDelete: o.AutoDelete, Internal: o.Internal, Arguments: o.table(),
	})
}

func (f *far) ExchangeDeclarePassive(name string) error {
	return f.declareExchange(&link.ExchangeDeclare{Name: name, Kind: string(Topic), Passive: true})
}

func (f *far) declareExchange(x *link.ExchangeDeclare) error {
	if err := checkName(wire.ExchangeDeclareID, "exchange name", x.Name); err != nil {
		return err
	}
	if _, err := checkTable(wire.ExchangeDeclareID, x.Arguments); err != nil {
		return err
	}
	return f.vhost.elsewhere.ExchangeDeclare(f.ctx, x)
}

// publishWithin is limited until the confirm: it is not known when the message is sent.
func (f *far) publishWithin(ctx context.Context, limit time.Duration, queue string, msg Message) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return f.Publish(limited, "", queue, msg, PublishOptions{Mandatory: true})
}
