package argument

import (
	"maps"

	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/table"
)

// Kinds is a set of the kinds of objects that policies tell apart.
type Kinds uint8

// The kinds. Queue is all kinds of queues.
const (
	Classic Kinds = 1 << iota
	Quorum
	Stream
	Exchange
	Queue = Classic | Quorum | Stream
)

// KindOf returns the kind of a queue with these arguments.
func KindOf(args table.Table) Kinds {
	switch args["x-queue-type"] {
	case "quorum":
		return Quorum
	case "stream":
		return Stream
	}
	return Classic
}

// Merge adds the settings of a definition to t, under their names with the prefix.
// Where t has a setting already, that one stays, unless RabbitMQ takes the smaller
// of both.
func Merge(t table.Table, prefix string, definition table.Table) {
	for name, v := range definition {
		stronger, ok := t[prefix+name]
		if !ok {
			t[prefix+name] = v
		} else if k := findPolicyKey(name); k.merge != nil {
			t[prefix+name] = k.merge(stronger, v)
		}
	}
}

// RulesBeside returns the rules of a queue with these arguments and the settings
// of policies. They are nil if nothing is asked of the queue.
func RulesBeside(args, policies table.Table) *queue.Rules {
	if policies == nil {
		return Rules(args)
	}
	all := make(table.Table, len(args)+len(policies))
	maps.Copy(all, args)
	Merge(all, "x-", policies)
	if _, ok := all["x-dead-letter-exchange"]; !ok {
		delete(all, "x-dead-letter-routing-key") // alone it means nothing
	}
	return Rules(all)
}
