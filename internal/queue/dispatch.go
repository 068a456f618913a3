package queue

import "github.com/warrenmq/warren/internal/message"

// dispatch delivers ready messages to the consumers with room, in turn.
func (q *Queue) dispatch() {
	freed := int64(0) // bytes of messages that the queue need not count any more
	for had := 0; q.cleanHead(); had++ {
		c := q.reserveNext(had)
		if c == nil {
			break
		}
		var room message.Item
		it := &room
		if !c.direct {
			it = c.box.Append()
		}
		q.store.shift(it)
		if c.passes {
			freed += it.Cost()
		}
		q.hand(c, it)
	}
	if freed > 0 {
		q.memory.Add(-freed)
	}
}

// reserveNext returns the consumer whose turn it is, after it has reserved room for
// one message, or nil. A consumer whose flow has no room is taken off the list: it
// waits for its turn in the flow. Had is how many messages were just delivered.
func (q *Queue) reserveNext(had int) *Consumer {
	for c := q.next(); c != nil; c = q.next() {
		if c.isFree(had) || c.reserveOrWait(had) {
			return c
		}
		q.unlist(c)
	}
	return nil
}

// hand delivers a message to c, whose turn it is. The item is in c's mailbox already,
// unless c is direct. The caller has accounted for the message, unless c passes it on.
func (q *Queue) hand(c *Consumer, it *message.Item) {
	q.counts.Delivered++
	c.counts.Delivered++
	if it.Redelivered {
		q.counts.Redelivered++
		c.counts.Redelivered++
	}
	c.out++
	if c.NoAck {
		q.seldom().NoAck++
		q.counts.Acked++
		c.counts.Acked++
		if q.disk != nil {
			q.forgetOnDisk(it)
		}
	} else {
		q.unacked++
		c.unsettled++
	}
	if c.out >= c.limit {
		q.unlist(c)
	} else if c.after != nil {
		q.turns.remove(c)
		q.turns.add(c)
	}
	q.passOn(c, it)
}

// passOn passes a message to the sink of a direct consumer, or wakes the reader of
// another's mailbox, which has the message already.
func (q *Queue) passOn(c *Consumer, it *message.Item) {
	switch {
	case c.pool != nil:
		c.pool.deliver(it)
	case c.direct:
		q.wakeLater(c.sink.Deliver(*it))
	case c.box.IsAwaited():
		q.wakeLater(c.box)
	}
}

// next returns the consumer whose turn it is, or nil if none has room.
func (q *Queue) next() *Consumer {
	if !q.single {
		return q.turns.next()
	}
	if a := q.rare.active; a != nil && a.listed {
		return a
	}
	return nil
}

// anyRoom reports whether a consumer could get a message now.
func (q *Queue) anyRoom() bool {
	if q.single {
		c := q.next()
		return c != nil && c.hasRoom()
	}
	for _, r := range q.turns.busy() {
		for c := r.first; c != nil; c = c.after {
			if c.hasRoom() {
				return true
			}
		}
	}
	return false
}

// list notes that c has room: it gets a turn behind the others of its priority.
func (q *Queue) list(c *Consumer) {
	if c.listed || c.gone || !c.added || q.single && c != q.rare.active {
		return
	}
	c.listed = true
	if !q.single {
		q.turns.add(c)
	}
}

// unlist notes that c has no room.
func (q *Queue) unlist(c *Consumer) {
	if !c.listed {
		return
	}
	c.listed = false
	if !q.single {
		q.turns.remove(c)
	}
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
	if !q.single || q.rare.active != nil {
		return
	}
	c := q.turns.next()
	if c == nil {
		return
	}
	q.turns.remove(c)
	q.rare.active = c
	if c.out < c.limit {
		q.list(c)
	}
}
