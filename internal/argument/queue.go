// Package argument checks and interprets the x-arguments of queues, exchanges,
// bindings and consumers, and the settings of policies. Its functions are pure.
// Its texts are RabbitMQ's.
package argument

import (
	"slices"

	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/table"
)

// queueArg is an argument of queue.declare that means something to a queue.
type queueArg struct {
	name  string
	check func(v any, args table.Table) (problem string) // RabbitMQ's text; empty: none
	rule  func(r *queue.Rules, v any)                    // sets the rule that it makes; nil: none
}

// queueArgs are the arguments of queues, in the order in which RabbitMQ checks
// them.
var queueArgs = [...]queueArg{
	{"x-expires", isPositiveTime, func(r *queue.Rules, v any) { r.Expires = milliseconds(v) }},
	{"x-message-ttl", isTime, func(r *queue.Rules, v any) { r.TTL = milliseconds(v) }},
	{"x-dead-letter-exchange", isName, func(r *queue.Rules, v any) { deadLetter(r).Exchange = v.(string) }},
	{"x-dead-letter-routing-key", isDeadLetterKey, func(r *queue.Rules, v any) { setKey(deadLetter(r), v.(string)) }},
	{"x-dead-letter-strategy", oneOf("invalid_dlx_strategy", "at-most-once", "at-least-once"), nil},
	{"x-max-length", isCount, func(r *queue.Rules, v any) { r.MaxLength, _ = table.Integer(v) }},
	{"x-max-length-bytes", isCount, func(r *queue.Rules, v any) { r.MaxBytes, _ = table.Integer(v) }},
	{"x-max-age", isAge, func(r *queue.Rules, v any) { r.MaxAge, _ = parseAge(v.(string)) }},
	{"x-stream-max-segment-size-bytes", isCount, func(r *queue.Rules, v any) { r.SegmentBytes, _ = table.Integer(v) }},
	{"x-stream-filter-size-bytes", isCount, nil},
	{"x-initial-cluster-size", isPositive, nil},
	{"x-quorum-initial-group-size", isPositive, nil},
	{"x-max-in-memory-length", isCount, nil},
	{"x-max-in-memory-bytes", isCount, nil},
	{"x-overflow", isOverflow, func(r *queue.Rules, v any) { r.Overflow = overflow(v.(string)) }},
	{"x-delivery-limit", isCount, func(r *queue.Rules, v any) { r.DeliveryLimit, _ = table.Integer(v) }},
	{"x-consumer-timeout", isTime, func(r *queue.Rules, v any) { r.ConsumerTimeout = milliseconds(v) }},
	{"x-max-priority", isPriority, nil},
	{"x-single-active-consumer", isBool, nil},
	{"x-queue-type", isQueueType, nil},
	{"x-queue-mode", isQueueMode, nil},
	{"x-queue-version", isQueueVersion, nil},
	{"x-queue-master-locator", isString, nil},
	{"x-queue-leader-locator", oneOf("invalid_queue_locator_arg", leaderLocators[:]...), nil},
	{Deduplicate, isBool, nil},
	{CacheSize, isCacheSize, nil},
	{duplicates.TTLHeader, isTime, nil},
	{DeduplicationHeader, isString, nil},
}

// leaderLocators are the values of x-queue-leader-locator. They mean nothing here.
var leaderLocators = [...]string{"client-local", "balanced", "random", "least-leaders"}

// overflow returns what a checked x-overflow means.
func overflow(v string) queue.Overflow {
	switch v {
	case "reject-publish":
		return queue.Reject
	case "reject-publish-dlx":
		return queue.RejectToDeadLetter
	}
	return queue.DropHead
}

// deadLetter returns the dead letter settings of r, which it makes if need be.
func deadLetter(r *queue.Rules) *queue.DeadLetter {
	if r.DeadLetter == nil {
		r.DeadLetter = &queue.DeadLetter{}
	}
	return r.DeadLetter
}

func setKey(d *queue.DeadLetter, key string) { d.RoutingKey, d.Keyed = key, true }

// Problem says what is wrong with an argument.
type Problem struct {
	Arg       string
	Text      string // what is wrong with the value
	WrongType bool   // the value is no string, and Text is its type
	QueueType string // RabbitMQ's name of the queue type, if queues of this type cannot have the argument
}

// CheckQueue returns what is wrong with an argument of a new queue, or nil if
// nothing is.
func CheckQueue(r *like.Rules, args table.Table) *Problem {
	if len(args) == 0 {
		return nil
	}
	const x = "x-dead-letter-exchange"
	if v, ok := args[x]; ok && isString(v, nil) != "" {
		return &Problem{Arg: x, Text: table.TypeName(v), WrongType: true}
	}
	foreign, queueType := Foreign(r, args)
	for i := range queueArgs {
		a := &queueArgs[i]
		v, ok := args[a.name]
		if !ok || slices.Contains(foreign, a.name) {
			continue
		}
		if text := a.check(v, args); text != "" {
			return &Problem{Arg: a.name, Text: text}
		}
	}
	if n, ok := table.Integer(args["x-queue-version"]); ok && n == 1 && r.StrictQueueTypes && !slices.Contains(foreign, "x-queue-version") {
		return &Problem{Arg: "x-queue-version", Text: unsupportedVersion(n)}
	}
	for _, name := range foreign {
		if _, ok := args[name]; ok {
			return &Problem{Arg: name, QueueType: queueType}
		}
	}
	return nil
}

// Rules returns the rules that checked arguments make, or settings of policies
// under the names of arguments. They are nil if nothing is asked of the queue.
func Rules(args table.Table) *queue.Rules {
	if len(args) == 0 {
		return nil
	}
	r := queue.NoRules()
	for i := range queueArgs {
		if a := &queueArgs[i]; a.rule != nil {
			if v, ok := args[a.name]; ok {
				a.rule(&r, v)
			}
		}
	}
	if r == queue.NoRules() {
		return nil
	}
	return &r
}

// MaxPriority returns the highest priority that checked arguments ask for. Zero
// means that the queue has no priorities.
func MaxPriority(args table.Table) uint8 {
	n, _ := table.Integer(args["x-max-priority"])
	return uint8(n)
}

// SingleActive reports whether the arguments ask for a single active consumer.
func SingleActive(args table.Table) bool { return args["x-single-active-consumer"] == any(true) }
