package queue

// Counts count what happened in a queue since it was declared.
type Counts struct {
	Published    uint64 // messages that came in
	Delivered    uint64 // messages handed to consumers and Get, redeliveries too
	Redelivered  uint64 // of these, those that came back before
	Acked        uint64 // messages settled by an ack, or delivered without one
	Dropped      uint64 // messages purged, lost with the queue or without a dead letter exchange, or gone from a stream
	DeadLettered uint64 // messages that went to the dead letter exchange instead
}

// Add adds other counts.
func (c *Counts) Add(o *Counts) {
	c.Published += o.Published
	c.Delivered += o.Delivered
	c.Redelivered += o.Redelivered
	c.Acked += o.Acked
	c.Dropped += o.Dropped
	c.DeadLettered += o.DeadLettered
}

// Stats are figures of a queue at one moment.
type Stats struct {
	Consumers int
	Ready     int   // messages that wait; all of a stream's
	Unacked   int   // messages that were given out and are not settled
	Bytes     int64 // held by all these
	Counts
}

// Stats are the queue's figures now.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Stats{len(q.consumers), q.ready(), q.unacked, q.bytes, q.counts}
}

// Counts are the queue's counts now.
func (q *Queue) Counts() Counts {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.counts
}

// ConsumerView is what a queue knows of a consumer at one moment.
type ConsumerView struct {
	Consumer  *Consumer
	Tag       string
	NoAck     bool
	Exclusive bool
	Active    bool // false: another one is the queue's single active consumer
	Priority  int
	Prefetch  int // zero: no limit
	Unacked   int // messages given out that need an ack
}

// Consumers are the queue's, in the order in which they came.
func (q *Queue) Consumers() []ConsumerView {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := make([]ConsumerView, len(q.consumers))
	for i, c := range q.consumers {
		list[i] = ConsumerView{
			Consumer: c, Tag: c.Tag, NoAck: c.NoAck, Exclusive: c.exclusive,
			Active: !q.single || c == q.active, Priority: c.priority, Unacked: c.unsettled,
		}
		if !c.untilRead {
			list[i].Prefetch = c.limit
		}
	}
	return list
}

// Inspect tells what declare-ok does: the ready messages and the consumers. To
// ask is to use the queue.
func (q *Queue) Inspect() (ready, consumers int) {
	q.mu.Lock()
	defer q.unlock()
	q.touch()
	q.cleanHead()
	return q.ready(), len(q.consumers)
}

// ready is the number of messages that wait: those in the log, if the queue is
// a stream.
func (q *Queue) ready() int {
	if q.stream != nil {
		return q.stream.len
	}
	return q.store.len()
}
