package queue

import "github.com/warrenmq/warren/internal/message"

// dispatch delivers ready messages to the consumers with room, in turn.
func (q *Queue) dispatch() {
	freed := int64(0) // bytes of messages that the queue need not count any more
	for q.cleanHead() {
		c := q.reserveNext()
		if c == nil {
			break
		}
		var it message.Item
		q.store.shift(&it)
		if c.passes {
			freed += it.Cost()
		}
		q.hand(c, &it)
	}
	if freed > 0 {
		q.memory.Add(-freed)
	}
}

// reservePastStore is reserveNext for a new message that has not been stored. It
// returns nil while older messages are ready.
func (q *Queue) reservePastStore() *Consumer {
	if q.store.len() > 0 {
		return nil
	}
	return q.reserveNext()
}

// reserveNext returns the consumer whose turn it is, after it has reserved room for
// one message, or nil. A consumer whose flow has no room is taken off the list
// until the flow has room.
func (q *Queue) reserveNext() *Consumer {
	for c := q.roomFirst; c != nil; c = q.roomFirst {
		if c.reserve() {
			return c
		}
		q.unlist(c)
	}
	return nil
}

// hand delivers a message to c, whose turn it is. The caller has accounted for the
// message, unless c passes it on.
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
	q.deliver(c, it)
}

// deliver passes a message to the sink of a direct consumer, or puts it into the
// mailbox of another.
func (q *Queue) deliver(c *Consumer, it *message.Item) {
	if c.direct {
		q.wakeLater(c.sink.Deliver(*it))
	} else if c.box.Put(it) {
		q.wakeLater(c.box)
	}
}

// anyRoom reports whether a consumer could get a message now.
func (q *Queue) anyRoom() bool {
	for c := q.roomFirst; c != nil; c = c.after {
		if c.hasRoom() {
			return true
		}
	}
	return false
}

// list puts c into the list of consumers with room, behind the others of its
// priority.
func (q *Queue) list(c *Consumer) {
	if c.listed || c.gone || !c.added || q.single && c != q.active {
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

// unlist takes c off the list of consumers with room.
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

// credit gives c room for n more messages and delivers ready messages.
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

// activate chooses the active consumer of a queue with a single active consumer, if
// it has none: of the consumers with the highest priority, the one that came first.
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
