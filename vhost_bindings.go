package warren

import (
	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/route"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// bind makes a binding for s, or removes it if m is an unbind method. find returns
// the destination; it is called with mu held.
func (v *VirtualHost) bind(m wire.MethodID, s *Session, source, key string, args Table, find func() (*declaredQueue, *declaredExchange, error)) error {
	if err := checkName(m, "exchange name", source); err != nil {
		return err
	}
	if err := checkName(m, "routing key", key); err != nil {
		return err
	}
	if err := checkArguments(m, args); err != nil {
		return err
	}
	id := route.BindingKey{Key: key, Args: table.Canonical(args)}
	args = table.Clone(args)
	held := table.Size(args)
	r := v.beginRemoval()
	defer r.end()
	unbind := m == wire.QueueUnbindID || m == wire.ExchangeUnbindID
	q, x, err := find()
	from := v.exchanges[source]
	if from != nil && source != "" {
		if err := s.checkBindTopic(m, from, key); err != nil {
			return err
		}
	}
	switch {
	case source == "":
		return failure(m, wire.CodeAccessRefused, "operation not permitted on the default exchange")
	case unbind && isNotFound(err):
		return nil // there is no such destination, so there is no binding to remove
	case from == nil && unbind:
		return nil
	case from == nil:
		return v.errNoExchange(m, source)
	case err != nil:
		return err
	}
	if !unbind {
		if err := v.checkBinding(m, from, key, args); err != nil {
			return err
		}
	}
	durable := from.id != 0
	if q != nil {
		id.Queue = &q.Queue
		durable = durable && q.id != 0
	} else {
		id.Exchange = &x.Exchange
		durable = durable && x.id != 0
	}
	old := from.Binding(id)
	if unbind && old == nil {
		return nil // without a binding the owner of the queue does not matter
	}
	if q != nil {
		if err := v.checkOwner(m, q, s); err != nil {
			return err
		}
	}
	if unbind {
		r.binding(old)
	} else if old == nil {
		b := &route.Binding{BindingKey: id, Source: &from.Exchange, Args: args}
		if err := v.broker.reserve(&b.Held, m, bindingSize(from.routingType(), key, id.Args, held)); err != nil {
			return err
		}
		if durable {
			b.ID = v.broker.nextID()
		}
		route.Bind(b)
		v.recordChange(change{kind: bindingMade, binding: b})
	}
	return nil
}

// checkBinding refuses arguments and keys that are not valid for the exchange's
// type.
func (v *VirtualHost) checkBinding(m wire.MethodID, x *declaredExchange, key string, args Table) error {
	problem := ""
	switch x.routingType() {
	case Headers:
		problem = argument.CheckHeaders(v.broker.like, args)
	case ConsistentHash:
		problem = argument.CheckWeight(key)
	}
	if problem != "" {
		return failure(m, wire.CodePreconditionFailed, "%s", problem)
	}
	return nil
}

// toQueue returns a function for bind that finds a destination queue.
func (v *VirtualHost) toQueue(m wire.MethodID, name string) func() (*declaredQueue, *declaredExchange, error) {
	return func() (*declaredQueue, *declaredExchange, error) {
		q := v.queues[name]
		if q == nil {
			return nil, nil, v.errNoQueue(m, name)
		}
		return q, nil, nil
	}
}

// toExchange returns a function for bind that finds a destination exchange.
func (v *VirtualHost) toExchange(m wire.MethodID, name string) func() (*declaredQueue, *declaredExchange, error) {
	return func() (*declaredQueue, *declaredExchange, error) {
		x := v.exchanges[name]
		if x == nil {
			return nil, nil, v.errNoExchange(m, name)
		}
		return nil, x, nil
	}
}
