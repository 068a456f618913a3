package warren

import "github.com/warrenmq/warren/internal/wire"

// Declarer declares what a program needs: exchanges, queues and bindings, for
// [Broker.CallMany] for example. [Broker] and [VirtualHost] are Declarers, and a [Channel]
// is one with more methods. A connection to a remote broker can be one, too. What is
// declared once more does not change, so each part of a program declares what it uses.
type Declarer interface {
	ExchangeDeclare(name string, kind ExchangeType, o ExchangeOptions) error
	ExchangeBind(destination, key, source string, args Table) error
	QueueDeclare(name string, o QueueOptions) (Queue, error)
	QueueBind(name, key, exchange string, args Table) error
}

// ExchangeDeclare makes sure that an exchange of this name, type and options exists. See
// [Channel.ExchangeDeclare].
func (b *Broker) ExchangeDeclare(name string, kind ExchangeType, o ExchangeOptions) error {
	return b.root.ExchangeDeclare(name, kind, o)
}

// ExchangeDeclare declares an exchange of this virtual host. See [Channel.ExchangeDeclare].
func (v *VirtualHost) ExchangeDeclare(name string, kind ExchangeType, o ExchangeOptions) error {
	return v.declare(func(ch *Channel) error { return ch.ExchangeDeclare(name, kind, o) })
}

// ExchangeBind makes the exchange source send messages to the exchange destination. See
// [Channel.ExchangeBind].
func (b *Broker) ExchangeBind(destination, key, source string, args Table) error {
	return b.root.ExchangeBind(destination, key, source, args)
}

// ExchangeBind binds two exchanges of this virtual host. See [Channel.ExchangeBind].
func (v *VirtualHost) ExchangeBind(destination, key, source string, args Table) error {
	return v.declare(func(ch *Channel) error { return ch.ExchangeBind(destination, key, source, args) })
}

// QueueDeclare makes sure that a queue of this name with these options exists. See
// [Channel.QueueDeclare]. It fails with 406 for an exclusive queue, which needs a
// [Session] that it ends with.
func (b *Broker) QueueDeclare(name string, o QueueOptions) (Queue, error) {
	return b.root.QueueDeclare(name, o)
}

// QueueDeclare declares a queue of this virtual host. See [Broker.QueueDeclare].
func (v *VirtualHost) QueueDeclare(name string, o QueueOptions) (q Queue, err error) {
	if o.Exclusive {
		return Queue{}, failure(wire.QueueDeclareID, wire.CodePreconditionFailed, "an exclusive queue needs a session").
			withHint("declare it on a channel of Broker.Session")
	}
	err = v.declare(func(ch *Channel) error {
		q, err = ch.QueueDeclare(name, o)
		return err
	})
	return q, err
}

// QueueBind makes an exchange send the messages that match key and args to a queue. See
// [Channel.QueueBind]. The queue must be named.
func (b *Broker) QueueBind(name, key, exchange string, args Table) error {
	return b.root.QueueBind(name, key, exchange, args)
}

// QueueBind binds a queue of this virtual host. See [Broker.QueueBind].
func (v *VirtualHost) QueueBind(name, key, exchange string, args Table) error {
	return v.declare(func(ch *Channel) error { return ch.QueueBind(name, key, exchange, args) })
}

// declare declares something on a channel of its own.
func (v *VirtualHost) declare(f func(ch *Channel) error) error {
	ch, err := v.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	return f(ch)
}

// Arguments returns the arguments of the declaration, as they go over AMQP: Args, and those
// that the fields set.
func (o QueueOptions) Arguments() Table { return o.table() }

// Arguments returns the arguments of the declaration, as they go over AMQP: Args, and those
// that the fields set.
func (o ExchangeOptions) Arguments() Table { return o.table() }
