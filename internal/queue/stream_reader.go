package queue

import "github.com/warrenmq/warren/internal/store"

// Start is the place in a stream where a reader begins.
type Start struct {
	From From
	N    int64 // an offset for FromOffset, a time on the clock for FromTime
}

// From is a way to give the place where a reader begins.
type From int

// Places where a reader can begin.
const (
	FromNext   From = iota // the next message that is published
	FromFirst              // the oldest message
	FromLast               // the newest message
	FromOffset             // the offset Start.N; a negative one counts back from the end
	FromTime               // the first message that came at the time Start.N or later
)

// Reader is the position of a consumer in a stream, with its filter.
type Reader struct {
	next   uint64 // offset that it reads next
	start  Start
	filter map[string]struct{} // filter values that it wants; "": messages without one; nil: all messages
	marks  uint64              // union of the marks of filter
	single bool                // filter has one value, which is value
	value  string

	notBefore int64 // it passes by messages that came earlier, on the clock; zero: by none
}

// NewReader makes a reader that wants the messages with the filter values that are
// keys of filter. An empty key stands for messages without a filter value. A nil
// filter wants all messages.
func NewReader(start Start, filter map[string]struct{}) *Reader {
	r := &Reader{start: start, filter: filter, single: len(filter) == 1}
	if r.single {
		for r.value = range filter {
		}
	}
	return r
}

// wants reports whether the reader wants a filter value.
func (r *Reader) wants(filter string) bool {
	if r.single {
		return filter == r.value // a look into a map costs ten times as much
	}
	_, ok := r.filter[filter]
	return ok || r.filter == nil
}

// attach sets a new consumer's reader to the place where it begins, and delivers
// messages.
func (q *Queue) attach(c *Consumer) {
	if c.reader == nil {
		c.reader = &Reader{} // the consumer of a Pool has none
	}
	r, s := c.reader, q.stream
	for f := range r.filter {
		r.marks |= store.Mark(f)
	}
	r.next = s.next
	switch n := r.start.N; r.start.From {
	case FromOffset:
		if r.next = uint64(n); n < 0 {
			r.next = uint64(max(0, int64(s.next)+n))
		}
	case FromTime:
		r.next = s.since(n)
		if q.disk != nil && r.next < s.next {
			r.notBefore = n // it may begin with messages that came earlier, if they are on disk only
		}
	case FromFirst:
		r.next = s.first()
	case FromLast:
		if s.len > 0 {
			r.next = s.segments[len(s.segments)-1].end() - 1
		}
	}
	q.serve(c)
}
