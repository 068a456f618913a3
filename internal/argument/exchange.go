package argument

import (
	"slices"

	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/table"
)

// Names of arguments of exchanges. LavinMQ has another name for the first; its
// x-algorithm may be given but changes nothing: what both of its algorithms
// promise is kept here.
const (
	HashHeader   = "hash-header"
	HashProperty = "hash-property"
	hashOn       = "x-hash-on"

	Alternate   = "alternate-exchange"
	DelayedType = "x-delayed-type"
)

// alternateArgs are the names of this argument in LavinMQ and RabbitMQ. With
// both, the last one counts.
var alternateArgs = [...]string{"x-alternate-exchange", Alternate}

// exchangeArgs are further arguments that mean something to an exchange, with
// their checks as for queues.
var exchangeArgs = [...]queueArg{
	{HashHeader, isString, nil},
	{hashOn, isString, nil},
	{HashProperty, isString, nil},
	{DelayedType, isString, nil},
	{Deduplicate, isBool, nil},
	{CacheSize, isCacheSize, nil},
	{duplicates.TTLHeader, isTime, nil},
	{DeduplicationHeader, isString, nil},
}

// AlternateOf is the alternate exchange that arguments name; said: they do,
// be it the empty name, which is none. A value that is no name is a problem of
// the wrong type.
func AlternateOf(args table.Table) (name string, said bool, p *Problem) {
	for _, arg := range alternateArgs {
		v, ok := args[arg]
		if !ok {
			continue
		}
		s, ok := v.(string)
		if !ok {
			return "", true, &Problem{Arg: arg, Text: table.TypeName(v), WrongType: true}
		}
		name, said = s, true
	}
	return name, said, nil
}

// CheckExchange looks for arguments that a new exchange cannot obey; nil: there
// are none.
func CheckExchange(args table.Table) *Problem {
	for i := range exchangeArgs {
		a := &exchangeArgs[i]
		if v, ok := args[a.name]; ok {
			if text := a.check(v, args); text != "" {
				return &Problem{Arg: a.name, Text: text}
			}
		}
	}
	return nil
}

// HashOf is what checked arguments have an exchange hash on: a header, or a
// property, or the routing key if both are empty.
func HashOf(args table.Table) (header, property string) {
	property, _ = args[HashProperty].(string)
	header, ok := args[HashHeader].(string)
	if !ok {
		header, _ = args[hashOn].(string)
	}
	return header, property
}

// hashProperties are the properties that an exchange can hash on.
var hashProperties = [...]string{"correlation_id", "message_id", "timestamp"}

// CheckHash tells what is wrong with checked arguments of an exchange that
// hashes; an empty text: nothing.
func CheckHash(args table.Table) string {
	property, ok := args[HashProperty].(string)
	_, header := args[HashHeader]
	_, on := args[hashOn]
	switch {
	case !ok:
		return ""
	case header || on:
		return "hash-header and hash-property are mutually exclusive"
	case !slices.Contains(hashProperties[:], property):
		return "Unsupported property: " + property
	}
	return ""
}
