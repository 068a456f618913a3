package queue

// Start is where in a stream a reader begins.
type Start struct {
	From From
	N    int64 // an offset, or a time on the clock
}

// From is what a reader begins at.
type From int

const (
	FromNext   From = iota // what is yet to come
	FromFirst              // the oldest message
	FromLast               // the newest message
	FromOffset             // that of Start.N; a negative one counts back from the end
	FromTime               // the first message that came then or later
)

// Reader is where a consumer of a stream is, and what it is there for.
type Reader struct {
	next   uint64 // offset that it reads next
	start  Start
	filter map[string]struct{} // values that it wants; "": messages without one; nil: all
	marks  uint64              // of filter
}

// NewReader makes a reader that wants messages with these filter values, of
// which the empty one means those without any; a nil filter wants all.
func NewReader(start Start, filter map[string]struct{}) *Reader {
	return &Reader{start: start, filter: filter}
}

func (r *Reader) wants(filter string) bool {
	_, ok := r.filter[filter]
	return ok
}

// attach lets a new consumer read from where it wants to start.
func (q *Queue) attach(c *Consumer) {
	if c.reader == nil {
		c.reader = &Reader{} // of a pool
	}
	r, s := c.reader, q.stream
	for f := range r.filter {
		r.marks |= s.mark(f)
	}
	r.next = s.next
	switch n := r.start.N; r.start.From {
	case FromOffset:
		if r.next = uint64(n); n < 0 {
			r.next = uint64(max(0, int64(s.next)+n))
		}
	case FromTime:
		r.next = s.since(n)
	case FromFirst:
		r.next = s.first()
	case FromLast:
		if s.len > 0 {
			r.next--
		}
	}
	q.serve(c)
}
