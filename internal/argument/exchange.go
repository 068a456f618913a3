package argument

import (
	"slices"

	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/table"
)

// Names of arguments of exchanges. LavinMQ's name of HashHeader is x-hash-on. Its
// argument x-algorithm is accepted and changes nothing: hashing here keeps what
// both of its algorithms promise.
const (
	HashHeader   = "hash-header"
	HashProperty = "hash-property"
	hashOn       = "x-hash-on"

	Alternate   = "alternate-exchange"
	DelayedType = "x-delayed-type"
	Delayed     = "x-delayed-exchange" // LavinMQ's: an exchange of any type delays
)

// lavinMQs are arguments of exchanges that LavinMQ alone knows.
var lavinMQs = [...]string{"x-alternate-exchange", hashOn, Delayed}

// WithoutLavinMQs returns the arguments without those that LavinMQ alone knows.
func WithoutLavinMQs(args table.Table) table.Table {
	for _, name := range lavinMQs {
		if _, ok := args[name]; ok {
			args = table.Clone(args)
			for _, name := range lavinMQs {
				delete(args, name)
			}
			break
		}
	}
	return args
}

// alternateArgs are the names of the argument for the alternate exchange in LavinMQ
// and RabbitMQ. If both are given, the last one counts.
var alternateArgs = [...]string{"x-alternate-exchange", Alternate}

// exchangeArgs are the other arguments that mean something to an exchange, with
// their checks.
var exchangeArgs = [...]queueArg{
	{HashHeader, isString, nil},
	{hashOn, isString, nil},
	{HashProperty, isString, nil},
	{DelayedType, isString, nil},
	{Delayed, isBool, nil},
	{Deduplicate, isBool, nil},
	{CacheSize, isCacheSize, nil},
	{duplicates.TTLHeader, isTime, nil},
	{DeduplicationHeader, isString, nil},
}

// AlternateOf returns the alternate exchange that the arguments name. Said is true
// if they have such an argument; its name may be empty, which means none. A value
// that is no text is a Problem with WrongType.
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

// CheckExchange returns what is wrong with an argument of a new exchange, or nil if
// nothing is.
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

// HashOf returns what an exchange with these checked arguments hashes on: a header
// or a property, or the routing key if both are empty.
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

// CheckHash returns what is wrong with checked arguments of an exchange that hashes.
// The text is empty if nothing is.
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
