package warren

import (
	"maps"
	"math"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// ConsumeOptions say how to consume (basic.consume). The zero value means a tag made
// by the broker, acknowledgement, and the prefetch limit of Qos.
type ConsumeOptions struct {
	Tag       string // consumer tag, unique in the channel; empty: the broker makes one
	NoAck     bool   // deliveries are settled when they are received
	Exclusive bool   // the queue has no other consumer
	Prefetch  int    // limit of unsettled deliveries, whatever Qos says later; zero: that of Qos; negative: none
	Priority  int    // consumers with a higher one are served first while they have room (x-priority)

	// Offset is where in a stream to start (x-stream-offset). Zero: [StreamNext]. A
	// consumer of a stream must have a prefetch limit and acknowledge. A nack or
	// reject of its deliveries counts as an ack, and Exclusive has no effect.
	Offset StreamStart
	// Filter selects the messages of a stream whose header x-stream-filter-value is
	// one of these (x-stream-filter). Empty: all messages.
	Filter []string
	// MatchUnfiltered makes Filter select messages without that header as well
	// (x-stream-match-unfiltered).
	MatchUnfiltered bool

	// Concurrency is how many deliveries the function of ConsumeFunc works on at the
	// same time, if the prefetch limit allows as many. Zero: 1, which keeps their
	// order. A negative value fails with 406.
	Concurrency int
	// Requeue decides about a delivery on which the function of ConsumeFunc has failed
	// with err: true puts it back into its queue, where it is ready again at once;
	// [QueueOptions].DeliveryLimit bounds how often. Nil: it is rejected.
	Requeue func(err error) bool
	// Intercept are the interceptors of the function of ConsumeFunc, inside of those of
	// [Options].Intercept. The first is the outermost.
	Intercept []func(DeliveryFunc) DeliveryFunc

	Args Table // more arguments of basic.consume

	shows string // the name of the queue for users, at another broker; empty: its own
}

// check refuses a bad tag, bad arguments and a prefetch above 65535.
func (o *ConsumeOptions) check() error {
	if err := checkName(wire.BasicConsumeID, "consumer tag", o.Tag); err != nil {
		return err
	}
	if err := checkArguments(wire.BasicConsumeID, o.Args); err != nil {
		return err
	}
	if o.Prefetch > math.MaxUint16 {
		return failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "prefetch %d exceeds %d", o.Prefetch, math.MaxUint16)
	}
	return nil
}

// table returns Args with the arguments that the fields for streams set.
func (o *ConsumeOptions) table() Table {
	if o.Offset.arg == nil && len(o.Filter) == 0 && !o.MatchUnfiltered {
		return o.Args
	}
	t := Table{}
	if o.Offset.arg != nil {
		t[message.OffsetHeader] = o.Offset.arg
	}
	if len(o.Filter) > 0 {
		list := make([]any, len(o.Filter))
		for i, f := range o.Filter {
			list[i] = f
		}
		t[argument.Filter] = list
	}
	if o.MatchUnfiltered {
		t[argument.MatchUnfiltered] = true
	}
	maps.Copy(t, o.Args)
	return t
}
