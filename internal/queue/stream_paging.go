package queue

import (
	"slices"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/store"
)

// outsideRecord stands for a record that is on disk only.
var outsideRecord = new(record)

// at returns the record with an offset, which the segment has.
func (g *segment) at(offset uint64) *record {
	if g.records == nil || g.partial {
		return outsideRecord
	}
	return &g.records[offset-g.first]
}

// segmentWith returns the segment that has an offset.
func (s *stream) segmentWith(offset uint64) *segment { return s.segments[s.segmentOf(offset)] }

// recoverStream takes over what the disk has of a stream.
func (q *Queue) recoverStream() {
	s := q.stream
	for b := range q.disk.Blocks(0, 0) {
		g := &segment{first: b.First, len: b.Count.Len, newest: b.Newest, marks: b.Marks, bytes: b.Count.Bytes}
		s.segments = append(s.segments, g)
		s.len += g.len
		s.bytes += g.bytes
	}
	s.next = q.disk.Next(0)
	if now := q.shared.Clock.Now(); q.rules != nil && s.len > 0 {
		q.seldom().alarm.Set(now, now, q) // some may be too old
	}
}

// pageStream drops records from memory that are in page files; during relief, also the
// newest ones, and those that were loaded.
func (q *Queue) pageStream() {
	s, pressed, newest := q.stream, q.pressed(), segmentsInMemory
	if pressed {
		newest = 0
	}
	for _, g := range s.segments[:max(0, len(s.segments)-newest)] {
		switch {
		case g.records == nil || g.loading || g.partial || g.loaded && !pressed:
		case q.disk.Paged(g.first, g.end()-1) < g.len:
			return
		default:
			q.dropRecords(g)
		}
	}
}

// dropRecords drops a segment's records from memory.
func (q *Queue) dropRecords(g *segment) {
	for i := range g.records {
		q.disk.awaited.keep(g.first+uint64(i), &g.records[i].Entry)
	}
	q.free(g.cost)
	g.records, g.filters, g.cost, g.loaded, g.partial = nil, nil, 0, false, false
}

// loadSegment begins to load a segment, or the rest of it. It reports false if the
// segment is not on disk, and given up.
func (q *Queue) loadSegment(g *segment) bool {
	if !g.loading {
		g.loading = q.disk.Load(g.first+uint64(len(g.records)), g.end()-1)
	}
	if !g.loading {
		q.giveUp(g)
		return false
	}
	return true
}

// awaitRecord returns the message with an offset, or nil if it has been evicted or w gives
// up. It gives up mu while the message is loaded.
func (q *Queue) awaitRecord(offset uint64, w Waiter) *record {
	for !q.deleted {
		m := q.stream.at(offset)
		if m != outsideRecord {
			return m
		}
		if q.loadSegment(q.stream.segmentWith(offset)) && !q.awaitLoaded(w) {
			return nil
		}
	}
	return nil
}

// takeSegment takes a block of a segment. Readers that waited for it are served when it
// has all of it.
func (q *Queue) takeSegment(b *store.Block) {
	if g := q.stream.awaits(b); g != nil && q.fill(g, b) {
		return // the rest comes
	}
	for c := q.consumers.first; c != nil; c = c.newer {
		if !c.listed {
			q.serve(c)
		}
	}
}

// awaits returns the segment that has asked for a block; nil: it was evicted meanwhile.
func (s *stream) awaits(b *store.Block) *segment {
	if len(s.segments) == 0 || b.Last < s.first() {
		return nil
	}
	if g := s.segmentWith(b.Last); g.loading {
		return g
	}
	return nil
}

// fill puts a block into a segment. It reports whether more of the segment is on its
// way.
func (q *Queue) fill(g *segment, b *store.Block) (more bool) {
	g.loading, g.loaded, g.partial = false, true, true
	q.disk.awaited.giveBack(b.Items)
	for i := range b.Items {
		q.takeRecord(g, &b.Items[i].Entry, b.Times[i])
	}
	if b.Damage != nil || len(b.Items) == 0 || b.Items[len(b.Items)-1].Pos != g.first+uint64(len(g.records))-1 {
		q.giveUp(g)
		return false
	}
	if len(g.records) < g.len {
		return q.loadSegment(g)
	}
	g.partial = false
	q.cache(g)
	return false
}

// takeRecord appends a record to a segment that is being loaded.
func (q *Queue) takeRecord(g *segment, e *message.Entry, at int64) {
	if g.records == nil {
		g.records = make([]record, 0, g.len)
	}
	filter := message.FilterValue(e.Content)
	if filter != "" && g.filters == nil {
		g.filters = make([]string, len(g.records), g.len)
	}
	if g.filters != nil {
		g.filters = append(g.filters, filter)
	}
	g.records = append(g.records, record{*e, at})
	cost := e.Cost() + int64(len(filter))
	g.cost += cost
	q.memory.Add(cost)
}

// cache notes that a segment was loaded. Of those that were, it drops the oldest if they
// are too many.
func (q *Queue) cache(g *segment) {
	s := q.stream
	s.cached = append(s.cached, g)
	if len(s.cached) > segmentsLoaded {
		if old := s.cached[0]; old.loaded && old.records != nil {
			q.dropRecords(old)
		}
		s.cached = s.cached[1:]
	}
}

// giveUp takes a segment out that cannot be read. Readers continue after it.
func (q *Queue) giveUp(g *segment) {
	s := q.stream
	i := slices.Index(s.segments, g)
	s.segments = slices.Delete(s.segments, i, i+1)
	s.len -= g.len
	s.bytes -= g.bytes
	q.seldom().Dropped += uint64(g.len)
	q.dropSegment(g)
}
