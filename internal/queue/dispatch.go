package queue

import "github.com/warrenmq/warren/internal/message"

// dispatch hands ready messages to consumers with room, in turn.
func (q *Queue) dispatch() {
	settled := int64(0) // bytes of what needs no ack
	for q.cleanHead() {
		c := q.next()
		if c == nil {
			break
		}
		var it message.Item
		q.store.shift(&it)
		if c.NoAck {
			settled += it.Cost()
		}
		q.hand(c, &it)
	}
	if settled > 0 {
		q.account(-settled)
	}
}

// pastStore is the consumer that may have a new message past the store: with
// older ones ready, nobody may.
func (q *Queue) pastStore() *Consumer {
	if q.store.len() > 0 {
		return nil
	}
	return q.next()
}

// next is the consumer whose turn it is, with room reserved for a message, or
// nil. Those whose flow has no room leave the list until it has.
func (q *Queue) next() *Consumer {
	for c := q.roomFirst; c != nil; c = q.roomFirst {
		if c.reserve() {
			return c
		}
		q.unlist(c)
	}
	return nil
}

// hand gives a message to c, whose turn it is. Unless c is without ack, the
// message is accounted for.
func (q *Queue) hand(c *Consumer, it *message.Item) {
	q.counts.Delivered++
	if it.Redelivered {
		q.counts.Redelivered++
	}
	c.out++
	if c.NoAck {
		q.counts.Acked++
		q.unjournal(it)
	} else {
		q.unacked++
		c.unsettled++
	}
	if c.out >= c.limit {
		q.unlist(c)
	} else if c.after != nil && c.after.priority == c.priority {
		q.unlist(c)
		q.list(c)
	}
	q.give(c, it)
}

// give hands a message over: to the sink, or to the mailbox for who reads.
func (q *Queue) give(c *Consumer, it *message.Item) {
	if c.direct {
		q.wakeLater(c.sink.Deliver(*it))
	} else if c.box.Put(it) {
		q.wakeLater(c.box)
	}
}

// anyRoom reports whether a consumer could be given a message now.
func (q *Queue) anyRoom() bool {
	for c := q.roomFirst; c != nil; c = c.after {
		if c.hasRoom() {
			return true
		}
	}
	return false
}

// list puts c behind all of its priority in the list of consumers with room.
func (q *Queue) list(c *Consumer) {
	if c.listed || c.gone || q.single && c != q.active {
		return
	}
	before := q.roomLast
	for before != nil && before.priority < c.priority {
		before = before.before
	}
	c.listed, c.before = true, before
	if before == nil {
		c.after, q.roomFirst = q.roomFirst, c
	} else {
		c.after, before.after = before.after, c
	}
	if c.after == nil {
		q.roomLast = c
	} else {
		c.after.before = c
	}
}

func (q *Queue) unlist(c *Consumer) {
	if !c.listed {
		return
	}
	if c.before == nil {
		q.roomFirst = c.after
	} else {
		c.before.after = c.after
	}
	if c.after == nil {
		q.roomLast = c.before
	} else {
		c.after.before = c.before
	}
	c.listed, c.before, c.after = false, nil, nil
}

// credit gives c room for n more messages and hands over what waits.
func (q *Queue) credit(c *Consumer, n int) {
	c.out -= n
	if q.stream != nil {
		q.serve(c)
		return
	}
	if c.out < c.limit {
		q.list(c)
	}
	q.dispatch()
}

// activate makes a consumer the active one of a queue that has one at a time:
// the first that came of those with the highest priority.
func (q *Queue) activate() {
	if !q.single || q.active != nil {
		return
	}
	for _, c := range q.consumers {
		if q.active == nil || c.priority > q.active.priority {
			q.active = c
		}
	}
	if q.active != nil && q.active.out < q.active.limit {
		q.list(q.active)
	}
}
