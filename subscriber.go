package warren

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/wire"
)

// Subscriber gets events and jobs. [Broker] and [VirtualHost] are Subscribers.
type Subscriber interface {
	Subscribe(exchange, pattern string, f DeliveryFunc, opts ...SubscribeOptions) (*Subscription, error)
	Work(queue string, f DeliveryFunc, opts ...WorkOptions) (*Subscription, error)
}

// WorkOptions say how [Broker.Work] and [WorkFor] work on the jobs of a queue. If several
// are given, the last one that sets a field determines it.
type WorkOptions struct {
	// Retry says what happens to a job that has failed. Its zero value tries it five
	// times.
	Retry Retry
	// Concurrency is how many jobs are worked on at the same time. Zero: 1, which keeps
	// their order, but for those that come again. A negative value fails with 406.
	Concurrency int
	// Prefetch is how many jobs are taken from the queue before they are worked on, those
	// that are worked on included. More is faster if jobs are short; less leaves more to
	// others who work on the queue. Zero: Concurrency.
	Prefetch int
	// Transient makes a queue that ends with the broker, as do the queues in which its
	// jobs wait to come again. Otherwise they are durable: with a broker from [Open] they
	// outlive it, with one from [New] it makes no difference.
	Transient bool
	// QueueOptions say more of how the queue is declared, such as MaxPriority.
	// Its Durable is not used; Exclusive, AutoDelete and the type [Stream] fail with 406.
	QueueOptions QueueOptions
	// Codec is the codec of [WorkFor]. Nil: [JSON].
	Codec Codec
	// Intercept are the interceptors of the function, inside of those of
	// [Options].Intercept. The first is the outermost. What one of them fails with is a
	// failure of the function.
	Intercept []func(DeliveryFunc) DeliveryFunc
}

// SubscribeOptions say how [Broker.Subscribe] and [SubscribeFor] subscribe to events. If
// several are given, the last one that sets a field determines it.
type SubscribeOptions struct {
	// Queue is the name of the queue that keeps the events for the subscription.
	// Subscriptions that name the same queue share its events: each event goes to one of
	// them. The queue stays when they end, with its bindings, and goes on to collect
	// events, until somebody deletes it. Empty: the subscription has a queue of its own,
	// which ends with it: it gets all events while it exists, and none from before.
	Queue string
	// Retry says what happens to an event on which the function has failed. Its zero
	// value tries it five times.
	Retry Retry
	// Concurrency, Prefetch, Transient and QueueOptions are as in [WorkOptions], with
	// events for jobs. A queue without a name is always transient.
	Concurrency  int
	Prefetch     int
	Transient    bool
	QueueOptions QueueOptions
	// Codec is the codec of [SubscribeFor]. Nil: [JSON].
	Codec Codec
	// Intercept is as in [WorkOptions].
	Intercept []func(DeliveryFunc) DeliveryFunc
}

// workOptions merges several options into one.
func workOptions(opts []WorkOptions) (all WorkOptions) {
	for i := range opts {
		o := &opts[i]
		if o.Retry != (Retry{}) {
			all.Retry = o.Retry
		}
		if o.Concurrency != 0 {
			all.Concurrency = o.Concurrency
		}
		if o.Prefetch != 0 {
			all.Prefetch = o.Prefetch
		}
		all.Transient = all.Transient || o.Transient
		if !isZeroQueue(&o.QueueOptions) {
			all.QueueOptions = o.QueueOptions
		}
		if o.Codec != nil {
			all.Codec = o.Codec
		}
		if o.Intercept != nil {
			all.Intercept = o.Intercept
		}
	}
	return all
}

// subscribeOptions merges several options into one.
func subscribeOptions(opts []SubscribeOptions) (queue string, all WorkOptions) {
	list := make([]WorkOptions, len(opts))
	for i := range opts {
		o := &opts[i]
		if o.Queue != "" {
			queue = o.Queue
		}
		list[i] = WorkOptions{o.Retry, o.Concurrency, o.Prefetch, o.Transient, o.QueueOptions, o.Codec, o.Intercept}
	}
	return queue, workOptions(list)
}

func isZeroQueue(o *QueueOptions) bool { return reflect.ValueOf(*o).IsZero() }

// Subscribe calls f for the events of a topic exchange whose key matches the pattern,
// in which * stands for one word and # for any number of them. It declares the exchange
// and the queue if they do not exist, as [Broker.Publish] does and
// [SubscribeOptions].Queue says, and binds them. Events that are published after
// Subscribe has returned reach the subscription.
//
// What f returns settles the event: nil ends it. After an error or a panic the event
// comes again, to this or another subscription of the queue, as [Retry] says, while
// others are worked on; f must not settle it itself. Each event comes at least once. It
// comes again, too, if the broker or the subscription ends before f returns. f's context
// ends with the broker, or if the subscription is cut off, see [DeliveryFunc]; [DeliveryFrom]
// gets the event from it. Every failure is logged and counted in [Stats].Failed.
//
// Subscribe fails with a [*QueueConflictError] if the queue exists with other options, with
// 406 for a nil f and for options that have no meaning, and otherwise like
// [Channel.QueueBind] and [Channel.Consume].
func (b *Broker) Subscribe(exchange, pattern string, f DeliveryFunc, opts ...SubscribeOptions) (*Subscription, error) {
	return b.root.Subscribe(exchange, pattern, f, opts...)
}

