package warren

import (
	"sync/atomic"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/memory"
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
	Durable    bool   // survives the end of a broker from [Open]
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

	// passed is of messages from no channel, and from channels that no longer count for
	// it. Nil: nobody has watched so far.
	passed atomic.Pointer[passed]

	// Guarded by vhost.mu.
	held     memory.Reservation // of the exchange itself
	policies appliedPolicies
}

// newDeclaredExchange makes a durable exchange without arguments.
func newDeclaredExchange(name string, kind ExchangeType, m route.Matcher) *declaredExchange {
	return &declaredExchange{Exchange: route.Exchange{Name: name, Matcher: m}, kind: kind, durable: true, light: true}
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
