package queue

import "github.com/warrenmq/warren/internal/message"

// append adds a message to the stream and delivers it to the readers that wait. A
// stream on disk has all its messages there, persistent or not.
func (q *Queue) append(p *message.Publishing) {
	s := q.stream
	now := q.shared.Clock.Now()
	if q.disk != nil {
		synced, stored := q.disk.PutAt(s.next, p.Entry, now, p.Shared, p.Stored)
		p.Synced, p.Stored = max(p.Synced, synced), stored
	}
	q.received.Add(len(p.Body))
	if !q.share.Follows(p.Tally, len(p.Body)) {
		q.tally(p.Tally, len(p.Body))
	}
	q.memory.Add(s.append(&p.Entry, now, q.rules.segmentSize()))
	for c := q.next(); c != nil; { // all have the same priority
		next := c.after
		q.serve(c)
		c = next
	}
	q.retain(now)
}

// serve delivers messages to c while it has room. In a stream, the list of consumers
// with room has those that have read all messages.
func (q *Queue) serve(c *Consumer) {
	if c.gone || !c.added {
		return
	}
	for had := 0; c.out < c.limit; had++ {
		m := q.stream.read(c.reader)
		if m == nil {
			q.list(c)
			return
		}
		if m == outsideRecord {
			if q.loadSegment(q.stream.segmentWith(c.reader.next)) {
				break // it is served again when the segment is there
			}
			continue
		}
		if !c.reserve(had) {
			break
		}
		q.lend(c, &m.Entry)
	}
	q.unlist(c)
}

// lend delivers the message at which c's reader is. The stream keeps it, so only the
// stream tells a call that its request was lost.
func (q *Queue) lend(c *Consumer, e *message.Entry) {
	var room message.Item
	it := &room
	if !c.direct {
		it = c.box.Append()
	}
	it.Entry, it.Pos = *e, c.reader.next
	it.Content = q.stream.share(e.Content, it.Pos)
	c.reader.next++
	c.out++
	c.unsettled++
	q.unacked++
	q.counts.Delivered++
	c.counts.Delivered++
	q.passOn(c, it)
}

// findAgain gives deliveries that are to be repeated their entries again. It leaves
// out those whose messages have been evicted, and all if w gives up. It may give up mu meanwhile.
func (q *Queue) findAgain(items []Settling, w Waiter) []Settling {
	kept := make([]Settling, 0, len(items))
	for _, s := range items {
		it := &s.Delivery.Item
		if m := q.awaitRecord(it.Pos, w); m != nil {
			it.Entry = m.Entry
			it.Content = q.stream.share(m.Content, it.Pos)
			kept = append(kept, s)
		}
	}
	return kept
}

// retain evicts the oldest segments while the rules ask for it. Limits of length
// and bytes leave the newest segment; the maximum age evicts that one, too.
func (q *Queue) retain(now int64) {
	r, s := q.rules, q.stream
	if r == nil {
		return
	}
	for len(s.segments) > 1 && (r.MaxLength >= 0 && int64(s.len) > r.MaxLength || r.MaxBytes >= 0 && s.bytes > r.MaxBytes) {
		q.evict()
	}
	for r.MaxAge > 0 && len(s.segments) > 0 {
		if end := s.segments[0].newest + int64(r.MaxAge); end > now {
			q.seldom().alarm.Set(end, now, q)
			return
		}
		q.evict()
	}
}

// evict drops the oldest segment. Readers that have not read it continue after it.
func (q *Queue) evict() {
	g := q.stream.shift()
	q.seldom().Dropped += uint64(g.len)
	q.dropSegment(g)
}

// dropSegment drops the messages of a segment that the stream has no more.
func (q *Queue) dropSegment(g *segment) {
	q.memory.Add(-g.cost)
	if q.disk != nil && !q.deleted {
		q.disk.RemoveRange(g.first, g.end()-1)
	}
	if q.disk != nil {
		q.disk.awaited.lose(g.first, g.end()-1)
	}
	for i := range g.records {
		g.records[i].Lost()
	}
	g.records, g.cost = nil, 0
}