// Subscribe subscribes to events of this virtual host. See [Broker.Subscribe].
func (v *VirtualHost) Subscribe(exchange, pattern string, f DeliveryFunc, opts ...SubscribeOptions) (*Subscription, error) {
	queue, o := subscribeOptions(opts)
	return v.subscribe(queue, f, o, func(to site, queue string) error {
		err := ErrNotFound
		for range mostDeclarations {
			if err = to.QueueBind(queue, pattern, exchange, nil); !errors.Is(err, ErrNotFound) {
				return err
			}
			if err := declareTopic(to, exchange); err != nil {
				return err
			}
		}
		return err
	})
}

// Work calls f for the jobs of a queue, which it declares if it does not exist. All that
// [Broker.Subscribe] says of events is true of jobs. Everybody who works on the queue
// shares its jobs: each job goes to one of them.
func (b *Broker) Work(queue string, f DeliveryFunc, opts ...WorkOptions) (*Subscription, error) {
	return b.root.Work(queue, f, opts...)
}

// Work works on the jobs of a queue of this virtual host. See [Broker.Work].
func (v *VirtualHost) Work(queue string, f DeliveryFunc, opts ...WorkOptions) (*Subscription, error) {
	if queue == "" {
		return nil, failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "a queue of jobs must have a name")
	}
	return v.subscribe(queue, f, workOptions(opts), func(site, string) error { return nil })
}

// subscribe starts a subscription of a queue. A queue without a name is the
// subscription's own.
func (v *VirtualHost) subscribe(queue string, f DeliveryFunc, o WorkOptions, bind func(to site, queue string) error) (*Subscription, error) {
	if f == nil {
		return nil, failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "a subscription must have a function")
	}
	if o.Concurrency < 0 {
		return nil, failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "a subscription's concurrency of %d is negative", o.Concurrency)
	}
	declared := workQueue(o.QueueOptions, o.Transient)
	if declared.Exclusive || declared.AutoDelete || declared.Type == Stream {
		return nil, failure(wire.QueueDeclareID, wire.CodePreconditionFailed, "the queue of a subscription cannot be exclusive, auto-delete or a stream").
			withHint("a subscription without a queue name has a queue of its own")
	}
	if declared.Exclusive = queue == ""; declared.Exclusive {
		queue, declared.Durable = names.New("subscription-"), false
	}
	retry, err := o.Retry.complete(queue, declared.Exclusive)
	if err != nil {
		return nil, err
	}
	ch, err := v.Channel()
	if err != nil {
		return nil, err
	}
	f = chain(v.broker.options.Intercept.Consume, chain(o.Intercept, f))
	s := newSubscription(ch, queue, declared, retry, f)
	if err = ch.confirms(); err == nil {
		declare := func(to site) error {
			if _, err := to.QueueDeclare(queue, declared); err != nil {
				return conflict(queue, err)
			}
			return bind(to, queue)
		}
		if v.elsewhere != nil {
			err = s.startElsewhere(&o, declare)
		} else if err = declare(ch); err == nil {
			err = s.start(queue, &o)
		}
	}
	if err != nil {
		ch.Close()
		return nil, err
	}
	return s, nil
}

// workQueue returns how a queue for events or jobs is declared.
func workQueue(o QueueOptions, transient bool) QueueOptions {
	o.Durable = !transient
	return o
}

// mostDeclarations is how often something is declared that somebody else deletes again.
const mostDeclarations = 3

// declareTopic declares an exchange that does not exist. One that another has declared
// meanwhile is used as it is.
func declareTopic(to site, exchange string) error {
	err := to.ExchangeDeclare(exchange, Topic, ExchangeOptions{Durable: true})
	if errors.Is(err, ErrPreconditionFailed) && to.ExchangeDeclarePassive(exchange) == nil {
		return nil
	}
	return err
}

// QueueConflictError says that a queue exists, but not as [Broker.Subscribe] or
// [Broker.Work] would declare it: perhaps another part of the program asks for other
// options, or somebody else uses the name. It also is the [*Error] of the declaration,
// which names the option that differs.
type QueueConflictError struct {
	Queue string
	Err   error
}

// Error returns the name of the queue, what differs, and what can be done.
func (e *QueueConflictError) Error() string {
	return fmt.Sprintf("warren: the queue '%s' exists with other options: %v (ask for the options that it has, use another name, or delete the queue)", e.Queue, e.Err)
}

// Unwrap returns Err.
func (e *QueueConflictError) Unwrap() error { return e.Err }

// conflict makes a QueueConflictError of the error of a declaration, if it is one.
func conflict(queue string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if ok && (e.Code == wire.CodeResourceLocked || e.Code == wire.CodePreconditionFailed && isInequivalent(e.Text)) {
		return &QueueConflictError{Queue: queue, Err: err}
	}
	return err
}

// isInequivalent reports whether a text says that what exists is not as was asked for. The
// second form is LavinMQ's.
func isInequivalent(text string) bool {
	return strings.Contains(text, "inequivalent arg") || strings.Contains(text, "declared with other arguments")
}
