package warren

import (
	"fmt"
	"maps"
	"time"

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
func (d *Delivery) StreamOffset() (n int64, ok bool) { return table.Integer(d.Headers[offsetHeader]) }

// reader is where a consumer of a stream is, and what it is there for.
type reader struct {
	next   uint64              // offset that it reads next
	start  any                 // what next is made of: a string, an int64 or a time
	filter map[string]struct{} // values that it wants; "": messages without one; nil: all
	marks  uint64              // of filter
}

func (r *reader) wants(filter string) bool {
	_, ok := r.filter[filter]
	return ok
}

// Arguments of basic.consume that make a reader.
const (
	filterArg     = "x-stream-filter"
	unfilteredArg = "x-stream-match-unfiltered"
)

// foreignToReaders are arguments that only consumers of other queues may have.
var foreignToReaders = [...]string{"x-priority", "x-cancel-on-ha-failover"}

// table is Args with the arguments that the fields for streams set.
func (o *ConsumeOptions) table() Table {
	if o.Offset.arg == nil && len(o.Filter) == 0 && !o.MatchUnfiltered {
		return o.Args
	}
	t := Table{}
	if o.Offset.arg != nil {
		t[offsetHeader] = o.Offset.arg
	}
	if len(o.Filter) > 0 {
		list := make([]any, len(o.Filter))
		for i, f := range o.Filter {
			list[i] = f
		}
		t[filterArg] = list
	}
	if o.MatchUnfiltered {
		t[unfilteredArg] = true
	}
	maps.Copy(t, o.Args)
	return t
}

// newReader makes the reader for a consumer with a limit, nil if the queue is
// no stream. It refuses what the queue cannot do.
func (q *queue) newReader(o *ConsumeOptions, limit int) (*reader, error) {
	const m = wire.BasicConsumeID
	args := o.table()
	if q.stream == nil {
		_, queueType := foreignArgs(q.args)
		for _, arg := range [...]string{offsetHeader, filterArg, unfilteredArg} {
			if _, ok := args[arg]; ok {
				return nil, q.vhost.foreignArg(m, arg, q.name, queueType)
			}
		}
		return nil, nil
	}
	for _, arg := range foreignToReaders {
		if _, ok := args[arg]; ok || arg == "x-priority" && o.Priority != 0 {
			return nil, q.vhost.foreignArg(m, arg, q.name, streamTypeName)
		}
	}
	r := &reader{}
	for _, p := range [...]struct{ arg, problem string }{
		{offsetHeader, r.setStart(args)}, {filterArg, r.setFilter(args)}, {unfilteredArg, r.setUnfiltered(args)},
	} {
		if p.problem != "" {
			return nil, failure(m, wire.CodePreconditionFailed, "invalid arg '%s' for queue '%s' in vhost '%s': %s", p.arg, q.name, q.vhost.name, p.problem)
		}
	}
	if limit <= 0 {
		return nil, failure(m, wire.CodePreconditionFailed, "consumer prefetch count is not set for 'queue '%s' in vhost '%s''", q.name, q.vhost.name).
			hint("set ConsumeOptions.Prefetch, or call Qos before")
	}
	if o.NoAck {
		return nil, q.noStream(m, "automatic acknowledgement")
	}
	for f := range r.filter {
		r.marks |= q.stream.mark(f)
	}
	return r, nil
}

// setStart takes x-stream-offset; what is wrong with it is said as RabbitMQ
// does where it does not break down.
func (r *reader) setStart(args Table) (problem string) {
	v, ok := args[offsetHeader]
	if !ok {
		return ""
	}
	if n, ok := table.Integer(v); ok {
		r.start = n
		return ""
	}
	if word, ok := v.([]byte); ok {
		v = string(word)
	}
	switch v := v.(type) {
	case time.Time:
		r.start = v
		return ""
	case string:
		if v == "first" || v == "last" || v == "next" {
			r.start = v
			return ""
		}
		if age, ok := parseAge(v); ok {
			r.start = time.Now().Add(-age)
			return ""
		}
		return fmt.Sprintf("{invalid_stream_offset_arg,{longstr,<<%q>>}}", v)
	}
	return "{invalid_stream_offset_arg," + unacceptable(v) + "}"
}

// setFilter takes x-stream-filter. An empty list is no filter.
func (r *reader) setFilter(args Table) (problem string) {
	v, ok := args[filterArg]
	if !ok {
		return ""
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return unacceptable(v)
		}
		if r.filter == nil {
			r.filter = make(map[string]struct{})
		}
		r.filter[s] = struct{}{}
	}
	return ""
}

// setUnfiltered takes x-stream-match-unfiltered, which adds to a filter.
func (r *reader) setUnfiltered(args Table) (problem string) {
	v, ok := args[unfilteredArg]
	if !ok {
		return ""
	}
	unfiltered, ok := v.(bool)
	if !ok {
		return unacceptable(v)
	}
	if unfiltered && r.filter != nil {
		r.filter[""] = struct{}{}
	}
	return ""
}

// attach lets a new consumer read from where it wants to start.
func (q *queue) attach(c *consumer) {
	if c.reader == nil {
		c.reader = &reader{} // of a Handler
	}
	s, next := q.stream, q.stream.next
	switch start := c.reader.start.(type) {
	case int64:
		if next = uint64(start); start < 0 {
			next = uint64(max(0, int64(s.next)+start))
		}
	case time.Time:
		next = s.since(q.vhost.broker.deadlineAt(start))
	case string:
		if start == "first" {
			next = s.first()
		} else if start == "last" && s.len > 0 {
			next--
		}
	}
	c.reader.next = next
	q.serve(c)
}

// noStream refuses what streams cannot do, as RabbitMQ does.
func (q *queue) noStream(m wire.MethodID, what string) error {
	return failure(m, wire.CodeNotImplemented, "%s not supported by stream queues queue '%s' in vhost '%s'", what, q.name, q.vhost.name)
}

func (v *VirtualHost) foreignArg(m wire.MethodID, arg, queue, queueType string) error {
	return failure(m, wire.CodePreconditionFailed, "invalid arg '%s' for queue '%s' in vhost '%s' of queue type %s", arg, queue, v.name, queueType)
}
