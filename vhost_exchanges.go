package warren

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// declareExchange follows exchange.declare in RabbitMQ's order of checks.
func (v *VirtualHost) declareExchange(s *Session, name string, kind ExchangeType, o ExchangeOptions) error {
	const m = wire.ExchangeDeclareID
	if err := checkName(m, "exchange name", name); err != nil {
		return err
	}
	if err := checkTable(m, o.Args); err != nil {
		return err
	}
	if kind == delayedAlias {
		kind = DelayedMessage
	}
	if kind != DelayedMessage && newMatcher(kind, nil) == nil {
		return failure(m, wire.CodePreconditionFailed, "unknown exchange type '%s'", kind)
	}
	name = cleanName(name)
	if name == "" {
		return failure(m, wire.CodeAccessRefused, "operation not permitted on the default exchange")
	}
	if err := s.mayExchange(m, toConfigure, name); err != nil {
		return err
	}
	x, err := v.newExchange(name, kind, o)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.unlock()
	if v.closed {
		return ErrClosed
	}
	if old := v.exchanges[name]; old != nil {
		return v.equivalentExchange(old, x)
	}
	if strings.HasPrefix(name, reservedPrefix) {
		return failure(m, wire.CodeAccessRefused, "exchange name '%s' contains reserved prefix 'amq.*'", name)
	}
	if x.alternate != "" {
		if err := s.mayForward(name, x.alternate); err != nil {
			return err
		}
	}
	x.policies = v.policiesFor(name, kindExchange)
	x.setDetour()
	v.exchanges[name] = x
	v.note("exchange declared", "exchange", name)
	return nil
}

func quoteBool(b bool) string { return "'" + strconv.FormatBool(b) + "'" }

// quoteDifferent is RabbitMQ's way to show two arguments that differ, of which
// one may be missing: only then the other's type is named.
func quoteDifferent(received any, has bool, current any, had bool) (string, string) {
	if has && had {
		return fmt.Sprintf("'%v'", received), fmt.Sprintf("'%v'", current)
	}
	return quoteValue(received, has), quoteValue(current, had)
}

func quoteValue(v any, ok bool) string {
	if !ok {
		return "none"
	}
	return fmt.Sprintf("the value '%v' of type '%s'", v, table.TypeName(v))
}

// findExchange is exchange.declare with passive set.
func (v *VirtualHost) findExchange(name string) error {
	if err := checkName(wire.ExchangeDeclareID, "exchange name", name); err != nil {
		return err
	}
	name = cleanName(name)
	if name == "" {
		return failure(wire.ExchangeDeclareID, wire.CodeAccessRefused, "operation not permitted on the default exchange")
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.exchanges[name] == nil {
		return v.noExchange(wire.ExchangeDeclareID, name)
	}
	return nil
}

// deleteExchange follows exchange.delete: what is not there is fine.
func (v *VirtualHost) deleteExchange(s *Session, name string, ifUnused bool) error {
	const m = wire.ExchangeDeleteID
	if err := checkName(m, "exchange name", name); err != nil {
		return err
	}
	name = cleanName(name)
	if name == "" {
		return failure(m, wire.CodeAccessRefused, "operation not permitted on the default exchange")
	}
	if strings.HasPrefix(name, reservedPrefix) {
		return failure(m, wire.CodeAccessRefused, "deletion of system exchange '%s' in vhost '%s' not allowed", name, v.name)
	}
	if err := s.mayExchange(m, toConfigure, name); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.unlock()
	x := v.exchanges[name]
	if x == nil {
		return nil
	}
	if ifUnused && len(x.bindings) > 0 {
		return failure(m, wire.CodePreconditionFailed, "exchange '%s' in vhost '%s' in use", name, v.name)
	}
	v.removeExchange(x)
	return nil
}

// removeExchange takes x and its bindings out. The caller holds mu.
func (v *VirtualHost) removeExchange(x *exchange) {
	delete(v.exchanges, x.name)
	x.deleted.Store(true)
	x.gate.close()
	for _, b := range x.bindings {
		v.unlink(b)
	}
	for b := range x.inbound {
		v.removeBinding(b)
	}
	v.note("exchange deleted", "exchange", x.name)
}

// bind makes or removes a binding for s. The destination is found by find,
// under mu.
func (v *VirtualHost) bind(m wire.MethodID, s *Session, source, key string, args Table, find func() (*queue, *exchange, error)) error {
	if err := checkName(m, "exchange name", source); err != nil {
		return err
	}
	if err := checkName(m, "routing key", key); err != nil {
		return err
	}
	if err := checkTable(m, args); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.unlock()
	unbind := m == wire.QueueUnbindID || m == wire.ExchangeUnbindID
	q, x, err := find()
	from := v.exchanges[source]
	switch {
	case source == "":
		return failure(m, wire.CodeAccessRefused, "operation not permitted on the default exchange")
	case unbind && isNotFound(err):
		return nil // what is not bound need not be unbound
	case from == nil && unbind:
		return nil
	case from == nil:
		return v.noExchange(m, source)
	case err != nil:
		return err
	}
	if !unbind {
		if err := from.checkBinding(m, key, args); err != nil {
			return err
		}
	}
	id := bindingKey{queue: q, exchange: x, key: key, args: table.Canonical(args)}
	old := from.bindings[id]
	if unbind && old == nil {
		return nil // nor is it asked whose the queue is
	}
	if q != nil {
		if err := q.checkOwner(m, s); err != nil {
			return err
		}
	}
	if unbind {
		v.removeBinding(old)
	} else if old == nil {
		v.addBinding(&binding{bindingKey: id, source: from, args: table.Clone(args)})
	}
	return nil
}

// toQueue finds the queue that a binding leads to.
func (v *VirtualHost) toQueue(m wire.MethodID, name string) func() (*queue, *exchange, error) {
	return func() (*queue, *exchange, error) {
		q := v.queues[name]
		if q == nil {
			return nil, nil, v.noQueue(m, name)
		}
		return q, nil, nil
	}
}

// toExchange finds the exchange that a binding leads to.
func (v *VirtualHost) toExchange(m wire.MethodID, name string) func() (*queue, *exchange, error) {
	return func() (*queue, *exchange, error) {
		x := v.exchanges[name]
		if x == nil {
			return nil, nil, v.noExchange(m, name)
		}
		return nil, x, nil
	}
}

func isNotFound(err error) bool {
	e, ok := err.(*Error)
	return ok && e.Code == wire.CodeNotFound
}

func (v *VirtualHost) addBinding(b *binding) {
	x := b.source
	if x.bindings == nil {
		x.bindings = make(map[bindingKey]*binding)
	}
	x.bindings[b.bindingKey] = b
	x.matcher.add(b)
	in := b.inbound()
	if *in == nil {
		*in = make(map[*binding]struct{})
	}
	(*in)[b] = struct{}{}
}

// removeBinding takes b out on both sides, and with the last one of an
// auto-delete exchange the exchange.
func (v *VirtualHost) removeBinding(b *binding) {
	x := b.source
	delete(x.bindings, b.bindingKey)
	x.matcher.remove(b)
	v.unlink(b)
	if x.autoDelete && len(x.bindings) == 0 && !x.deleted.Load() {
		v.removeExchange(x)
	}
}

// unlink takes b out at its destination.
func (v *VirtualHost) unlink(b *binding) {
	delete(*b.inbound(), b)
}
