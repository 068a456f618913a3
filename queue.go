package warren

import (
	"time"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/route"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Queue is what a declaration tells of a queue.
type Queue struct {
	Name      string
	Messages  int // ready
	Consumers int
}

// QueueType says how a queue keeps messages (x-queue-type).
type QueueType string

const (
	// Classic queues give each message to one consumer: what a queue is if it
	// is not told otherwise.
	Classic QueueType = "classic"
	// Quorum queues are classic ones here, as in LavinMQ: a message is kept
	// once, and nobody elects anything.
	Quorum QueueType = "quorum"
	// Stream queues are logs: messages stay when they have been read, for as
	// long as the queue's limits let them, and each consumer reads all of them
	// from a place of its own (see [ConsumeOptions].Offset). A stream must be
	// Durable and have a name, and can be neither Exclusive nor AutoDelete. Its
	// messages cannot be got or purged and do not expire. Give it a limit: one
	// without grows until [Options].MemoryLimit stops the publishers.
	Stream QueueType = "stream"
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

// Overflow says what a queue does with a message that exceeds its length
// limit (x-overflow).
type Overflow string

const (
	// DropHead drops messages at the head of the queue, or dead-letters them:
	// what a queue does if it is not told otherwise.
	DropHead Overflow = "drop-head"
	// RejectPublish refuses the new message: the publisher gets a nack.
	RejectPublish Overflow = "reject-publish"
	// RejectPublishDLX refuses it as well, and dead-letters it.
	RejectPublishDLX Overflow = "reject-publish-dlx"
)

// DeadLetter says where a queue sends the messages that it loses: those that
// are rejected without requeue, expire, exceed the length limit or come back
// too often.
type DeadLetter struct {
	// Exchange takes them (x-dead-letter-exchange); empty: the default
	// exchange. If there is none of this name when a message is lost, the
	// message is dropped.
	Exchange string
	// RoutingKey is the key they get (x-dead-letter-routing-key). Empty: those
	// they have, in the headers CC and BCC, too; an empty key of their own can
	// be had by the argument.
	RoutingKey string
}

// declaredQueue is a queue as AMQP knows it.
type declaredQueue struct {
	route.Queue
	durable    bool
	exclusive  bool
	autoDelete bool
	args       Table
	owner      *Session // of an exclusive queue

	policies appliedPolicies // guarded by vhost.mu
}

// newQueue makes a queue of checked options; vhost.mu is held.
func (v *VirtualHost) newQueue(name string, o *QueueOptions) *declaredQueue {
	q := &declaredQueue{durable: o.Durable, exclusive: o.Exclusive, autoDelete: o.AutoDelete, args: o.Args}
	q.policies = v.policiesFor(name, argument.KindOf(o.Args))
	var options queue.Options
	options.Rules = argument.RulesBeside(o.Args, q.policies.definition())
	if len(o.Args) > 0 {
		options.MaxPriority = argument.MaxPriority(o.Args)
		options.SingleActive = argument.SingleActive(o.Args)
		options.Stream = argument.IsStream(o.Args)
		if d, ok := argument.Duplicates(o.Args); ok {
			options.Seen = duplicates.New(d, &v.broker.queues.Clock)
		}
	}
	if open := v.broker.openJournal; open != nil {
		options.Journal = open(name)
	}
	q.Init(name, (*host)(v), &v.broker.queues, &options)
	return q
}

// state is what declare-ok tells.
func (q *declaredQueue) state() Queue {
	ready, consumers := q.Inspect()
	return Queue{Name: q.Name, Messages: ready, Consumers: consumers}
}

// checkQueueArgs refuses arguments that a new queue cannot obey.
func (v *VirtualHost) checkQueueArgs(name string, args Table) error {
	const m = wire.QueueDeclareID
	switch p := argument.CheckQueue(args); {
	case p == nil:
		return nil
	case p.WrongType:
		return failure(m, wire.CodePreconditionFailed, "invalid type '%s' for arg '%s' in queue '%s' in vhost '%s'", p.Text, p.Arg, name, v.name)
	case p.QueueType != "":
		return v.errForeignArg(m, p.Arg, name, p.QueueType)
	default:
		return v.errBadQueueArg(m, p, name)
	}
}

func (v *VirtualHost) errBadQueueArg(m wire.MethodID, p *argument.Problem, queue string) error {
	return failure(m, wire.CodePreconditionFailed, "invalid arg '%s' for queue '%s' in vhost '%s': %s", p.Arg, queue, v.name, p.Text)
}

func (v *VirtualHost) errForeignArg(m wire.MethodID, arg, queue, queueType string) error {
	return failure(m, wire.CodePreconditionFailed, "invalid arg '%s' for queue '%s' in vhost '%s' of queue type %s", arg, queue, v.name, queueType)
}

// checkType refuses a new queue whose type does not allow its properties. The
// values of its arguments have been checked.
func (v *VirtualHost) checkType(name string, o *QueueOptions) error {
	if !argument.IsStream(o.Args) {
		return nil
	}
	const m = wire.QueueDeclareID
	for _, p := range [...]struct {
		name    string
		refused bool
	}{{"auto-delete", o.AutoDelete}, {"exclusive-owner", o.Exclusive}, {"non-durable", !o.Durable}} {
		if p.refused {
			return failure(m, wire.CodePreconditionFailed, "invalid property '%s' for queue '%s' in vhost '%s'", p.name, name, v.name)
		}
	}
	if problem := argument.CheckStream(o.Args); problem != "" {
		return failure(m, wire.CodePreconditionFailed, "%s", problem)
	}
	return nil
}

// noStream refuses what streams cannot do, as RabbitMQ does.
func (v *VirtualHost) errNotForStreams(m wire.MethodID, what, queue string) error {
	return failure(m, wire.CodeNotImplemented, "%s not supported by stream queues queue '%s' in vhost '%s'", what, queue, v.name)
}
