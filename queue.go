package warren

import (
	"time"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/route"
	"github.com/warrenmq/warren/internal/table"
)

// Queue is the state of a queue, as a declaration returns it.
type Queue struct {
	Name      string
	Messages  int // ready messages
	Consumers int
}

// QueueType says how a queue stores messages (x-queue-type).
type QueueType string

const (
	// Classic queues deliver each message to one consumer. This is the default.
	Classic QueueType = "classic"
	// Quorum queues are like classic ones here, as in LavinMQ: there is one copy of
	// each message, and no election.
	Quorum QueueType = "quorum"
	// Stream queues are logs: messages stay after they were read, as long as the
	// queue's limits allow, and each consumer reads all messages from its own start
	// (see [ConsumeOptions].Offset). A stream must be Durable and have a name, and
	// can be neither Exclusive nor AutoDelete. Get and QueuePurge fail for streams,
	// and messages do not expire. Set a limit: without one a stream grows until
	// [Options].MemoryLimit, or a full disk, stops the publishers. In a broker from
	// [Open] all messages of a stream are on disk, also transient ones.
	Stream QueueType = "stream"
)

// QueueOptions are the properties of a queue (queue.declare). The zero value gives a
// transient queue that everybody may use and that exists until it is deleted. A
// field that names an argument sets it, unless the field is zero. Use Args for
// values that a field cannot have, such as a limit of zero.
type QueueOptions struct {
	Durable    bool // survives the end of a broker from [Open], with its persistent messages
	Exclusive  bool // only the declaring session may use it; deleted when the session ends
	AutoDelete bool // deleted when its last consumer ends

	// Type is how the queue stores messages (x-queue-type). Empty: [Classic].
	Type QueueType
	// MessageTTL is how long a message may stay in the queue, in whole milliseconds
	// (x-message-ttl). If the message has an Expiration, the smaller one of both
	// counts. Zero: for ever.
	MessageTTL time.Duration
	// Expires is how long the queue exists without use: without consumers,
	// declarations and Get, in whole milliseconds (x-expires). Zero: for ever.
	Expires time.Duration
	// MaxLength is how many messages may be ready (x-max-length). MaxLengthBytes is
	// how many bytes their bodies may have together (x-max-length-bytes). Zero: no
	// limit. A stream above the limit drops its oldest segment.
	MaxLength, MaxLengthBytes int64
	// MaxAge is how long messages stay in a stream, in whole seconds (x-max-age). A
	// fraction of a second counts as one. A segment is dropped when its newest
	// message is older, so a message may stay an eighth longer. Zero: for ever.
	MaxAge time.Duration
	// MaxSegmentBytes is how many bytes the bodies in a segment of a stream may have
	// together (x-stream-max-segment-size-bytes). A stream drops whole segments. A
	// segment has at most 256 messages, and at most an eighth of what MaxLength and
	// MaxAge allow. Zero: an eighth of MaxLengthBytes, at most 1 MiB. Less than 1
	// KiB counts as 1 KiB. More than 3 GB is refused.
	MaxSegmentBytes int64
	// Overflow says what happens at MaxLength and MaxLengthBytes (x-overflow).
	// Empty: [DropHead].
	Overflow Overflow
	// DeadLetter is where lost messages go (x-dead-letter-exchange and
	// x-dead-letter-routing-key). Nil: they are dropped.
	DeadLetter *DeadLetter
	// MaxPriority makes it a priority queue: messages with a higher Priority are
	// delivered first (x-max-priority). A Priority above MaxPriority counts as
	// MaxPriority. Zero: order of arrival.
	MaxPriority uint8
	// SingleActiveConsumer makes the queue deliver to one consumer at a time. When
	// that one ends, the next one gets the messages (x-single-active-consumer).
	SingleActiveConsumer bool
	// DeliveryLimit is how often a message may return to the queue before it is lost
	// (x-delivery-limit). Zero: no limit.
	DeliveryLimit int64
	// ConsumerTimeout is how long a delivery of a consumer or of Get may be
	// unsettled, in whole milliseconds (x-consumer-timeout). It counts from when the
	// delivery is read, over AMQP from when it is sent. After that the channel is
	// closed as by [Channel.Close], and those who use it or its consumers get an
	// [ErrClosed] that also is an [*Error] with 406. A changed timeout applies to
	// consumers that start later. A [Handler] has no timeout, because the caller's
	// deadline ends a request. Zero: no timeout.
	ConsumerTimeout time.Duration
	// Deduplicate makes the queue drop duplicates. Nil: it takes all messages.
	Deduplicate *Deduplication

	Args Table // more arguments
}

// table returns Args with the arguments that the fields set.
func (o *QueueOptions) table() Table {
	var t Table
	set := func(name string, v any, asked bool) { table.Set(&t, name, v, asked) }
	set("x-queue-type", string(o.Type), o.Type != "")
	set("x-message-ttl", o.MessageTTL.Milliseconds(), o.MessageTTL != 0)
	set("x-expires", o.Expires.Milliseconds(), o.Expires != 0)
	set("x-max-length", o.MaxLength, o.MaxLength != 0)
	set("x-max-length-bytes", o.MaxLengthBytes, o.MaxLengthBytes != 0)
	if o.MaxAge != 0 {
		set("x-max-age", argument.FormatAge(o.MaxAge), true)
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

// Overflow says what a queue does with a message above its length limit
// (x-overflow).
type Overflow string

const (
	// DropHead drops or dead-letters messages at the head of the queue. This is the
	// default.
	DropHead Overflow = "drop-head"
	// RejectPublish refuses the new message: the publisher gets a nack.
	RejectPublish Overflow = "reject-publish"
	// RejectPublishDLX refuses the new message and dead-letters it.
	RejectPublishDLX Overflow = "reject-publish-dlx"
)

// DeadLetter says where a queue sends lost messages: those that are rejected without
// requeue, expire, exceed the length limit or return too often.
//
// A message does not go back to a queue in which it has died, unless a client has
// rejected it since, as in RabbitMQ. There is a bound for queues that send messages to
// each other in many ways: one message, with its copies, becomes at most 4,096 dead
// letters and four for each queue of the virtual host, and goes through at most 256
// queues in a row. What is more is dropped, logged and counted (see
// [Stats].LettersDropped). Whenever a client rejects a dead letter, or it has returned
// too often, the count begins again. Letters are also dropped while messages hold an
// eighth more than [Options].MemoryLimit, because nobody can be made to wait for them.
type DeadLetter struct {
	// Exchange gets the messages (x-dead-letter-exchange). Empty: the default
	// exchange. If there is no exchange of this name when a message is lost, the
	// message is dropped.
	Exchange string
	// RoutingKey replaces the message's routing keys (x-dead-letter-routing-key).
	// Empty: the message keeps its keys, including those in the headers CC and BCC.
	// An empty key can be set by the argument.
	RoutingKey string
}

// declaredQueue is a queue with the properties of its declaration.
type declaredQueue struct {
	route.Queue
	durable    bool
	exclusive  bool
	autoDelete bool
	light      bool   // the arguments hold little: see lightArguments
	id         uint32 // on disk; zero: the queue is not there
	args       Table
	owner      *Session // nil unless the queue is exclusive

	policies appliedPolicies // guarded by vhost.mu
}

// engine is the queue as its consumers know it.
func (q *declaredQueue) engine() *queue.Queue { return &q.Queue.Queue }

// state returns what declare-ok reports.
func (q *declaredQueue) state() Queue {
	ready, consumers := q.Inspect()
	return Queue{Name: q.Name(), Messages: ready, Consumers: consumers}
}
