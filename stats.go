package warren

import "github.com/warrenmq/warren/internal/queue"

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
	t := v.view()
	s.Exchanges += len(t.exchanges)
	s.Queues += len(t.queues)
	s.QueueCounts.add(&t.deleted)
	for i := range t.exchanges {
		messages, bytes := t.exchanges[i].delayed()
		s.Delayed += messages
		s.Bytes += bytes
	}
	for i := range t.queues {
		have := t.queues[i].stats()
		s.Consumers += have.Consumers
		s.Ready += have.Ready
		s.Unacked += have.Unacked
		s.Bytes += have.Bytes
		s.QueueCounts.add(&have.Counts)
	}
	s.Unroutable += v.unroutable.Load()
	s.Returned += v.returned.Load()
	s.Requesters += v.replies.pending()
	s.Replies += v.replies.delivered.Load()
	s.RepliesTooLate += v.replies.droppedGone.Load()
	s.RepliesTooFast += v.replies.droppedSlow.Load()
}

// QueueCounts count what happened in a queue since it was declared.
type QueueCounts struct {
	Published    uint64 // messages that came in
	Delivered    uint64 // messages handed to consumers and Get, redeliveries too
	Redelivered  uint64 // of these, those that came back before
	Acked        uint64 // messages settled by an ack, or delivered without one
	Dropped      uint64 // messages purged, lost with the queue or without a dead letter exchange, or gone from a stream
	DeadLettered uint64 // messages that went to the dead letter exchange instead
}

func (c *QueueCounts) add(o *queue.Counts) { (*queue.Counts)(c).Add(o) }
