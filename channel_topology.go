package warren

import (
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/wire"
)

// ExchangeDeclare makes sure that an exchange of this name, type and options exists
// (exchange.declare). It fails with 406 if the existing exchange differs or the type
// is unknown, and with 403 for the default exchange and for new names that begin
// with "amq.".
func (ch *Channel) ExchangeDeclare(name string, kind ExchangeType, o ExchangeOptions) error {
	if err := ch.checkOpen(); err != nil {
		return err
	}
	return ch.storedIf(o.Durable, ch.vhost.declareExchange(ch.session, name, kind, o))
}

// ExchangeDeclarePassive fails with 404 if there is no exchange of this name.
func (ch *Channel) ExchangeDeclarePassive(name string) error {
	if err := ch.checkOpen(); err != nil {
		return err
	}
	return ch.vhost.declareExchangePassive(name)
}

// ExchangeDeleteOptions are the conditions of ExchangeDelete.
type ExchangeDeleteOptions struct {
	IfUnused bool // fail with 406 if the exchange is the source of bindings
}

// ExchangeDelete removes an exchange and its bindings (exchange.delete). An exchange
// that does not exist is no error. Predeclared exchanges cannot be deleted (403).
func (ch *Channel) ExchangeDelete(name string, o ExchangeDeleteOptions) error {
	if err := ch.checkOpen(); err != nil {
		return err
	}
	return ch.stored(ch.vhost.deleteExchange(ch.session, name, o.IfUnused))
}

// ExchangeBind makes the exchange source send the messages that match key and args
// to the exchange destination (exchange.bind). An existing binding does not change.
func (ch *Channel) ExchangeBind(destination, key, source string, args Table) error {
	return ch.bindExchange(wire.ExchangeBindID, destination, key, source, args)
}

// ExchangeUnbind removes a binding (exchange.unbind). A binding that does not exist
// is no error.
func (ch *Channel) ExchangeUnbind(destination, key, source string, args Table) error {
	return ch.bindExchange(wire.ExchangeUnbindID, destination, key, source, args)
}

func (ch *Channel) bindExchange(m wire.MethodID, destination, key, source string, args Table) error {
	if err := ch.checkOpen(); err != nil {
		return err
	}
	if err := checkName(m, "exchange name", destination); err != nil {
		return err
	}
	if destination == "" {
		return failure(m, wire.CodeAccessRefused, "operation not permitted on the default exchange")
	}
	if err := ch.session.checkBindAccess(m, "exchange", destination, source); err != nil {
		return err
	}
	v := ch.vhost
	return ch.stored(v.bind(m, ch.session, source, key, args, v.toExchange(m, destination)))
}

// QueueDeclare makes sure that a queue of this name with these options exists
// (queue.declare). If the name is empty, the broker chooses one that begins with
// "amq.gen-". It fails with 405 if the queue is exclusive to another session or only
// one of the two is exclusive, with 406 if another option differs, and with 403 for
// names that begin with "amq.".
//
// For the name of the direct reply-to pseudo-queue, and for a reply address whose
// requester still exists, it returns a Queue although there is none, and declares
// nothing. A reply address whose requester has gone gets 404.
func (ch *Channel) QueueDeclare(name string, o QueueOptions) (Queue, error) {
	if err := ch.checkOpen(); err != nil {
		return Queue{}, err
	}
	if ch.vhost.isReplyName(name) || isReplyAddress(name) {
		return ch.inspectReply(name)
	}
	q, err := ch.vhost.declareQueue(ch.session, name, o)
	if err == nil {
		ch.setLastQueue(q.Name)
		err = ch.storedIf(o.Durable, nil)
	}
	return q, err
}

// QueueDeclarePassive returns the state of an existing queue. It fails with 404 if
// there is no queue of this name.
func (ch *Channel) QueueDeclarePassive(name string) (Queue, error) {
	if err := ch.checkOpen(); err != nil {
		return Queue{}, err
	}
	if ch.vhost.isReplyName(name) || isReplyAddress(name) {
		return ch.inspectReply(name)
	}
	q, err := ch.findQueue(wire.QueueDeclareID, names.Clean(name))
	if err != nil {
		return Queue{}, err
	}
	ch.setLastQueue(q.Name())
	return q.state(), nil
}

// QueueBind makes an exchange send the messages that match key and args to a queue
// (queue.bind). An existing binding does not change. If name and key are both empty,
// the key is the name of the queue that was declared last.
func (ch *Channel) QueueBind(name, key, exchange string, args Table) error {
	return ch.bindQueue(wire.QueueBindID, name, key, exchange, args)
}

// QueueUnbind removes a binding (queue.unbind). A binding that does not exist is no
// error.
func (ch *Channel) QueueUnbind(name, key, exchange string, args Table) error {
	return ch.bindQueue(wire.QueueUnbindID, name, key, exchange, args)
}

func (ch *Channel) bindQueue(m wire.MethodID, name, key, source string, args Table) error {
	if err := ch.checkOpen(); err != nil {
		return err
	}
	queueName, err := ch.queueName(m, name)
	if err != nil {
		return err
	}
	if isReplyAddress(queueName) {
		return failure(m, wire.CodeAccessRefused, "cannot bind or unbind to a volatile (direct reply-to) queue")
	}
	if name == "" && key == "" {
		key = queueName
	}
	if err := ch.session.checkBindAccess(m, "queue", queueName, source); err != nil {
		return err
	}
	v := ch.vhost
	return ch.stored(v.bind(m, ch.session, source, key, args, v.toQueue(m, queueName)))
}

// QueuePurge drops the ready messages of a queue and returns their number
// (queue.purge). Unsettled messages stay. It fails with 540 if the queue is a
// stream.
func (ch *Channel) QueuePurge(name string) (int, error) {
	if err := ch.checkOpen(); err != nil {
		return 0, err
	}
	if isReplyAddress(name) {
		return 0, nil // a reply address holds no messages
	}
	q, err := ch.findReadableQueue(wire.QueuePurgeID, name)
	if err != nil {
		return 0, err
	}
	return q.Purge(), nil
}

// QueueDeleteOptions are the conditions of QueueDelete.
type QueueDeleteOptions struct {
	IfUnused bool // fail with 406 if the queue has consumers
	IfEmpty  bool // fail with 406 if messages are ready in it
}

// QueueDelete removes a queue with its bindings and messages, and returns how many
// messages were ready (queue.delete). Its consumers get [ErrConsumerCancelled]. A
// queue that does not exist is no error.
func (ch *Channel) QueueDelete(name string, o QueueDeleteOptions) (int, error) {
	if err := ch.checkOpen(); err != nil {
		return 0, err
	}
	name, err := ch.queueName(wire.QueueDeleteID, names.Clean(name))
	if err != nil {
		return 0, err
	}
	n, err := ch.vhost.deleteQueue(ch.session, name, o.IfUnused, o.IfEmpty)
	return n, ch.stored(err)
}
