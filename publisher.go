package warren

import (
	"context"
	"errors"
	"time"
)

// Publisher publishes events and enqueues jobs. [Broker] and [VirtualHost] are
// Publishers. A connection to a remote broker can be one, too.
type Publisher interface {
	Publish(ctx context.Context, exchange, key string, msg Message, opts ...EventOptions) error
	Enqueue(ctx context.Context, queue string, msg Message, opts ...EnqueueOptions) error
}

// EventOptions say how [Broker.Publish] and [PublishFor] publish an event. If several
// are given, the last one that sets a field determines it. They have nothing to do with
// [Broker.Events], which tells what changes in the broker itself.
type EventOptions struct {
	// Mandatory: fail with [ErrNoRoute] if no queue takes the event. Otherwise an event
	// that nobody subscribes to is dropped silently.
	Mandatory bool
	// Properties are the properties of the message of [PublishFor], such as Headers and
	// MessageId. ContentType is the codec's unless it is set here, Body is not used.
	Properties Message
	// Codec is the codec of [PublishFor]. Nil: [JSON].
	Codec Codec
}

// EnqueueOptions say how [Broker.Enqueue] and [EnqueueFor] enqueue a job. If several are
// given, the last one that sets a field determines it.
type EnqueueOptions struct {
	// Delay is how long the job waits before a worker can get it. It is rounded up to
	// three digits of milliseconds, so that a job comes at most a hundredth of its delay
	// late: delays of the same length share a queue. More than 30 days fail with 406.
	// Zero: it does not wait.
	Delay time.Duration
	// Transient and QueueOptions say how the queue is declared if there is none, as in
	// [WorkOptions]. The queue that exists is used as it is.
	Transient    bool
	QueueOptions QueueOptions
	// Properties are the properties of the message of [EnqueueFor], such as Headers and
	// Priority. ContentType is the codec's unless it is set here, Body is not used.
	Properties Message
	// Codec is the codec of [EnqueueFor]. Nil: [JSON].
	Codec Codec
}

func eventOptions(opts []EventOptions) (all EventOptions) {
	for i := range opts {
		o := &opts[i]
		all.Mandatory = all.Mandatory || o.Mandatory
		if !o.Properties.properties().Plain() {
			all.Properties = o.Properties
		}
		if o.Codec != nil {
			all.Codec = o.Codec
		}
	}
	return all
}

func enqueueOptions(opts []EnqueueOptions) (all EnqueueOptions) {
	for i := range opts {
		o := &opts[i]
		if o.Delay != 0 {
			all.Delay = o.Delay
		}
		all.Transient = all.Transient || o.Transient
		if !isZeroQueue(&o.QueueOptions) {
			all.QueueOptions = o.QueueOptions
		}
		if !o.Properties.properties().Plain() {
			all.Properties = o.Properties
		}
		if o.Codec != nil {
			all.Codec = o.Codec
		}
	}
	return all
}

// Publish publishes an event to a topic exchange and waits for the confirm. It is for
// [Broker.Subscribe] what Call is for Handle.
//
// If there is no such exchange, it is declared: a durable [Topic] exchange. One that
// exists is used as it is, whatever its type. A message without a DeliveryMode becomes
// [Persistent], so that it is on disk in each durable queue of a broker from [Open] when
// Publish returns. It fails like [Channel.Publish] in confirm mode; then the event may
// have reached some queues, or none.
func (b *Broker) Publish(ctx context.Context, exchange, key string, msg Message, opts ...EventOptions) error {
	return b.root.Publish(ctx, exchange, key, msg, opts...)
}

// Publish publishes an event in this virtual host. See [Broker.Publish].
func (v *VirtualHost) Publish(ctx context.Context, exchange, key string, msg Message, opts ...EventOptions) error {
	ch, err := v.publishChannel()
	if err != nil {
		return err
	}
	setPersistent(&msg)
	o := PublishOptions{Mandatory: eventOptions(opts).Mandatory}
	for range mostDeclarations {
		if err = ch.Publish(ctx, exchange, key, msg, o); !errors.Is(err, ErrNotFound) {
			return err
		}
		if err := declareTopic(v.site(ctx, ch), exchange); err != nil {
			return err
		}
	}
	return err
}

// Enqueue puts a job into a queue and waits for the confirm. [Broker.Work] gets it from
// there.
//
// If there is no such queue, it is declared: durable, unless the options say otherwise.
// A message without a DeliveryMode becomes [Persistent], so that it is on disk in a broker
// from [Open] when Enqueue returns. It fails like [Channel.Publish] in confirm mode and
// [Channel.QueueDeclare]; then the job may be in the queue or not. A job that the queue
// drops as a duplicate fails with [ErrNoRoute], see [Deduplication].
func (b *Broker) Enqueue(ctx context.Context, queue string, msg Message, opts ...EnqueueOptions) error {
	return b.root.Enqueue(ctx, queue, msg, opts...)
}

// Enqueue puts a job into a queue of this virtual host. See [Broker.Enqueue].
func (v *VirtualHost) Enqueue(ctx context.Context, queue string, msg Message, opts ...EnqueueOptions) error {
	o := enqueueOptions(opts)
	delay, err := checkDelay(queue, o.Delay)
	if err != nil {
		return err
	}
	ch, err := v.publishChannel()
	if err != nil {
		return err
	}
	setPersistent(&msg)
	declared := workQueue(o.QueueOptions, o.Transient)
	to := v.site(ctx, ch)
	if delay <= 0 {
		return publishDeclaring(ctx, to, queue, &declared, &msg)
	}
	if err := declareMissing(to, queue, &declared); err != nil {
		return err
	}
	return publishDelayed(ctx, to, queue, delay, &declared, &msg)
}

// setPersistent makes a message persistent that says nothing of it.
func setPersistent(msg *Message) {
	if msg.DeliveryMode == 0 {
		msg.DeliveryMode = Persistent
	}
}

// publishChannel returns the channel in confirm mode on which Publish and Enqueue
// publish. It is opened for the first of them, and again if somebody has closed it.
func (v *VirtualHost) publishChannel() (*Channel, error) {
	for {
		old := v.publisher.Load()
		if old != nil && old.checkOpen() == nil {
			return old, nil
		}
		s, err := openSession(v, "", stateDraining) // handlers publish while the broker drains
		if err != nil {
			return nil, err
		}
		ch, err := s.openChannel()
		if err == nil {
			ch.ownsSession = true
			ch.opened(ch.number, nil)
			err = ch.confirms()
		}
		if err != nil {
			s.Close()
			return nil, err
		}
		if v.publisher.CompareAndSwap(old, ch) {
			return ch, nil
		}
		ch.Close()
	}
}
