package warren

import (
	"strings"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/route"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// declareExchange is exchange.declare, with RabbitMQ's order of checks.
func (v *VirtualHost) declareExchange(s *Session, name string, kind ExchangeType, o ExchangeOptions) error {
	const m = wire.ExchangeDeclareID
	if err := checkName(m, "exchange name", name); err != nil {
		return err
	}
	if err := checkArguments(m, o.Args); err != nil {
		return err
	}
	kind, o.Args = v.inRabbitMQsNames(kind, o.Args)
	if kind != DelayedMessage && !isExchangeType(kind) {
		return failure(m, wire.CodePreconditionFailed, "unknown exchange type '%s'", kind)
	}
	name = names.Clean(name)
	if name == "" {
		return failure(m, wire.CodeAccessRefused, "operation not permitted on the default exchange")
	}
	if err := s.checkExchangeAccess(m, toConfigure, name); err != nil {
		return err
	}
	x, err := v.newExchange(name, kind, o)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.unlockAndNotify()
	if v.closed {
		return ErrClosed
	}
	if old := v.exchanges[name]; old != nil {
		return v.checkEquivalentExchange(old, x)
	}
	if err := v.checkNewName(m, "exchange", name); err != nil {
		return err
	}
	if x.alternate != "" {
		if err := s.checkAlternateAccess(name, x.alternate); err != nil {
			return err
		}
	}
	if x.id, err = v.broker.nextStoredID(m, x.durable); err != nil {
		return err
	}
	held := argumentsHeld(x.args)
	if err := v.broker.reserve(&x.held, m, exchangeHeld+int64(len(name))+held); err != nil {
		return err
	}
	x.light = held <= lightArguments
	if t := v.broker.topology; t != nil && x.durable {
		if d := t.openDelays(x); d != nil {
			d.Recover() // there is nothing
		}
	}
	v.addExchange(x)
	v.recordChange(change{kind: exchangeDeclared, exchange: x})
	return nil
}

// addExchange makes x one of the virtual host's. mu is held.
func (v *VirtualHost) addExchange(x *declaredExchange) {
	x.policies = v.policiesFor(x.Name, argument.Exchange)
	x.setAlternate()
	v.exchanges[x.Name] = x
}

// declareExchangePassive is exchange.declare with passive set.
func (v *VirtualHost) declareExchangePassive(name string) error {
	if err := checkName(wire.ExchangeDeclareID, "exchange name", name); err != nil {
		return err
	}
	name = names.Clean(name)
	if name == "" {
		return failure(wire.ExchangeDeclareID, wire.CodeAccessRefused, "operation not permitted on the default exchange")
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.exchanges[name] == nil {
		return v.errNoExchange(wire.ExchangeDeclareID, name)
	}
	return nil
}

// deleteExchange is exchange.delete. An exchange that does not exist is no error.
func (v *VirtualHost) deleteExchange(s *Session, name string, ifUnused bool) error {
	const m = wire.ExchangeDeleteID
	if err := checkName(m, "exchange name", name); err != nil {
		return err
	}
	name = names.Clean(name)
	if name == "" {
		return failure(m, wire.CodeAccessRefused, "operation not permitted on the default exchange")
	}
	if strings.HasPrefix(name, names.ReservedPrefix) {
		return failure(m, wire.CodeAccessRefused, "deletion of system exchange '%s' in vhost '%s' not allowed", name, v.name)
	}
	if err := s.checkExchangeAccess(m, toConfigure, name); err != nil {
		return err
	}
	r := v.beginRemoval()
	defer r.end()
	x := v.exchanges[name]
	if x == nil {
		return nil
	}
	if ifUnused && (x.InUse() || v.broker.like.DestinationIsUse && x.IsDestination()) {
		return failure(m, wire.CodePreconditionFailed, "exchange '%s' in vhost '%s' in use", name, v.name)
	}
	r.exchange(x)
	return nil
}

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
