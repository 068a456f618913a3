package argument

import (
	"maps"

	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/table"
)

// Kinds are kinds of objects that policies tell apart.
type Kinds uint8

const (
	Classic Kinds = 1 << iota
	Quorum
	Stream
	Exchange
	Queue = Classic | Quorum | Stream
)

// KindOf is the kind of a queue with these arguments.
func KindOf(args table.Table) Kinds {
	switch args["x-queue-type"] {
	case "quorum":
		return Quorum
	case "stream":
		return Stream
	}
	return Classic
}

// Merge adds the settings of a definition, which are the weaker ones, to those
// in t, whose names have the prefix.
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

// RulesBeside are the rules of a queue with these arguments and with what
// policies ask for together.
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
