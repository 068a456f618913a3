package warren

// Stats are figures of a broker at one moment, over all virtual hosts.
type Stats struct {
	VirtualHosts int
	Sessions     int
	Exchanges    int // predeclared ones too
	Queues       int
	Consumers    int   // handlers too, but not reply consumers
	Ready        int   // messages in queues; all of a stream's
	Unacked      int   // messages that were given out and are not settled
	Delayed      int   // messages that delayed exchanges keep back
	Bytes        int64 // held by all these, with about 100 bytes of bookkeeping each

	QueueCounts        // of all queues there ever were
	Unroutable  uint64 // messages that no queue took and nobody wanted back
	Returned    uint64 // messages that no queue took and that were returned

	Requesters     int    // calls and reply consumers that wait for replies
	Replies        uint64 // replies delivered by direct reply-to
	RepliesTooLate uint64 // replies dropped because the requester had gone
	RepliesTooFast uint64 // replies dropped because the requester did not read
}

// Stats counts what the broker holds and has done. It locks one queue after
// another, so the figures of a busy broker are not of one instant.
func (b *Broker) Stats() Stats {
	b.mu.Lock()
	s := Stats{VirtualHosts: len(b.vhosts), Sessions: len(b.sessions)}
	vhosts := make([]*VirtualHost, 0, len(b.vhosts))
	for _, v := range b.vhosts {
		vhosts = append(vhosts, v)
	}
	b.mu.Unlock()
	for _, v := range vhosts {
		v.addStats(&s)
	}
	return s
}

func (v *VirtualHost) addStats(s *Stats) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	s.Exchanges += len(v.exchanges)
	s.Queues += len(v.queues)
	s.QueueCounts.add(&v.counts)
	for _, x := range v.exchanges {
		x.gate.addStats(s)
	}
	for _, q := range v.queues {
		q.mu.Lock()
		s.Consumers += len(q.consumers)
		s.Ready += q.ready()
		s.Unacked += q.unacked
		s.Bytes += q.bytes
		s.QueueCounts.add(&q.counts)
		q.mu.Unlock()
	}
	s.Unroutable += v.unroutable.Load()
	s.Returned += v.returned.Load()
	s.Requesters += v.replies.pending()
	s.Replies += v.replies.delivered.Load()
	s.RepliesTooLate += v.replies.droppedGone.Load()
	s.RepliesTooFast += v.replies.droppedSlow.Load()
}

func (g *gate) addStats(s *Stats) {
	if g == nil || g.delays == nil {
		return
	}
	g.delays.mu.Lock()
	defer g.delays.mu.Unlock()
	s.Delayed += len(g.delays.waiting)
	s.Bytes += g.delays.bytes
}
