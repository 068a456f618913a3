package queue

import "math"

// SetPrefetch sets how many messages the consumer may have out at a time, from now
// on. See ConsumerOptions.Prefetch. A consumer without ack has no such limit, and
// the reader of a stream keeps the one that it has instead of none.
func (c *Consumer) SetPrefetch(n int) {
	q := c.queue
	q.mu.Lock()
	defer q.unlock()
	if c.NoAck || c.gone || c.reader != nil && n <= 0 {
		return
	}
	c.limitTo(n)
	c.out = c.unsettled
	if c.untilRead {
		c.out = c.box.Len()
	}
	if c.out >= c.limit {
		q.unlist(c)
		return
	}
	q.credit(c, 0)
}

// limitTo sets the consumer's limit. Without a prefetch, its mailbox bounds what is
// unread, or its sink if messages go there.
func (c *Consumer) limitTo(prefetch int) {
	c.limit, c.untilRead = prefetch, c.NoAck || prefetch <= 0
	switch {
	case c.untilRead && c.direct:
		c.limit = math.MaxInt
	case c.untilRead:
		c.limit = c.mailbox
	}
}
