package remote

import (
	"context"
	"errors"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/message"
)

// hereEnd is the side of a link in this process.
type hereEnd struct {
	ch       *warren.Channel
	own      string
	consumer *warren.Consumer
}

func newHereEnd(l *Linked) (*hereEnd, error) {
	ch, err := l.local.Channel()
	if errors.Is(err, warren.ErrClosed) {
		return nil, errLocalClosed
	}
	if err != nil {
		return nil, err
	}
	return &hereEnd{ch: ch, own: l.here}, nil
}

func (e *hereEnd) name() string { return e.own }

func (e *hereEnd) declareQueue(name string) error {
	_, err := e.ch.QueueDeclarePassive(name)
	if errors.Is(err, warren.ErrNotFound) {
		_, err = e.ch.QueueDeclare(name, warren.QueueOptions{Durable: true})
	}
	return err
}

func (e *hereEnd) declareExchange(name string) error {
	err := e.ch.ExchangeDeclarePassive(name)
	if errors.Is(err, warren.ErrNotFound) {
		err = e.ch.ExchangeDeclare(name, warren.Topic, warren.ExchangeOptions{Durable: true})
	}
	return err
}

func (e *hereEnd) bind(queue, key, exchange string) error {
	return e.ch.QueueBind(queue, key, exchange, nil)
}

func (e *hereEnd) consume(queue string, prefetch int) (err error) {
	e.consumer, err = e.ch.Consume(queue, warren.ConsumeOptions{Prefetch: prefetch})
	return err
}

func (e *hereEnd) next(ctx context.Context) (taken, error) {
	d, err := e.consumer.Next(ctx)
	return taken{d.Message, d.RoutingKey, d.DeliveryTag, d.Redelivered}, err
}

func (e *hereEnd) settle(tag uint64, f message.Fate) error {
	if f == message.Acked {
		return e.ch.Ack(tag, false)
	}
	return e.ch.Reject(tag, f == message.Dropped)
}

func (e *hereEnd) confirm(int) error { return e.ch.Confirm() }

// send publishes a message. If it is returned, that is the error.
func (e *hereEnd) send(ctx context.Context, exchange, key string, mandatory bool, m *warren.Message) (linkConfirmation, error) {
	c, err := e.ch.PublishConfirm(ctx, exchange, key, *m, warren.PublishOptions{Mandatory: mandatory})
	return c, err
}

func (e *hereEnd) returned() error { return nil }

func (e *hereEnd) close() { e.ch.Close() }
