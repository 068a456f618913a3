package warren

import (
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/wire"
)

// ExchangeDeclare makes sure that an exchange of this name, type and options
// exists (exchange.declare). It fails with 406 if it differs from the one that
// exists, or if the type is unknown, and with 403 for the default exchange and
// for new names that begin with "amq.".
func (ch *Channel) ExchangeDeclare(name string, kind ExchangeType, o ExchangeOptions) error {
	if err := ch.checkOpen(); err != nil {
		return err
	}
	return ch.vhost.declareExchange(ch.session, name, kind, o)
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
	IfUnused bool // fail with 406 if bindings start at the exchange
}

// ExchangeDelete removes an exchange and its bindings (exchange.delete). One
// that does not exist is no error; predeclared ones cannot be deleted (403).
func (ch *Channel) ExchangeDelete(name string, o ExchangeDeleteOptions) error {
	if err := ch.checkOpen(); err != nil {
		return err
	}
	return ch.vhost.deleteExchange(ch.session, name, o.IfUnused)
}

// ExchangeBind lets destination have the messages of source that match key and
// args (exchange.bind). A binding that exists is left as it is.
func (ch *Channel) ExchangeBind(destination, key, source string, args Table) error {
	return ch.bindExchange(wire.ExchangeBindID, destination, key, source, args)
}

// ExchangeUnbind removes a binding (exchange.unbind). One that does not exist
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
	return v.bind(m, ch.session, source, key, args, v.toExchange(m, destination))
}

// QueueDeclare makes sure that a queue of this name with these options exists
// (queue.declare). An empty name lets the broker choose one that begins with
// "amq.gen-". It fails with 405 if the queue is exclusive to another session
// or differs in that, with 406 if another option differs, and with 403 for
// names that begin with "amq.".
//
// The name of the direct reply-to pseudo-queue, and a reply address whose
// requester is there, are answered as if they were queues; a reply address
// whose requester has gone gets 404. Nothing is declared.
func (ch *Channel) QueueDeclare(name string, o QueueOptions) (Queue, error) {
	if err := ch.checkOpen(); err != nil {
		return Queue{}, err
	}
	if isReplyName(name) || isReplyAddress(name) {
		return ch.inspectReply(name)
	}
	q, err := ch.vhost.declareQueue(ch.session, name, o)
	if err == nil {
		ch.setLastQueue(q.Name)
	}
	return q, err
}

// QueueDeclarePassive fails with 404 if there is no queue of this name, and
// tells about the one that there is.
func (ch *Channel) QueueDeclarePassive(name string) (Queue, error) {
	if err := ch.checkOpen(); err != nil {
		return Queue{}, err
	}
	if isReplyName(name) || isReplyAddress(name) {
		return ch.inspectReply(name)
	}
	q, err := ch.findQueue(wire.QueueDeclareID, names.Clean(name))
	if err != nil {
		return Queue{}, err
	}
	ch.setLastQueue(q.Name)
	return q.state(), nil
}

// QueueBind lets a queue have the messages of an exchange that match key and
// args (queue.bind). A binding that exists is left as it is. With name and
// key both empty, the key is the name of the queue that was declared last.
func (ch *Channel) QueueBind(name, key, exchange string, args Table) error {
	return ch.bindQueue(wire.QueueBindID, name, key, exchange, args)
}

// QueueUnbind removes a binding (queue.unbind). One that does not exist is no
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
	return v.bind(m, ch.session, source, key, args, v.toQueue(m, queueName))
}

// QueuePurge drops the ready messages of a queue and reports how many there
// were (queue.purge). Unsettled ones stay. It fails with 540 if the queue is a
// stream.
func (ch *Channel) QueuePurge(name string) (int, error) {
	if err := ch.checkOpen(); err != nil {
		return 0, err
	}
	if isReplyAddress(name) {
		return 0, nil // no message ever waits there
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

// QueueDelete removes a queue with its bindings and messages, and reports how
// many messages were ready (queue.delete). Its consumers get
// [ErrConsumerCancelled]. A queue that does not exist is no error.
func (ch *Channel) QueueDelete(name string, o QueueDeleteOptions) (int, error) {
	if err := ch.checkOpen(); err != nil {
		return 0, err
	}
	name, err := ch.queueName(wire.QueueDeleteID, names.Clean(name))
	if err != nil {
		return 0, err
	}
	return ch.vhost.deleteQueue(ch.session, name, o.IfUnused, o.IfEmpty)
}
