package queue

import (
	"time"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/unacked"
)

// Delivered is a message that was given out and waits to be settled.
type Delivered struct {
	message.Item
	Queue    *Queue
	Consumer *Consumer     // nil: Get
	Timeout  time.Duration // for settling it; zero: none
	Due      int64         // when it must be settled, after Timeout; zero: at no time
}

// Settling is a delivery on its way out, with the tag it had.
type Settling = unacked.Tagged[Delivered]

// Unsettled is a message that goes back before it got a tag.
func Unsettled(it message.Item) Settling { return Settling{Delivery: Delivered{Item: it}} }

// Settle ends messages that c (nil: Get) had been given: acknowledged or
// rejected.
func (q *Queue) Settle(c *Consumer, items []Settling, acked bool) {
	q.mu.Lock()
	for i := range items {
		q.finish(&items[i].Delivery.Item, acked)
	}
	q.settled(c, len(items))
	q.unlock()
}

// finish is the end of an unacked message. What a stream has lent it has still.
func (q *Queue) finish(it *message.Item, acked bool) {
	if acked {
		q.counts.Acked++
	}
	switch {
	case q.stream != nil:
	case acked:
		q.account(-it.Cost())
		q.unjournal(it)
	default:
		q.lose(it, message.DiedRejected)
	}
}

// settled gives c (nil: Get) its room back after n unacked messages have left.
func (q *Queue) settled(c *Consumer, n int) {
	q.unacked -= n
	if c == nil {
		return
	}
	c.settled(n)
	if c.untilRead {
		n = 0
	}
	q.credit(c, n)
}

// Requeue brings back unacked messages of c (nil: Get) to their old places;
// seen: somebody has looked at them. To a stream nothing comes back: c goes on
// reading.
func (q *Queue) Requeue(c *Consumer, items []Settling, seen bool) {
	q.mu.Lock()
	for i := range items {
		it := &items[i].Delivery.Item
		if q.deleted || q.stream != nil {
			q.finish(it, false)
			continue
		}
		it.Redelivered = it.Redelivered || seen
		if seen && q.countReturn(it) {
			q.lose(it, message.DiedDeliveryLimit)
			continue
		}
		q.store.requeue(it)
	}
	q.tidy()
	q.settled(c, len(items))
	q.dispatch()
	q.unlock()
}

// countReturn counts that a message comes back to a queue that limits this. It
// tells whether it was once too often.
func (q *Queue) countReturn(it *message.Item) (tooOften bool) {
	if q.rules == nil || q.rules.DeliveryLimit < 0 {
		return false
	}
	it.Returns++
	return int64(it.Returns) > q.rules.DeliveryLimit
}

// Redeliver hands messages that c had once more to c, before all others. It
// reports false if c is no more, or cannot take them.
func (q *Queue) Redeliver(c *Consumer, items []Settling) bool {
	q.mu.Lock()
	defer q.unlock()
	if c.gone || c.box == nil {
		return false
	}
	if c.untilRead {
		c.out += len(items)
		if c.out >= c.limit {
			q.unlist(c)
		}
	}
	q.counts.Delivered += uint64(len(items))
	q.counts.Redelivered += uint64(len(items))
	if c.direct {
		for i := range items {
			q.wakeLater(c.sink.Deliver(items[i].Delivery.Item))
		}
		return true
	}
	first := make([]message.Item, len(items))
	for i := range items {
		first[i] = items[i].Delivery.Item
	}
	if c.box.PutFront(first) {
		q.wakeLater(c.box)
	}
	return true
}

// takeBack returns messages that c was given but whose reader has not seen
// them. It is called with mu held.
func (q *Queue) takeBack(c *Consumer, items []message.Item) {
	if q.deleted {
		for i := range items {
			items[i].Lost()
		}
		if !c.NoAck {
			c.settled(len(items))
		}
		return
	}
	for i := range items {
		it := &items[i]
		q.counts.Delivered--
		if it.Redelivered {
			q.counts.Redelivered--
		}
		if c.NoAck {
			q.counts.Acked--
			q.account(it.Cost())
		} else {
			q.unacked--
			c.settled(1)
		}
		if q.stream == nil {
			q.store.requeue(it)
		}
	}
	q.tidy()
	q.dispatch()
}

// Get takes the message at the head; left is what stays ready. It fails with
// ErrSingleActive if only the active consumer may have messages.
func (q *Queue) Get(noAck bool) (d Delivered, left int, ok bool, err error) {
	q.mu.Lock()
	defer q.unlock()
	q.touch()
	if q.single {
		return d, 0, false, ErrSingleActive
	}
	if q.deleted || !q.cleanHead() {
		return d, 0, false, nil
	}
	d = Delivered{Queue: q, Timeout: q.timeout()}
	q.store.shift(&d.Item)
	it := &d.Item
	q.counts.Delivered++
	if it.Redelivered {
		q.counts.Redelivered++
	}
	if noAck {
		q.counts.Acked++
		q.account(-it.Cost())
		q.unjournal(it)
	} else {
		q.unacked++
	}
	q.cleanHead() // what has expired behind it is not left
	return d, q.store.len(), true, nil
}

// timeout is how long a delivery of the queue may stay unsettled; zero: as long
// as it likes.
func (q *Queue) timeout() time.Duration {
	if q.rules == nil {
		return 0
	}
	return q.rules.ConsumerTimeout
}
