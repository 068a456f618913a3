package warren

import (
	"maps"
	"strings"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/route"
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

// newExchange makes an exchange of a known type. It fails if an argument is not
// valid.
func (v *VirtualHost) newExchange(name string, kind ExchangeType, o ExchangeOptions) (*declaredExchange, error) {
	const m = wire.ExchangeDeclareID
	args := o.table()
	x := &declaredExchange{kind: kind, durable: o.Durable, autoDelete: o.AutoDelete, internal: o.Internal, args: args}
	x.Name = name
	alternate, _, p := argument.AlternateOf(args)
	if p != nil {
		return nil, failure(m, wire.CodePreconditionFailed, "invalid type '%s' for arg '%s' in exchange '%s' in vhost '%s'", p.Text, p.Arg, name, v.name)
	}
	if _, problem := names.Check("name", alternate); problem != "" {
		return nil, failure(m, wire.CodePreconditionFailed, "invalid arg '%s' for exchange '%s' in vhost '%s': %s", argument.Alternate, name, v.name, problem)
	}
	x.alternate = alternate
	if kind == DelayedMessage {
		if err := checkDelayedType(args); err != nil {
			return nil, err
		}
	}
	if p := argument.CheckExchange(args); p != nil {
		return nil, failure(m, wire.CodePreconditionFailed, "invalid arg '%s' for exchange '%s' in vhost '%s': %s", p.Arg, name, v.name, p.Text)
	}
	if x.routingType() == ConsistentHash {
		if problem := argument.CheckHash(args); problem != "" {
			return nil, failure(m, wire.CodePreconditionFailed, "%s", problem)
		}
	}
	header, property := argument.HashOf(args)
	x.Matcher = route.NewMatcher(string(x.routingType()), route.HashOn{Header: header, Property: property})
	v.setGate(x)
	return x, nil
}

// setGate gives a new exchange the gate that its type and arguments require.
func (v *VirtualHost) setGate(x *declaredExchange) {
	b := v.broker
	var g route.Gate
	if o, ok := argument.Duplicates(x.args); ok {
		g.Seen = duplicates.New(o, &b.queues.Clock, &b.queues.Memory)
	}
	if x.kind == DelayedMessage {
		var edit message.Edit // for one message after the other: a store releases no two at once
		g.Delays = delay.New(&b.queues.Clock, &b.queues.Memory, &b.tasks, func(p *message.Publishing) bool { return v.routeDelayed(x, p, &edit) })
	}
	if g != (route.Gate{}) {
		x.SetGate(&g)
	}
}

// addExchange makes x one of the virtual host's. mu is held.
func (v *VirtualHost) addExchange(x *declaredExchange) {
	x.policies = v.policiesFor(x.Name, argument.Exchange)
	x.setAlternate()
	v.exchanges[x.Name] = x
}

// inRabbitMQsNames returns a type and the arguments of an exchange with RabbitMQ's
// names in place of LavinMQ's, which has one more type, or an argument of any type,
// for an exchange that delays. If LavinMQ's names mean nothing, its arguments are
// left out.
func (v *VirtualHost) inRabbitMQsNames(kind ExchangeType, args Table) (ExchangeType, Table) {
	if v.broker.like.NoLavinMQNames {
		return kind, argument.WithoutLavinMQs(args)
	}
	delayed, said := args[argument.Delayed]
	if kind == delayedAlias {
		kind = DelayedMessage
	}
	if !said || delayed != any(true) && delayed != any(false) {
		return kind, args
	}
	args = maps.Clone(args)
	delete(args, argument.Delayed)
	if delayed == any(true) && kind != DelayedMessage {
		kind, args[argument.DelayedType] = DelayedMessage, string(kind)
	}
	return kind, args
}

// checkEquivalentExchange fails if the declaration x differs from the exchange that
// exists. It compares only arguments that have a meaning for exchanges.
func (v *VirtualHost) checkEquivalentExchange(old, x *declaredExchange) error {
	differ := func(arg, received, current string) error {
		return failure(wire.ExchangeDeclareID, wire.CodePreconditionFailed, "inequivalent arg '%s' for exchange '%s' in vhost '%s': received %s but current is %s", arg, old.Name, v.name, received, current)
	}
	switch {
	case old.kind != x.kind:
		return differ("type", "'"+string(x.kind)+"'", "'"+string(old.kind)+"'")
	case old.durable != x.durable:
		return differ("durable", quoteBool(x.durable), quoteBool(old.durable))
	case old.autoDelete != x.autoDelete:
		return differ("auto_delete", quoteBool(x.autoDelete), quoteBool(old.autoDelete))
	case old.internal != x.internal:
		return differ("internal", quoteBool(x.internal), quoteBool(old.internal))
	}
	d := argument.AlternateDifference(x.alternate, old.alternate)
	if d == nil {
		d = argument.ExchangeDifference(x.args, old.args)
	}
	if d != nil {
		return differ(d.Arg, d.Received, d.Current)
	}
	return nil
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
