package queue

import (
	"time"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/unacked"
)

// Delivered is a message that was delivered and is not settled. Of a stream it need
// not have the Entry, because the stream keeps that, or has given it up.
type Delivered struct {
	message.Item
	Queue    *Queue
	Consumer *Consumer     // nil: it was delivered by Get
	Timeout  time.Duration // for settling it; zero: none
	Due      int64         // when it must be settled, by Timeout; zero: there is no limit
}

// Fate is what happens to a message that was delivered.
type Fate int

// The fates of a message.
const (
	Acked    Fate = iota
	Requeued      // it returns to its place in the queue
	Dropped       // it is rejected: dropped or dead-lettered
)

// Settling is a delivery that is being settled, with its tag.
type Settling = unacked.Tagged[Delivered]

// Unsettled makes a Settling of a message that is requeued before it got a tag.
func Unsettled(it message.Item) Settling { return Settling{Delivery: Delivered{Item: it}} }

// Settle acknowledges or rejects messages that were delivered to c; a nil c stands
// for Get.
func (q *Queue) Settle(c *Consumer, items []Settling, acked bool) {
	for len(items) > 0 {
		part := items[:min(len(items), settledAtOnce)]
		items = items[len(part):]
		q.mu.Lock()
		for i := range part {
			q.finish(&part[i].Delivery.Item, acked)
		}
		if acked && c != nil {
			c.counts.Acked += uint64(len(part))
		}
		q.freeRoom(c, len(part))
		q.unlock()
	}
	c.serveFlow()
}

// finish ends an unacked message: acknowledged or rejected. A stream keeps the
// message.
func (q *Queue) finish(it *message.Item, acked bool) {
	if acked {
		q.counts.Acked++
	}
	switch {
	case q.stream != nil:
	case acked:
		q.memory.Add(-it.Cost())
		if q.disk != nil {
			q.disk.remove(it.Pos, &it.Entry)
		}
	default:
		q.lose(it, message.DiedRejected)
	}
}

// freeRoom notes that n unacked messages of c are settled or requeued, and gives c
// room for others. A nil c stands for Get. The caller calls c.serveFlow when the lock
// is free.
func (q *Queue) freeRoom(c *Consumer, n int) {
	q.unacked -= n
	q.releaseHeld()
	if c == nil {
		return
	}
	c.countSettled(n)
	if c.untilRead {
		n = 0
	}
	q.credit(c, n)
}

// Redeliver delivers unacked messages of c to c again, before all others. It reports
// false if c is removed or belongs to a Pool.
func (q *Queue) Redeliver(c *Consumer, items []Settling, w Waiter) bool {
	defer c.serveFlow()
	q.mu.Lock()
	defer q.unlock()
	again := items
	if q.stream != nil && !c.gone && c.box != nil {
		again = q.findAgain(items, w)
	}
	if c.gone || c.box == nil {
		return false
	}
	if evicted := len(items) - len(again); evicted > 0 {
		defer q.freeRoom(c, evicted)
	}
	items = again
	if c.untilRead {
		c.out += len(items)
		if c.out >= c.limit {
			q.unlist(c)
		}
	}
	q.counts.Delivered += uint64(len(items))
	q.counts.Redelivered += uint64(len(items))
	c.counts.Delivered += uint64(len(items))
	c.counts.Redelivered += uint64(len(items))
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

// takeBack requeues messages of c that its reader has not seen, and uncounts their
// delivery. It is called with mu held.
func (q *Queue) takeBack(c *Consumer, items []message.Item) {
	for i := range items {
		it := &items[i]
		q.counts.Delivered--
		c.counts.Delivered--
		if it.Redelivered {
			q.counts.Redelivered--
			c.counts.Redelivered--
		}
		if !c.NoAck {
			q.unacked--
			c.countSettled(1)
		}
		if c.passes {
			q.memory.Add(it.Cost())
		}
		if c.direct { // its channel was closed as it came; others had later ones meanwhile
			it.Redelivered = true
		}
		if c.NoAck {
			q.seldom().NoAck--
			q.counts.Acked--
			c.counts.Acked--
			if q.stream == nil {
				q.keepAgain(it)
			}
		}
		if q.stream == nil {
			q.store.requeue(it)
		}
	}
	q.tidy()
	q.dispatch()
}

// forget drops messages that c has got of a queue which is deleted now.
func (q *Queue) forget(c *Consumer, items []message.Item) {
	for i := range items {
		items[i].Lost()
	}
	if !c.NoAck {
		q.unacked -= len(items)
		q.releaseHeld()
		c.countSettled(len(items))
	}
}

// costOf returns what messages count, which a consumer has got and not read. In a
// stream they count only as long as the stream has them.
func (q *Queue) costOf(items []message.Item) (sum int64) {
	if q.stream == nil {
		for i := range items {
			if sum += items[i].BareCost(); items[i].Content != nil {
				sum += items[i].Content.Size()
			}
		}
	}
	return sum
}

// Get takes the message at the head. Ok is false if there is none. Left is the
// number of messages that stay ready. It fails with ErrSingleActive if only the
// active consumer gets messages. If w gives up, there is none.
func (q *Queue) Get(noAck bool, w Waiter) (d Delivered, left int, ok bool, err error) {
	q.mu.Lock()
	q.awaitHead(w)
	defer q.unlock()
	q.touch()
	if q.single {
		return d, 0, false, ErrSingleActive
	}
	if q.deleted || !q.cleanHead() {
		q.seldom().GetEmpty++
		return d, 0, false, nil
	}
	d = Delivered{Queue: q, Timeout: q.timeout()}
	q.store.shift(&d.Item)
	it := &d.Item
	it.Counted = q.countsReturns
	q.counts.Delivered++
	q.seldom().Got++
	if it.Redelivered {
		q.counts.Redelivered++
	}
	if noAck {
		q.seldom().NoAck++
		q.seldom().GotNoAck++
		q.counts.Acked++
		q.memory.Add(-it.Cost())
		if q.disk != nil {
			q.disk.remove(it.Pos, &it.Entry)
		}
	} else {
		q.unacked++
	}
	q.cleanHead() // expired messages behind it do not count as left
	return d, q.store.len(), true, nil
}

// Unget takes back what Get took and nobody has seen.
func (q *Queue) Unget(d *Delivered, noAck bool) {
	if noAck { // it was settled when it was taken
		q.mu.Lock()
		q.seldom().NoAck--
		q.seldom().GotNoAck--
		q.counts.Acked--
		q.unacked++
		q.memory.Add(d.Cost())
		if q.stream == nil {
			q.keepAgain(&d.Item)
		}
		q.mu.Unlock()
	}
	q.Requeue(nil, []Settling{Unsettled(d.Item)}, false)
}

// timeout returns how long a delivery may stay unsettled. Zero means that there is
// no limit.
func (q *Queue) timeout() time.Duration {
	if q.rules == nil {
		return 0
	}
	return q.rules.ConsumerTimeout
}
