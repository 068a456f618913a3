package warren

import "github.com/warrenmq/warren/internal/queue"

// Stats are figures of a broker over all its virtual hosts.
type Stats struct {
	VirtualHosts int
	Sessions     int
	Exchanges    int // including predeclared ones
	Queues       int
	Consumers    int   // including handlers, excluding reply consumers
	Ready        int   // messages in queues, in memory or on disk; all messages of streams
	Unacked      int   // messages that were delivered and are not settled
	Delayed      int   // messages in delayed exchanges, until they are in their queues
	Bytes        int64 // held in memory by these messages: bodies, keys, properties, and about 100 bytes of bookkeeping each
	// Memory is what counts against [Options].MemoryLimit, in bytes. That is about
	// Bytes, and what else messages hold: in transactions, half of them received, or
	// unsettled although their queue is deleted.
	Memory int64

	// TopologyBytes is what queues, exchanges, bindings, consumers, channels and
	// sessions hold, about. [Options].MemoryLimit says how much that may be.
	TopologyBytes int64

	Waiting int // publishers that wait for memory, see Options.MemoryLimit

	// DiskError is why publishers of persistent messages to durable queues are held
	// back: an [ErrDiskFull] or another [ErrStorage]. Nil: they are not.
	DiskError      error
	WaitingForDisk int // publishers that wait for that, or because the disk is slow

	// Unreadable counts messages that were found damaged on disk since [Open], and are
	// lost. [Options].Logger was told where.
	Unreadable uint64

	QueueCounts        // of all queues, including deleted ones
	Unroutable  uint64 // messages that no queue took and that were dropped silently
	Returned    uint64 // messages that no queue took and that were returned

	// LettersDropped counts dead letters that were dropped because their message had
	// become too many, or because memory was exhausted: see [DeadLetter].
	LettersDropped uint64

	Requesters     int    // calls and reply consumers
	Replies        uint64 // replies delivered by direct reply-to
	RepliesTooLate uint64 // replies dropped because the requester had gone
	RepliesTooFast uint64 // replies dropped because the requester's buffer was full

	// These are since the broker began.
	SessionsOpened, SessionsClosed uint64
	ChannelsOpened, ChannelsClosed uint64
	QueuesDeclared, QueuesDeleted  uint64 // declarations that made a queue, and queues deleted in whatever way
	Logins, LoginsRefused          uint64 // by [Broker.Authenticate] and by the listener, unless its own options decide

	ReceivedConfirm uint64       // messages published on channels in confirm mode
	Confirmed       uint64       // messages confirmed to publishers
	Received        uint64       // messages published to exchanges while somebody watched: see [Broker.Watch]
	Sizes           MessageSizes // of these

	Failed uint64 // messages on which a handler or a function of ConsumeFunc failed, and no requester was told
}

// Stats returns what the broker holds and has counted. It locks one queue after
// another, so the figures of a busy broker are not of the same instant.
func (b *Broker) Stats() Stats {
	b.mu.Lock()
	s := Stats{VirtualHosts: len(b.vhosts), Sessions: len(b.sessions)}
	vhosts := make([]*VirtualHost, 0, len(b.vhosts))
	for _, v := range b.vhosts {
		vhosts = append(vhosts, v)
	}
	b.mu.Unlock()
	s.Memory = b.queues.Memory.Used()
	s.TopologyBytes = b.queues.Memory.Topology()
	s.Waiting = b.queues.Memory.Waiting()
	if b.disk != nil {
		s.WaitingForDisk, s.DiskError = b.disk.gate.state()
		s.Unreadable = b.disk.Unreadable()
	}
	b.churn.addTo(&s)
	for _, v := range vhosts {
		v.addStats(&s)
	}
	return s
}

// Stats returns the figures of the virtual host alone. Those that belong to the whole
// broker, such as Memory, Waiting and DiskError, are zero.
func (v *VirtualHost) Stats() Stats {
	s := Stats{VirtualHosts: 1, Sessions: len(v.broker.sessionList(func(s *Session) bool { return s.vhost == v }))}
	v.addStats(&s)
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
	v.addPublished(s)
	s.Unroutable += v.unroutable.Load()
	s.Returned += v.returned.Load()
	s.LettersDropped += v.lettersDropped.Load()
	s.Failed += v.failed.Load()
	s.Requesters += v.replies.pending()
	s.Replies += v.replies.delivered.Load()
	s.RepliesTooLate += v.replies.droppedGone.Load()
	s.RepliesTooFast += v.replies.droppedSlow.Load()
}

// addPublished adds what publishers of the virtual host have published.
func (v *VirtualHost) addPublished(s *Stats) {
	sizes := v.received.Sum()
	s.Confirmed += v.confirmed.Load()
	s.ReceivedConfirm += v.toConfirm.Load()
	for _, session := range v.broker.sessionList(func(s *Session) bool { return s.vhost == v }) {
		for _, ch := range session.channelList() {
			s.Confirmed += ch.confirmed()
			s.ReceivedConfirm += ch.published.Load()
			for _, c := range ch.passedList() {
				sum := c.in.Sum()
				sizes.Plus(&sum)
			}
		}
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, x := range v.exchanges {
		if c := x.passed.Load(); c != nil {
			sum := c.in.Sum() // no queue counts for it, so no lock of a queue is taken
			sizes.Plus(&sum)
		}
	}
	s.Sizes.sizes().Plus(&sizes)
	s.Received += sizes.Len()
}

// addTo adds what has come and gone.
func (c *churn) addTo(s *Stats) {
	s.SessionsOpened, s.SessionsClosed = c.sessionsOpened.Load(), c.sessionsClosed.Load()
	s.ChannelsOpened, s.ChannelsClosed = c.channelsOpened.Load(), c.channelsClosed.Load()
	s.QueuesDeclared, s.QueuesDeleted = c.queuesDeclared.Load(), c.queuesDeleted.Load()
	s.Logins, s.LoginsRefused = c.logins.Load(), c.loginsRefused.Load()
}

// QueueCounts count the messages of a queue since it was declared.
type QueueCounts struct {
	Published    uint64 // messages that the queue took
	Delivered    uint64 // messages sent to consumers and Get, including redeliveries
	NoAck        uint64 // of Delivered, those that need no ack
	Got          uint64 // of Delivered, those by Get
	GotNoAck     uint64 // of Got, those that need no ack
	GetEmpty     uint64 // Gets that found no message
	Redelivered  uint64 // deliveries of messages that had been delivered before
	Acked        uint64 // messages settled by an ack, or delivered without ack
	Dropped      uint64 // messages purged, deleted with the queue, lost without a dead letter exchange, or dropped from a stream
	DeadLettered uint64 // messages sent to the dead letter exchange
}

func (c *QueueCounts) add(o *queue.Counts) { (*queue.Counts)(c).Add(o) }
