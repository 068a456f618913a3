package warren

import (
	"maps"
	"math"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// ConsumeOptions say how to consume (basic.consume). The zero value gives a
// server-named consumer that acknowledges, without a prefetch limit.
type ConsumeOptions struct {
	Tag       string // consumer tag, unique in the channel; empty: the broker makes one
	NoAck     bool   // deliveries count as settled when they are received
	Exclusive bool   // no other consumer may have the queue
	Prefetch  int    // unsettled deliveries at a time; zero: what Qos set; negative: no limit
	Priority  int    // higher ones are served first while they have room (x-priority)

	// Offset is where in a stream to start (x-stream-offset). Zero: [StreamNext].
	// Consumers of streams must have a prefetch limit and acknowledge; what they
	// give back counts as acknowledged, and Exclusive means nothing.
	Offset StreamStart
	// Filter lets only the messages of a stream through whose header
	// x-stream-filter-value is one of these (x-stream-filter). Empty: all.
	Filter []string
	// MatchUnfiltered lets a Filter take messages without such a header as well
	// (x-stream-match-unfiltered).
	MatchUnfiltered bool

	Args Table // further arguments of basic.consume
}

// check refuses options that cannot be meant.
func (o *ConsumeOptions) check() error {
	if err := checkName(wire.BasicConsumeID, "consumer tag", o.Tag); err != nil {
		return err
	}
	if _, err := checkTable(wire.BasicConsumeID, o.Args); err != nil {
		return err
	}
	if o.Prefetch > math.MaxUint16 {
		return failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "prefetch %d exceeds %d", o.Prefetch, math.MaxUint16)
	}
	return nil
}

// table is Args with the arguments that the fields for streams set.
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
