package warren

import (
	"fmt"
	"slices"
	"time"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// QueueOptions are the properties of a queue (queue.declare). The zero value
// gives a transient queue that everybody may use and that stays until it is
// deleted. Fields that name an argument set it unless they are zero; what they
// cannot say, such as a limit of zero, can be said in Args.
type QueueOptions struct {
	Durable    bool // survives a restart of a durable broker
	Exclusive  bool // belongs to the session that declares it and ends with it
	AutoDelete bool // deleted when its last consumer goes

	// Type is how the queue keeps messages (x-queue-type). Empty: [Classic].
	Type QueueType
	// MessageTTL is how long a message may wait in the queue, in whole
	// milliseconds (x-message-ttl). The smaller one of this and of the
	// message's Expiration counts. Zero: for ever.
	MessageTTL time.Duration
	// Expires is how long the queue stays while it has no consumers and nobody
	// declares it or gets from it, in whole milliseconds (x-expires). Zero: for
	// ever.
	Expires time.Duration
	// MaxLength is how many messages may be ready (x-max-length), MaxLengthBytes
	// how many bytes their bodies may have together (x-max-length-bytes). Zero:
	// no limit. A stream that has more gives up its oldest segment.
	MaxLength, MaxLengthBytes int64
	// MaxAge is how long messages stay in a stream, in whole seconds; a fraction
	// counts as one (x-max-age). A segment goes when its newest message is older,
	// so a message may stay an eighth longer. Zero: for ever.
	MaxAge time.Duration
	// MaxSegmentBytes is how many bytes the bodies in a segment of a stream may
	// have together (x-stream-max-segment-size-bytes): a segment is what a
	// stream gives up at a time. It has 256 messages at most, or an eighth of
	// what MaxLength and MaxAge allow. Zero: an eighth of MaxLengthBytes, 1 MiB
	// at most. Less than 1 KiB counts as 1 KiB, more than 3 GB is refused.
	MaxSegmentBytes int64
	// Overflow says what happens beyond that (x-overflow). Empty: [DropHead].
	Overflow Overflow
	// DeadLetter is where lost messages go (x-dead-letter-exchange and
	// x-dead-letter-routing-key). Nil: nowhere.
	DeadLetter *DeadLetter
	// MaxPriority makes it a priority queue: messages with a higher Priority,
	// up to this one, come first (x-max-priority). Zero: order of arrival only.
	MaxPriority uint8
	// SingleActiveConsumer has one consumer at a time get messages; when it
	// goes, the next one does (x-single-active-consumer).
	SingleActiveConsumer bool
	// DeliveryLimit is how often a message may come back before it is lost
	// (x-delivery-limit). Zero: without limit.
	DeliveryLimit int64
	// ConsumerTimeout is how long a consumer, or who got a message by Get, may
	// take to settle a delivery, in whole milliseconds (x-consumer-timeout). It
	// counts from when the delivery is read, over AMQP from when it is sent.
	// After that the channel is closed as by [Channel.Close], and whoever uses
	// it or its consumers gets an [ErrClosed] that is an [*Error] of 406, too.
	// Consumers that start later have the timeout that the queue has then. A
	// [Handler] has none: the caller's deadline ends what takes too long. Zero:
	// as long as it likes.
	ConsumerTimeout time.Duration
	// Deduplicate drops messages that the queue has had before. Nil: it takes
	// all.
	Deduplicate *Deduplication

	Args Table // further arguments
}

// table is Args with the arguments that the fields set.
func (o *QueueOptions) table() Table {
	var t Table
	set := func(name string, v any, asked bool) { table.Set(&t, name, v, asked) }
	set("x-queue-type", string(o.Type), o.Type != "")
	set("x-message-ttl", o.MessageTTL.Milliseconds(), o.MessageTTL != 0)
	set("x-expires", o.Expires.Milliseconds(), o.Expires != 0)
	set("x-max-length", o.MaxLength, o.MaxLength != 0)
	set("x-max-length-bytes", o.MaxLengthBytes, o.MaxLengthBytes != 0)
	if o.MaxAge != 0 {
		set("x-max-age", ageOf(o.MaxAge), true)
	}
	set("x-stream-max-segment-size-bytes", o.MaxSegmentBytes, o.MaxSegmentBytes != 0)
	set("x-overflow", string(o.Overflow), o.Overflow != "")
	if d := o.DeadLetter; d != nil {
		set("x-dead-letter-exchange", d.Exchange, true)
		set("x-dead-letter-routing-key", d.RoutingKey, d.RoutingKey != "")
	}
	set("x-max-priority", o.MaxPriority, o.MaxPriority != 0)
	set("x-single-active-consumer", true, o.SingleActiveConsumer)
	set("x-delivery-limit", o.DeliveryLimit, o.DeliveryLimit != 0)
	set("x-consumer-timeout", o.ConsumerTimeout.Milliseconds(), o.ConsumerTimeout != 0)
	o.Deduplicate.addTo(&t)
	return table.Join(t, o.Args)
}

// queueArg is an argument of queue.declare that means something to a queue.
type queueArg struct {
	name  string
	check func(v any, args Table) (problem string) // in RabbitMQ's words
	rule  func(r *rules, v any)                    // nil: it makes no rule
}

// queueArgs are in the order in which RabbitMQ reports what is wrong.
var queueArgs = [...]queueArg{
	{"x-expires", isPositiveTime, func(r *rules, v any) { r.expires = milliseconds(v) }},
	{"x-message-ttl", isTime, func(r *rules, v any) { r.ttl = milliseconds(v) }},
	{"x-dead-letter-exchange", isString, func(r *rules, v any) { r.letters().Exchange = v.(string) }},
	{"x-dead-letter-routing-key", isDeadLetterKey, func(r *rules, v any) { r.letters().setKey(v.(string)) }},
	{"x-dead-letter-strategy", oneOf("invalid_dlx_strategy", "at-most-once", "at-least-once"), nil},
	{"x-max-length", isCount, func(r *rules, v any) { r.maxLength, _ = table.Integer(v) }},
	{"x-max-length-bytes", isCount, func(r *rules, v any) { r.maxBytes, _ = table.Integer(v) }},
	{"x-max-age", isAge, func(r *rules, v any) { r.maxAge, _ = parseAge(v.(string)) }},
	{"x-stream-max-segment-size-bytes", isCount, func(r *rules, v any) { r.segmentBytes, _ = table.Integer(v) }},
	{"x-stream-filter-size-bytes", isCount, nil},
	{"x-initial-cluster-size", isPositive, nil},
	{"x-quorum-initial-group-size", isPositive, nil},
	{"x-max-in-memory-length", isCount, nil},
	{"x-max-in-memory-bytes", isCount, nil},
	{"x-overflow", isOverflow, func(r *rules, v any) { r.overflow = Overflow(v.(string)) }},
	{"x-delivery-limit", isCount, func(r *rules, v any) { r.deliveryLimit, _ = table.Integer(v) }},
	{"x-consumer-timeout", isTime, func(r *rules, v any) { r.consumerTimeout = milliseconds(v) }},
	{"x-max-priority", isPriority, nil},
	{"x-single-active-consumer", isBool, nil},
	{"x-queue-type", isQueueType, nil},
	{"x-queue-mode", isQueueMode, nil},
	{"x-queue-version", isQueueVersion, nil},
	{"x-queue-master-locator", isString, nil},
	{"x-queue-leader-locator", oneOf("invalid_queue_locator_arg", leaderLocators[:]...), nil},
	{deduplicateArg, isBool, nil},
	{cacheSizeArg, isCacheSize, nil},
	{cacheTTLArg, isTime, nil},
	{DeduplicationHeader, isString, nil},
}

// leaderLocators may be asked for, and mean nothing here.
var leaderLocators = [...]string{"client-local", "balanced", "random", "least-leaders"}

// letters are the rules' own dead letter settings.
func (r *rules) letters() *DeadLetter {
	if r.deadLetter == nil {
		r.deadLetter = &DeadLetter{}
	}
	return r.deadLetter
}

// milliseconds are bounded, since those of policies are not.
func milliseconds(v any) time.Duration {
	n, _ := table.Integer(v)
	return time.Duration(min(n, maxExpiration)) * time.Millisecond
}

func unacceptable(v any) string { return "{unacceptable_type," + table.TypeName(v) + "}" }

// noInteger is what RabbitMQ 3 says of such a value, quotes included.
func noInteger(v any) string { return `"expected integer, got ` + table.TypeName(v) + `"` }

func isString(v any, _ Table) string {
	if _, ok := v.(string); ok {
		return ""
	}
	return unacceptable(v)
}

func isBool(v any, _ Table) string {
	if _, ok := v.(bool); ok {
		return ""
	}
	return unacceptable(v)
}

func isCount(v any, _ Table) string {
	n, ok := table.Integer(v)
	switch {
	case !ok:
		return noInteger(v)
	case n < 0:
		return fmt.Sprintf("{value_negative,%d}", n)
	}
	return ""
}

func isTime(v any, args Table) string {
	if problem := isCount(v, args); problem != "" {
		return problem
	}
	if n, _ := table.Integer(v); n > maxExpiration {
		return fmt.Sprintf("{value_too_large,%d}", n)
	}
	return ""
}

func isPositive(v any, args Table) string {
	if n, ok := table.Integer(v); ok && n == 0 {
		return "{value_zero,0}"
	}
	return isCount(v, args)
}

func isPositiveTime(v any, args Table) string {
	if problem := isPositive(v, args); problem != "" {
		return problem
	}
	return isTime(v, args)
}

func isPriority(v any, args Table) string {
	if problem := isCount(v, args); problem != "" {
		return problem
	}
	if n, _ := table.Integer(v); n > 255 {
		return fmt.Sprintf("{max_value_exceeded,%d}", n)
	}
	return ""
}

func isDeadLetterKey(v any, args Table) string {
	if problem := isString(v, args); problem != "" {
		return problem
	}
	if _, ok := args["x-dead-letter-exchange"]; !ok {
		return "routing_key_but_no_dlx_defined"
	}
	return ""
}

// oneOf wants a string of a list; another one is the given problem.
func oneOf(problem string, list ...string) func(any, Table) string {
	return func(v any, args Table) string {
		if problem := isString(v, args); problem != "" {
			return problem
		}
		if !slices.Contains(list, v.(string)) {
			return problem
		}
		return ""
	}
}

func isOverflow(v any, args Table) string {
	return oneOf("invalid_overflow", string(DropHead), string(RejectPublish), string(RejectPublishDLX))(v, args)
}

func isQueueMode(v any, args Table) string {
	return oneOf(fmt.Sprintf(`"unsupported queue mode '%v'"`, v), "default", "lazy")(v, args)
}

func isQueueType(v any, args Table) string {
	return oneOf(fmt.Sprintf(`"unsupported queue type '%v'"`, v), string(Classic), string(Quorum), string(Stream))(v, args)
}

func isAge(v any, args Table) string {
	if problem := isString(v, args); problem != "" {
		return problem
	}
	if _, ok := parseAge(v.(string)); !ok {
		return "invalid_max_age"
	}
	return ""
}

func isQueueVersion(v any, _ Table) string {
	if n, ok := table.Integer(v); ok && (n == 1 || n == 2) {
		return ""
	}
	return fmt.Sprintf(`"unsupported queue version '%v'"`, v)
}

// checkQueueArgs refuses arguments that a new queue cannot obey.
func (v *VirtualHost) checkQueueArgs(name string, args Table) error {
	if len(args) == 0 {
		return nil
	}
	if x, ok := args["x-dead-letter-exchange"]; ok && isString(x, nil) != "" {
		return failure(wire.QueueDeclareID, wire.CodePreconditionFailed, "invalid type '%s' for arg 'x-dead-letter-exchange' in queue '%s' in vhost '%s'", table.TypeName(x), name, v.name)
	}
	foreign, queueType := foreignArgs(args)
	for _, arg := range queueArgs {
		value, ok := args[arg.name]
		if !ok || slices.Contains(foreign, arg.name) {
			continue
		}
		if problem := arg.check(value, args); problem != "" {
			return failure(wire.QueueDeclareID, wire.CodePreconditionFailed, "invalid arg '%s' for queue '%s' in vhost '%s': %s", arg.name, name, v.name, problem)
		}
	}
	for _, arg := range foreign {
		if _, ok := args[arg]; ok {
			return v.foreignArg(wire.QueueDeclareID, arg, name, queueType)
		}
	}
	return nil
}

// obey makes a new queue what its arguments and policies ask.
func (q *queue) obey(args Table) {
	rules := q.policies.rules(args)
	if rules == nil && len(args) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rules = rules
	if n, _ := table.Integer(args["x-max-priority"]); n > 0 {
		q.store.levels = newLevels(uint8(n), q.store.pool)
	}
	q.single, _ = args["x-single-active-consumer"].(bool)
	q.seen = newSeen(q.vhost.broker, args)
	if isStream(args) {
		q.stream = newStream()
	}
	q.used()
}
