package warren

// append adds a message to the stream and hands it to the readers that wait
// for it. It fails when the journal cannot keep it.
func (q *queue) append(e *entry) error {
	s := q.stream
	if q.journal != nil {
		if err := q.journal.add(s.next, *e); err != nil {
			return err
		}
	}
	q.counts.Published++
	q.account(e.cost())
	now := q.vhost.broker.clock()
	s.append(e, now, q.rules.segmentSize())
	for c := q.roomFirst; c != nil; {
		next := c.next
		q.serve(c)
		c = next
	}
	q.retain(now)
	return nil
}

// serve hands c what comes next for it while it has room. A consumer of a
// stream is in the list of those with room when it has read all there is.
func (q *queue) serve(c *consumer) {
	if c.gone {
		return
	}
	for c.out < c.limit {
		m := q.stream.read(c.reader)
		if m == nil {
			q.list(c)
			return
		}
		if !c.reserve() {
			break
		}
		q.lend(c, &m.entry)
	}
	q.unlist(c)
}

// lend gives c the message that its reader is at. The stream keeps it, and it
// is the stream's business to tell a call that nobody has answered it.
func (q *queue) lend(c *consumer, e *entry) {
	it := item{entry: *e, pos: c.reader.next}
	it.content = q.stream.share(e.content, it.pos)
	c.reader.next++
	c.out++
	c.unsettled++
	q.unacked++
	q.counts.Delivered++
	q.wakeLater(c.take(&it))
}

// retain gives up the oldest segments that the rules do not let stay. Length
// limits leave the newest one; its time comes, too.
func (q *queue) retain(now int64) {
	r, s := q.rules, q.stream
	if r == nil {
		return
	}
	for len(s.segments) > 1 && (r.maxLength >= 0 && int64(s.len) > r.maxLength || r.maxBytes >= 0 && s.bytes > r.maxBytes) {
		q.evict()
	}
	for r.maxAge > 0 && len(s.segments) > 0 {
		if end := s.segments[0].newest() + int64(r.maxAge); end > now {
			q.wakeAt(end, now)
			return
		}
		q.evict()
	}
}

// evict drops the oldest segment. Readers that have not got so far go on
// behind it.
func (q *queue) evict() {
	g := q.stream.shift()
	q.account(-g.cost)
	q.counts.Dropped += uint64(len(g.records))
	for i := range g.records {
		if q.journal != nil {
			q.journal.remove(g.first + uint64(i))
		}
		g.records[i].drop(ErrRequestDropped)
	}
}

// evictAll is the end of a stream; it reports how many messages it had.
func (q *queue) evictAll() int {
	n := q.stream.len
	for len(q.stream.segments) > 0 {
		q.evict()
	}
	return n
}

// ready is the number of messages that wait: those in the log, if the queue is
// a stream.
func (q *queue) ready() int {
	if q.stream != nil {
		return q.stream.len
	}
	return q.store.len()
}
