package warren

import (
	"maps"
	"time"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// StreamStart is where in a stream a consumer begins to read
// (x-stream-offset). The zero value is StreamNext.
type StreamStart struct{ arg any }

// StreamFirst begins with the oldest message that the stream still has.
func StreamFirst() StreamStart { return StreamStart{"first"} }

// StreamLast begins with the newest message.
func StreamLast() StreamStart { return StreamStart{"last"} }

// StreamNext begins with the messages that are yet to come.
func StreamNext() StreamStart { return StreamStart{"next"} }

// StreamOffset begins with the message that has the offset n, or with the
// oldest one if that has gone. A stream's first message has the offset 0. If
// there is no message n yet, those before it are left out. A negative n counts
// back from the end, as in LavinMQ: StreamOffset(-10) begins with the last ten.
func StreamOffset(n int64) StreamStart { return StreamStart{n} }

// StreamTime begins with the first message that came at t or later.
func StreamTime(t time.Time) StreamStart { return StreamStart{t} }

// StreamSince begins with the first message that came within the time d before
// this call.
func StreamSince(d time.Duration) StreamStart { return StreamTime(time.Now().Add(-d)) }

// StreamOffset is the place of the delivery in the stream that it comes from:
// a consumer that starts at the next one, by [StreamOffset], goes on behind
// it. ok is false if it does not come from a stream. It is the header
// x-stream-offset.
func (d *Delivery) StreamOffset() (n int64, ok bool) {
	return table.Integer(d.Headers[message.OffsetHeader])
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

// newReader makes the reader for a consumer with a prefetch limit. It refuses
// what a stream cannot do.
func (v *VirtualHost) newReader(q *declaredQueue, o *ConsumeOptions, limit int) (*queue.Reader, error) {
	const m = wire.BasicConsumeID
	args := o.table()
	arg := argument.ForeignToReader(args)
	if o.Priority != 0 {
		arg = "x-priority"
	}
	if arg != "" {
		return nil, v.foreignArg(m, arg, q.Name, argument.StreamName)
	}
	r, p := argument.ParseReader(args)
	if p != nil {
		return nil, v.badQueueArg(m, p, q.Name)
	}
	if limit <= 0 {
		return nil, failure(m, wire.CodePreconditionFailed, "consumer prefetch count is not set for 'queue '%s' in vhost '%s''", q.Name, v.name).
			hint("set ConsumeOptions.Prefetch, or call Qos before")
	}
	if o.NoAck {
		return nil, v.noStream(m, "automatic acknowledgement", q.Name)
	}
	return queue.NewReader(v.streamStart(r.Start), r.Filter), nil
}

// streamStart is where a reader begins.
func (v *VirtualHost) streamStart(start any) queue.Start {
	switch start := start.(type) {
	case int64:
		return queue.Start{From: queue.FromOffset, N: start}
	case time.Time:
		return queue.Start{From: queue.FromTime, N: v.broker.queues.Clock.At(start)}
	case string:
		switch start {
		case "first":
			return queue.Start{From: queue.FromFirst}
		case "last":
			return queue.Start{From: queue.FromLast}
		}
	}
	return queue.Start{From: queue.FromNext}
}
