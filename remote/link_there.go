package remote

import (
	"context"
	"errors"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/message"
)

// thereEnd is the side of a link elsewhere.
type thereEnd struct {
	conn       *amqp091.Connection
	ch         *amqp091.Channel
	own        string
	arguments  amqp091.Table // of a queue that it declares
	reason     func() error  // why it was closed; waits until it is
	deliveries <-chan amqp091.Delivery
	returns    <-chan amqp091.Return // as many as there are messages on their way, so that the client never waits
}

func newThereEnd(l *Linked, conn *amqp091.Connection) (*thereEnd, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
	reason := sync.OnceValue(func() error {
		if err := <-closed; err != nil {
			return lostError{err}
		}
		return ErrConnectionLost
	})
	return &thereEnd{
		conn: conn, ch: ch, own: l.elsewhere(conn), reason: reason,
		arguments: tableThere(l.options.queueArguments(&link.QueueDeclare{Durable: true})),
	}, nil
}

func (e *thereEnd) name() string { return e.own }

func (e *thereEnd) declareQueue(name string) error {
	return e.declare(func(ch *amqp091.Channel) error {
		_, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
		return err
	}, func(ch *amqp091.Channel) error {
		_, err := ch.QueueDeclare(name, true, false, false, false, e.arguments)
		return err
	})
}

func (e *thereEnd) declareExchange(name string) error {
	kind := string(warren.Topic)
	return e.declare(func(ch *amqp091.Channel) error {
		return ch.ExchangeDeclarePassive(name, kind, true, false, false, false, nil)
	}, func(ch *amqp091.Channel) error {
		return ch.ExchangeDeclare(name, kind, true, false, false, false, nil)
	})
}

// declare looks, and declares what is missing. Each has a channel of its own, since an
// error closes it.
func (e *thereEnd) declare(look, make func(*amqp091.Channel) error) error {
	err := e.try(look)
	if is, ok := errors.AsType[*amqp091.Error](err); ok && is.Code == amqp091.NotFound {
		return e.try(make)
	}
	return err
}

func (e *thereEnd) try(f func(*amqp091.Channel) error) error {
	ch, err := e.conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	return f(ch)
}

func (e *thereEnd) bind(queue, key, exchange string) error {
	return e.ch.QueueBind(queue, key, exchange, false, nil)
}

func (e *thereEnd) consume(queue string, prefetch int) (err error) {
	if err = e.ch.Qos(prefetch, 0, false); err == nil {
		e.deliveries, err = e.ch.Consume(queue, "", false, false, false, false, nil)
	}
	return err
}

func (e *thereEnd) next(ctx context.Context) (taken, error) {
	select {
	case d, ok := <-e.deliveries:
		switch {
		case ok:
		case e.ch.IsClosed():
			return taken{}, e.reason()
		default:
			return taken{}, warren.ErrConsumerCancelled
		}
		return taken{messageOf(&d), d.RoutingKey, d.DeliveryTag, d.Redelivered}, nil
	case <-ctx.Done():
		return taken{}, ctx.Err()
	}
}

func (e *thereEnd) settle(tag uint64, f message.Fate) error {
	if f == message.Acked {
		return e.ch.Ack(tag, false)
	}
	return e.ch.Reject(tag, f == message.Dropped)
}

func (e *thereEnd) confirm(window int) error {
	e.returns = e.ch.NotifyReturn(make(chan amqp091.Return, window))
	return e.ch.Confirm(false)
}

func (e *thereEnd) send(ctx context.Context, exchange, key string, mandatory bool, m *warren.Message) (linkConfirmation, error) {
	p := message.Properties(*m)
	p.UserId = "" // which a broker takes from nobody but that user
	c, err := e.ch.PublishWithDeferredConfirmWithContext(ctx, exchange, key, mandatory, false, publishing(&p))
	if errors.Is(err, amqp091.ErrClosed) {
		err = ErrConnectionLost // for a reason that has nothing to do with this message
	}
	return thereConfirmation{e, c}, err
}

func (e *thereEnd) returned() error {
	select {
	case r, ok := <-e.returns:
		if ok {
			return &warren.Return{Code: r.ReplyCode, Text: r.ReplyText, Exchange: r.Exchange, RoutingKey: r.RoutingKey}
		}
	default:
	}
	return nil
}

func (e *thereEnd) close() { e.ch.Close() }

// thereConfirmation waits for a confirm from elsewhere.
type thereConfirmation struct {
	end *thereEnd
	*amqp091.DeferredConfirmation
}

// Wait waits for the confirm. When the channel is closed, the client says that it was
// nacked.
func (c thereConfirmation) Wait(ctx context.Context) error {
	acked, err := c.WaitContext(ctx)
	switch {
	case err != nil || acked:
		return err
	case c.end.ch.IsClosed():
		return c.end.reason()
	}
	return warren.ErrNacked
}
