package warren

import (
	"maps"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/route"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// ExchangeType says how an exchange selects the bindings for a message.
type ExchangeType string

// The exchange types of AMQP 0-9-1.
const (
	Direct  ExchangeType = "direct"  // bindings whose key equals the routing key
	Fanout  ExchangeType = "fanout"  // all bindings
	Topic   ExchangeType = "topic"   // the binding key is a pattern: * is one word, # any number of words
	Headers ExchangeType = "headers" // the binding arguments are compared with the message's headers
)

// Exchange types that RabbitMQ has in plugins. LavinMQ has them too.
const (
	// ConsistentHash sends each message to one of the bindings' destinations.
	// Messages with the same routing key go to the same destination;
	// [ExchangeOptions] can name a header or property to use instead of the key.
	// Binding keys are weights, integers from 1 to 4294967295: a destination's share
	// of all messages is in proportion to its weight. A new or removed binding
	// changes only the destinations of its own share. If a destination is bound more
	// than once, its weight is that of its oldest binding.
	ConsistentHash ExchangeType = "x-consistent-hash"
	// DelayedMessage holds a message for the milliseconds in its header
	// [DelayHeader], then routes it like an exchange of type
	// [ExchangeOptions].DelayedType. LavinMQ's name x-delayed-exchange means the
	// same.
	DelayedMessage ExchangeType = "x-delayed-message"
)

// ExchangeOptions are the properties of an exchange (exchange.declare). The zero
// value gives a transient exchange that exists until it is deleted. A field that
// names an argument sets it, unless the field is zero.
type ExchangeOptions struct {
	Durable    bool   // survives a restart of a durable broker
	AutoDelete bool   // deleted when its last binding to a destination is removed
	Internal   bool   // takes messages from other exchanges only, not from publishers
	Alternate  string // takes the messages that match no binding (alternate-exchange)

	// HashHeader is the header that selects the destination at a [ConsistentHash]
	// exchange (hash-header, in LavinMQ x-hash-on). HashProperty is the property
	// that does it instead: correlation_id, message_id or timestamp (hash-property).
	// Both empty: the routing key selects. Setting both fails with 406.
	HashHeader, HashProperty string
	// DelayedType is the type by which a [DelayedMessage] exchange, which must set
	// it, routes messages after their delay (x-delayed-type).
	DelayedType ExchangeType
	// Deduplicate makes the exchange drop duplicates. Nil: it routes all messages.
	Deduplicate *Deduplication

	Args Table // more arguments
}

// table returns Args with the arguments that the fields set.
func (o *ExchangeOptions) table() Table {
	var t Table
	table.Set(&t, argument.Alternate, o.Alternate, o.Alternate != "")
	table.Set(&t, argument.HashHeader, o.HashHeader, o.HashHeader != "")
	table.Set(&t, argument.HashProperty, o.HashProperty, o.HashProperty != "")
	table.Set(&t, argument.DelayedType, string(o.DelayedType), o.DelayedType != "")
	o.Deduplicate.addTo(&t)
	return table.Join(t, o.Args)
}

// delayedAlias is LavinMQ's name of the type DelayedMessage.
const delayedAlias ExchangeType = argument.Delayed

// declaredExchange is an exchange with the properties of its declaration.
type declaredExchange struct {
	route.Exchange // Alternate is in effect, from the arguments or a policy
	kind           ExchangeType
	durable        bool
	autoDelete     bool
	internal       bool
	alternate      string // the declared alternate exchange
	args           Table
	id             uint32 // on disk; zero: the exchange is not there
	light          bool   // the arguments hold little: see lightArguments

	// Guarded by vhost.mu.
	held     memory.Reservation // of the exchange itself
	policies appliedPolicies
}

// newDeclaredExchange makes a durable exchange without arguments.
func newDeclaredExchange(name string, kind ExchangeType, m route.Matcher) *declaredExchange {
	return &declaredExchange{Exchange: route.Exchange{Name: name, Matcher: m}, kind: kind, durable: true, light: true}
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
		g.Delays = delay.New(&b.queues.Clock, &b.queues.Memory, &b.tasks, func(p *message.Publishing) bool { return v.routeDelayed(x, p) })
	}
	if g != (route.Gate{}) {
		x.SetGate(&g)
	}
}

// delays returns what keeps messages back, or nil if the exchange does not.
func (x *declaredExchange) delays() *delay.Store {
	if x.Gate == nil {
		return nil
	}
	return x.Gate.Delays
}

// setAlternate sets the alternate exchange that is in effect: the declared one,
// otherwise that of a policy. The vhost's mu is held.
func (x *declaredExchange) setAlternate() {
	x.Alternate = x.alternate
	if _, said, _ := argument.AlternateOf(x.args); !said {
		x.Alternate, _ = x.policies.definition()[argument.Alternate].(string)
	}
}

// checkDelayedType fails unless a delayed exchange has a type that can route.
func checkDelayedType(args Table) error {
	const m = wire.ExchangeDeclareID
	s, ok := args[argument.DelayedType].(string)
	switch kind := ExchangeType(s); {
	case !ok:
		return failure(m, wire.CodePreconditionFailed, "Invalid argument, 'x-delayed-type' must be an existing exchange type")
	case kind == DelayedMessage || kind == delayedAlias:
		return failure(m, wire.CodePreconditionFailed, "Invalid argument, '%s' can't be used for 'x-delayed-type'", DelayedMessage)
	case !isExchangeType(kind):
		return failure(m, wire.CodePreconditionFailed, "unknown exchange type '%s'", kind)
	}
	return nil
}

// isExchangeType reports whether kind is a type that routes without delay.
func isExchangeType(kind ExchangeType) bool {
	return route.NewMatcher(string(kind), route.HashOn{}) != nil
}

// routingType returns the type by which the exchange routes. For a delayed exchange
// it is in the arguments.
func (x *declaredExchange) routingType() ExchangeType {
	if x.kind == DelayedMessage {
		t, _ := x.args[argument.DelayedType].(string)
		return ExchangeType(t)
	}
	return x.kind
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

// defaultMatcher matches for the default exchange: each queue is bound by its name,
// and each requester by its direct reply-to address.
type defaultMatcher struct{ vhost *VirtualHost }

func (defaultMatcher) Add(*route.Binding)    {}
func (defaultMatcher) Remove(*route.Binding) {}

func (defaultMatcher) Exact(string) ([]*route.Queue, bool) { return nil, false }

func (m defaultMatcher) Match(w *route.Walk, key string, _ message.Content) {
	if q := m.vhost.queues[key]; q != nil {
		w.AddQueue(&q.Queue)
	} else if isReplyAddress(key) {
		w.AddReply(key)
	}
}
