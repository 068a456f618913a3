package queue

import (
	"math"
	"sort"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/store"
)

// stream is the log of a queue that is a stream: messages with successive offsets,
// the oldest first. It is divided into segments and drops whole segments, so that it
// has no work for each message that goes. The queue's lock guards it.
type stream struct {
	segments []*segment    // the oldest first; none is empty
	next     uint64        // offset that the next message gets
	len      int           // number of messages
	bytes    int64         // of the bodies
	lent     *message.Lent // content of the last delivery; nil: none
	cached   []*segment    // that were loaded, the one that was used last at the end
}

// segment is a run of messages with successive offsets.
type segment struct {
	first   uint64 // offset of the first record
	len     int
	records []record // nil: they are on disk only, see stream_paging.go
	newest  int64    // when the last one came
	loading bool     // the records are being loaded
	loaded  bool     // the records were loaded
	partial bool     // not all records are there yet
	filters []string // filter values of the records; nil: none has one, or the records are on disk only
	marks   uint64   // union of the marks of all records: see store.Mark
	bytes   int64    // of the bodies
	cost    int64    // sum of what the messages count for the memory limit
}

// record is a message, and the time on the broker's clock when it came.
type record struct {
	message.Entry
	at int64
}

// Sizes of segments.
const (
	segmentBytes    = 1 << 20 // most bytes of the bodies, unless rules set them
	minSegmentBytes = 1 << 10 // smallest value of Rules.SegmentBytes that counts
	segmentsOfLimit = 8       // a stream at its limit has so many segments, or more
)

// segmentSize is the size at which a segment is full.
type segmentSize struct {
	len   int   // messages
	bytes int64 // of the bodies
	span  int64 // nanoseconds from the first message to the last
}

// segmentSize returns the size of segments in a stream with these rules, which may
// be nil.
func (r *Rules) segmentSize() segmentSize {
	size := segmentSize{segmentLen, segmentBytes, math.MaxInt64}
	if r == nil {
		return size
	}
	if r.MaxLength >= 0 {
		size.len = int(min(max(1, r.MaxLength/segmentsOfLimit), segmentLen))
	}
	if r.SegmentBytes > 0 {
		size.bytes = max(r.SegmentBytes, minSegmentBytes)
	} else if r.MaxBytes >= 0 {
		size.bytes = min(r.MaxBytes/segmentsOfLimit, segmentBytes)
	}
	if r.MaxAge > 0 {
		size.span = int64(r.MaxAge / segmentsOfLimit)
	}
	return size
}

func newStream() *stream { return &stream{} }

// first returns the offset of the oldest message, or next if there is none.
func (s *stream) first() uint64 {
	if len(s.segments) == 0 {
		return s.next
	}
	return s.segments[0].first
}

// append adds a message that came now. It returns what the message counts for the
// memory limit.
func (s *stream) append(e *message.Entry, now int64, size segmentSize) (cost int64) {
	var g *segment
	if n := len(s.segments); n > 0 {
		g = s.segments[n-1]
	}
	if g == nil || !g.takes(e, now, size) {
		g = s.grow(g, size.len)
	}
	filter := message.FilterValue(e.Content)
	g.marks |= store.Mark(filter)
	if filter != "" && g.filters == nil {
		g.filters = make([]string, len(g.records), cap(g.records))
	}
	if g.filters != nil {
		g.filters = append(g.filters, filter)
	}
	g.records = append(g.records, record{*e, now})
	g.len++
	g.newest = now
	g.bytes += int64(len(e.Body))
	cost = e.Cost() + int64(len(filter))
	g.cost += cost
	s.bytes += int64(len(e.Body))
	s.len++
	s.next++
	return cost
}

// takes reports whether the segment has room for a message.
func (g *segment) takes(e *message.Entry, now int64, size segmentSize) bool {
	return g.records != nil && g.len < size.len && g.bytes+int64(len(e.Body)) <= size.bytes && now-g.records[0].at < size.span
}

// grow appends a segment to the log. Its records have room for as many messages as
// last has, but for most at most.
func (s *stream) grow(last *segment, most int) *segment {
	size := 8
	if last != nil {
		size = max(size, len(last.records))
	}
	g := &segment{first: s.next, records: make([]record, 0, min(size, most))}
	s.segments = append(s.segments, g)
	return g
}

// shift takes the oldest segment out. There must be one.
func (s *stream) shift() *segment {
	g := s.segments[0]
	s.segments[0] = nil
	s.segments = s.segments[1:]
	s.len -= g.len
	s.bytes -= g.bytes
	return g
}

// takeAll takes all segments out.
func (s *stream) takeAll() []*segment {
	all := s.segments
	s.segments, s.len, s.bytes = nil, 0, 0
	return all
}

// filter returns the filter value of a record; empty: it has none.
func (g *segment) filter(i int) string {
	if g.filters == nil {
		return ""
	}
	return g.filters[i]
}

// segmentOf returns the index of the segment with an offset. The offset must be in
// the log.
func (s *stream) segmentOf(offset uint64) int {
	last := len(s.segments) - 1
	if offset >= s.segments[last].first {
		return last // the usual case
	}
	return sort.Search(last, func(i int) bool { return s.segments[i].first > offset }) - 1
}

// since returns the offset of the first message that came at a time or later.
func (s *stream) since(at int64) uint64 {
	i := sort.Search(len(s.segments), func(i int) bool { return s.segments[i].newest >= at })
	if i == len(s.segments) {
		return s.next
	}
	g := s.segments[i]
	if g.records == nil {
		return g.first // the reader passes by those that came before
	}
	return g.first + uint64(sort.Search(len(g.records), func(i int) bool { return g.records[i].at >= at }))
}

// read returns the next message that r wants, and sets r.next to its offset. If there
// is none, it returns nil and sets r.next to the end of the log. It skips offsets
// whose messages have been evicted.
func (s *stream) read(r *Reader) *record {
	r.next = max(r.next, s.first())
	if r.next >= s.next {
		return nil
	}
	for i := s.segmentOf(r.next); i < len(s.segments); i++ {
		g := s.segments[i]
		r.next = max(r.next, g.first) // there is a gap where messages could not be read
		if r.filter == nil && r.next < g.end() && r.notBefore == 0 {
			return g.at(r.next)
		}
		if (r.filter == nil || g.marks&r.marks != 0) && g.newest >= r.notBefore {
			for ; r.next < g.end(); r.next++ {
				if m := g.at(r.next); m == outsideRecord || r.wants(g.filter(int(r.next-g.first))) && m.at >= r.notBefore {
					return m
				}
			}
		}
		r.next = g.end()
	}
	return nil
}

// end is the offset after the last record.
func (g *segment) end() uint64 { return g.first + uint64(g.len) }

// at returns the message with an offset, or nil if it has been evicted.
func (s *stream) at(offset uint64) *record {
	if offset < s.first() || offset >= s.next {
		return nil
	}
	if g := s.segments[s.segmentOf(offset)]; offset < g.end() {
		return g.at(offset)
	}
	return nil
}

// share returns the content of a message for a delivery. Successive deliveries of
// the same message share it.
func (s *stream) share(c message.Content, offset uint64) *message.Lent {
	if s.lent == nil || s.lent.Offset != int64(offset) {
		s.lent = message.NewLent(c, int64(offset))
	}
	return s.lent
}
