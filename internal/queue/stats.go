package queue

// Counts are numbers of events in a queue since it was declared.
type Counts struct {
	Published    uint64 // messages that were published to it
	Delivered    uint64 // messages delivered to consumers and Get, redeliveries included
	NoAck        uint64 // of these, those that need no ack
	Got          uint64 // of Delivered, those by Get
	GotNoAck     uint64 // of Got, those that need no ack
	GetEmpty     uint64 // Gets that found no message
	Redelivered  uint64 // of Delivered, those that had been requeued before
	Acked        uint64 // messages acknowledged, or delivered without ack
	Dropped      uint64 // messages purged, lost with the queue or without a dead letter exchange, or evicted from a stream
	DeadLettered uint64 // messages that went to the dead letter exchange instead
}

// usualCounts are the counts of a queue that most queues need.
type usualCounts struct{ Delivered, Redelivered, Acked uint64 }

// rareCounts are those that a queue need not have.
type rareCounts struct {
	NoAck, Got, GotNoAck, GetEmpty, Dropped, DeadLettered uint64

	abandoned int // messages that were unread when the queue was deleted
}

// allCounts returns the counts. mu is held.
func (q *Queue) allCounts() Counts {
	n := &q.counts
	c := Counts{Published: q.received.Messages, Delivered: n.Delivered, Redelivered: n.Redelivered, Acked: n.Acked}
	if r := q.rare; r != nil {
		c.NoAck, c.Got, c.GotNoAck, c.GetEmpty = r.NoAck, r.Got, r.GotNoAck, r.GetEmpty
		c.Dropped, c.DeadLettered = r.Dropped, r.DeadLettered
	}
	return c
}

// Add adds other counts.
func (c *Counts) Add(o *Counts) {
	c.Published += o.Published
	c.Delivered += o.Delivered
	c.NoAck += o.NoAck
	c.Got += o.Got
	c.GotNoAck += o.GotNoAck
	c.GetEmpty += o.GetEmpty
	c.Redelivered += o.Redelivered
	c.Acked += o.Acked
	c.Dropped += o.Dropped
	c.DeadLettered += o.DeadLettered
}

// Stats describe a queue at one moment.
type Stats struct {
	Consumers int
	Ready     int   // ready messages; all messages of a stream
	Unacked   int   // messages that were delivered and are not settled
	Bytes     int64 // that all these messages hold, with those that wait for a reader
	Counts
}

// Stats returns the queue's figures now.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stats()
}

// stats is Stats with mu held.
func (q *Queue) stats() Stats {
	return Stats{q.consumers.len, q.ready(), q.unacked, q.memory.Bytes(), q.allCounts()}
}

// Counts returns the queue's counts now.
func (q *Queue) Counts() Counts {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.allCounts()
}

// ConsumerView describes a consumer at one moment.
type ConsumerView struct {
	Consumer  *Consumer
	Tag       string
	IsPool    bool // it belongs to a Pool
	NoAck     bool
	Exclusive bool
	Active    bool // false if another consumer is the single active one
	Priority  int
	Prefetch  int // zero: no limit
	Unacked   int // messages that were delivered and need an ack
	ConsumerCounts
}

// ConsumerCounts are numbers of events of a consumer since it came.
type ConsumerCounts struct {
	Delivered   uint64 // messages, redeliveries included
	Redelivered uint64 // of these, those that had been requeued before
	Acked       uint64 // messages acknowledged, or delivered without ack
}

// Counts returns the consumer's counts now.
func (c *Consumer) Counts() ConsumerCounts {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return c.counts
}

// CountsLocked is Counts for a Sink, which is called with the queue's lock held.
func (c *Consumer) CountsLocked() ConsumerCounts { return c.counts }

// Sub takes other counts off.
func (c *ConsumerCounts) Sub(o ConsumerCounts) {
	c.Delivered -= o.Delivered
	c.Redelivered -= o.Redelivered
	c.Acked -= o.Acked
}

// Consumers returns the queue's consumers, in the order in which they came.
func (q *Queue) Consumers() []ConsumerView {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := make([]ConsumerView, 0, q.consumers.len)
	for c := q.consumers.first; c != nil; c = c.newer {
		v := ConsumerView{
			Consumer: c, Tag: c.Tag, IsPool: c.box == nil, NoAck: c.NoAck, Exclusive: c.exclusive,
			Active: !q.single || c == q.rare.active, Priority: c.priority, Unacked: c.unsettled,
			ConsumerCounts: c.counts,
		}
		if !c.untilRead {
			v.Prefetch = c.limit
		}
		list = append(list, v)
	}
	return list
}

// Inspect returns what queue.declare-ok tells: the numbers of ready messages and of
// consumers. It counts as use of the queue.
func (q *Queue) Inspect() (ready, consumers int) {
	q.mu.Lock()
	defer q.unlock()
	q.touch()
	q.cleanHead()
	return q.ready(), q.consumers.len
}

// ready returns the number of ready messages; in a stream all are ready.
func (q *Queue) ready() int {
	if q.stream != nil {
		return q.stream.len
	}
	return q.store.len()
}

// HasExclusive reports whether the queue has an exclusive consumer.
func (q *Queue) HasExclusive() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.consumers.len > 0 && q.consumers.first.exclusive
}
