package warren

import (
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
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
	table.Set(&t, alternateArg, o.Alternate, o.Alternate != "")
	table.Set(&t, hashHeaderArg, o.HashHeader, o.HashHeader != "")
	table.Set(&t, hashPropertyArg, o.HashProperty, o.HashProperty != "")
	table.Set(&t, delayedTypeArg, string(o.DelayedType), o.DelayedType != "")
	o.Deduplicate.addTo(&t)
	return table.Join(t, o.Args)
}

const alternateArg = "alternate-exchange"

// alternateArgs are the names of this argument in LavinMQ and RabbitMQ. With
// both, the last one counts.
var alternateArgs = [...]string{"x-alternate-exchange", alternateArg}

// exchangeArgs are further arguments that mean something to an exchange, with
// their checks as for queues.
var exchangeArgs = [...]queueArg{
	{hashHeaderArg, isString, nil},
	{hashOnArg, isString, nil},
	{hashPropertyArg, isString, nil},
	{delayedTypeArg, isString, nil},
	{deduplicateArg, isBool, nil},
	{cacheSizeArg, isCacheSize, nil},
	{cacheTTLArg, isTime, nil},
	{DeduplicationHeader, isString, nil},
}

// newExchange makes an exchange of a known type, or says what is wrong with
// its arguments.
func (v *VirtualHost) newExchange(name string, kind ExchangeType, o ExchangeOptions) (*exchange, error) {
	const m = wire.ExchangeDeclareID
	args := o.table()
	x := &exchange{name: name, kind: kind, durable: o.Durable, autoDelete: o.AutoDelete, internal: o.Internal, args: args}
	for _, arg := range alternateArgs {
		a, ok := args[arg]
		if !ok {
			continue
		}
		s, ok := a.(string)
		if !ok {
			return nil, failure(m, wire.CodePreconditionFailed, "invalid type '%s' for arg '%s' in exchange '%s' in vhost '%s'", table.TypeName(a), arg, name, v.name)
		}
		x.alternate = s
	}
	if err := checkName(m, "alternate exchange name", x.alternate); err != nil {
		return nil, err
	}
	if kind == DelayedMessage {
		if err := checkDelayedType(args); err != nil {
			return nil, err
		}
	}
	for _, arg := range exchangeArgs {
		if value, ok := args[arg.name]; ok {
			if problem := arg.check(value, args); problem != "" {
				return nil, failure(m, wire.CodePreconditionFailed, "invalid arg '%s' for exchange '%s' in vhost '%s': %s", arg.name, name, v.name, problem)
			}
		}
	}
	if x.routes() == ConsistentHash {
		if err := checkHashArgs(args); err != nil {
			return nil, err
		}
	}
	x.matcher = newMatcher(x.routes(), args)
	x.setGate(v)
	return x, nil
}

// routes is the type by which the exchange routes: that of a delayed one is
// among its arguments.
func (x *exchange) routes() ExchangeType {
	if x.kind == DelayedMessage {
		t, _ := x.args[delayedTypeArg].(string)
		return ExchangeType(t)
	}
	return x.kind
}

// checkBinding refuses what means nothing to an exchange of this type.
func (x *exchange) checkBinding(m wire.MethodID, key string, args Table) error {
	switch x.routes() {
	case Headers:
		return checkHeadersBinding(m, args)
	case ConsistentHash:
		return checkWeight(m, key)
	}
	return nil
}

// equivalentExchange compares a declaration with the exchange that exists: of
// the arguments only those count that mean something to an exchange.
func (v *VirtualHost) equivalentExchange(old, x *exchange) error {
	differ := func(arg, received, current string) error {
		return failure(wire.ExchangeDeclareID, wire.CodePreconditionFailed, "inequivalent arg '%s' for exchange '%s' in vhost '%s': received %s but current is %s", arg, old.name, v.name, received, current)
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
	case old.alternate != x.alternate:
		received, current := quoteDifferent(x.alternate, x.alternate != "", old.alternate, old.alternate != "")
		return differ(alternateArg, received, current)
	}
	for _, arg := range exchangeArgs {
		was, had := old.args[arg.name]
		is, has := x.args[arg.name]
		if had != has || had && !table.Equal(was, is) {
			received, current := quoteDifferent(is, has, was, had)
			return differ(arg.name, received, current)
		}
	}
	return nil
}
