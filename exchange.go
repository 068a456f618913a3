package warren

import (
	"sync/atomic"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/route"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// ExchangeType says how an exchange matches messages with bindings.
type ExchangeType string

// The exchange types of AMQP 0-9-1.
const (
	Direct  ExchangeType = "direct"  // binding key equals routing key
	Fanout  ExchangeType = "fanout"  // every binding
	Topic   ExchangeType = "topic"   // binding key is a pattern: * is one word, # any number
	Headers ExchangeType = "headers" // binding arguments are compared with the message's headers
)

// Exchange types that RabbitMQ has by its plugins, and LavinMQ as well.
const (
	// ConsistentHash gives each message to one of the bindings' destinations:
	// to the same one as long as the routing key, or what else
	// [ExchangeOptions] says, is the same. Binding keys are weights, integers
	// from 1 to 4294967295: the share of a destination in all messages. When a
	// binding comes or goes, its own share moves and nothing else. A
	// destination that is bound more than once has the weight of its oldest
	// binding.
	ConsistentHash ExchangeType = "x-consistent-hash"
	// DelayedMessage keeps a message back for the milliseconds in its header
	// [DelayHeader], then routes it as an exchange of the type
	// ExchangeOptions.DelayedType. LavinMQ's name x-delayed-exchange means the
	// same. See [DelayHeader].
	DelayedMessage ExchangeType = "x-delayed-message"
)

// ExchangeOptions are the properties of an exchange (exchange.declare). The
// zero value gives a transient exchange that stays until it is deleted. Fields
// that name an argument set it unless they are zero.
type ExchangeOptions struct {
	Durable    bool   // survives a restart of a durable broker
	AutoDelete bool   // deleted when its last binding to a destination goes
	Internal   bool   // takes messages from exchanges only, not from publishers
	Alternate  string // exchange for messages that match no binding (alternate-exchange)

	// HashHeader is the header whose value decides where a [ConsistentHash]
	// exchange sends a message (hash-header, in LavinMQ x-hash-on).
	// HashProperty is the property that does: correlation_id, message_id or
	// timestamp (hash-property). Both empty: the routing key decides. Both set
	// is 406.
	HashHeader, HashProperty string
	// DelayedType is how a [DelayedMessage] exchange routes messages when
	// their delay is over; it must have one (x-delayed-type).
	DelayedType ExchangeType
	// Deduplicate drops messages that the exchange has had before. Nil: it
	// routes all.
	Deduplicate *Deduplication

	Args Table // further arguments
}

// table is Args with the arguments that the fields set.
func (o *ExchangeOptions) table() Table {
	var t Table
	table.Set(&t, argument.Alternate, o.Alternate, o.Alternate != "")
	table.Set(&t, argument.HashHeader, o.HashHeader, o.HashHeader != "")
	table.Set(&t, argument.HashProperty, o.HashProperty, o.HashProperty != "")
	table.Set(&t, argument.DelayedType, string(o.DelayedType), o.DelayedType != "")
	o.Deduplicate.addTo(&t)
	return table.Join(t, o.Args)
}

// delayedAlias is LavinMQ's other name of the type.
const delayedAlias = "x-delayed-exchange"

// declaredExchange is an exchange as AMQP knows it.
type declaredExchange struct {
	route.Exchange // its Alternate is the one that counts, of arguments and policies
	kind           ExchangeType
	durable        bool
	autoDelete     bool
	internal       bool
	alternate      string // name of the alternate exchange that was declared
	args           Table
	deleted        atomic.Bool // written with vhost.mu held

	policies appliedPolicies // guarded by vhost.mu
}

// newDeclaredExchange makes a durable exchange without arguments.
func newDeclaredExchange(name string, kind ExchangeType, m route.Matcher) *declaredExchange {
	return &declaredExchange{Exchange: route.Exchange{Name: name, Matcher: m}, kind: kind, durable: true}
}

// newExchange makes an exchange of a known type, or says what is wrong with
// its arguments.
func (v *VirtualHost) newExchange(name string, kind ExchangeType, o ExchangeOptions) (*declaredExchange, error) {
	const m = wire.ExchangeDeclareID
	args := o.table()
	x := &declaredExchange{kind: kind, durable: o.Durable, autoDelete: o.AutoDelete, internal: o.Internal, args: args}
	x.Name = name
	alternate, _, p := argument.AlternateOf(args)
	if p != nil {
		return nil, failure(m, wire.CodePreconditionFailed, "invalid type '%s' for arg '%s' in exchange '%s' in vhost '%s'", p.Text, p.Arg, name, v.name)
	}
	if err := checkName(m, "alternate exchange name", alternate); err != nil {
		return nil, err
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

// setGate gives a new exchange the gate that its type and arguments ask for.
func (v *VirtualHost) setGate(x *declaredExchange) {
	b := v.broker
	var g route.Gate
	if o, ok := argument.Duplicates(x.args); ok {
		g.Seen = duplicates.New(o, &b.queues.Clock)
	}
	if x.kind == DelayedMessage {
		g.Delays = delay.New(&b.queues.Clock, &b.queues.Memory, &b.tasks, func(p *message.Publishing) { v.routeDelayed(x, p) })
	}
	if g != (route.Gate{}) {
		x.SetGate(&g)
	}
}

// setAlternate has the exchange follow: a policy's alternate exchange counts if
// the declaration says nothing of one. The caller holds mu.
func (x *declaredExchange) setAlternate() {
	x.Alternate = x.alternate
	if _, said, _ := argument.AlternateOf(x.args); !said {
		x.Alternate, _ = x.policies.definition()[argument.Alternate].(string)
	}
}

// checkDelayedType refuses a delayed exchange that could not route.
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

// isExchangeType reports whether exchanges of a type can route by themselves.
func isExchangeType(kind ExchangeType) bool {
	return route.NewMatcher(string(kind), route.HashOn{}) != nil
}

// routes is the type by which the exchange routes: that of a delayed one is
// among its arguments.
func (x *declaredExchange) routingType() ExchangeType {
	if x.kind == DelayedMessage {
		t, _ := x.args[argument.DelayedType].(string)
		return ExchangeType(t)
	}
	return x.kind
}

// checkBinding refuses what means nothing to an exchange of this type.
func (x *declaredExchange) checkBinding(m wire.MethodID, key string, args Table) error {
	problem := ""
	switch x.routingType() {
	case Headers:
		problem = argument.CheckHeaders(args)
	case ConsistentHash:
		problem = argument.CheckWeight(key)
	}
	if problem != "" {
		return failure(m, wire.CodePreconditionFailed, "%s", problem)
	}
	return nil
}

// equivalentExchange compares a declaration with the exchange that exists: of
// the arguments only those count that mean something to an exchange.
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

// defaultMatcher is the default exchange: every queue is bound by its name,
// and so is every requester by its direct reply-to address.
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
