package warren

import (
	"cmp"
	"maps"
	"slices"

	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/wire"
)

// checkTag fails if the tag is in use or the channel has its maximum of consumers.
func (ch *Channel) checkTag(tag string) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if err := ch.checkOpen(); err != nil {
		return err
	}
	if _, used := ch.consumers[tag]; used {
		return failure(wire.BasicConsumeID, wire.CodeNotAllowed, "attempt to reuse consumer tag '%s'", tag)
	}
	count := len(ch.consumers)
	if ch.reply.Load() != nil {
		count-- // the reply consumer does not count
	}
	if limit := ch.vhost.broker.options.MaxConsumers; limit > 0 && count >= limit {
		return failure(wire.BasicConsumeID, wire.CodeNotAllowed, "reached maximum (%d) of consumers per channel", limit)
	}
	return nil
}

// checkReplyTag is checkTag for a reply consumer. As in RabbitMQ, the tag of another
// reply consumer is not in use: there cannot be a second one anyway.
func (ch *Channel) checkReplyTag(tag string) error {
	if r := ch.reply.Load(); r != nil && r.tag == tag {
		return nil
	}
	return ch.checkTag(tag)
}

// addTag adds c to the channel's consumers under tag, or under a new one if tag is
// empty. ch.mu is held.
func (ch *Channel) addTag(c *Consumer, tag string) error {
	if err := ch.checkOpen(); err != nil {
		return err
	}
	if tag == "" {
		tag = names.New("amq.ctag-")
	}
	if _, used := ch.consumers[tag]; used {
		return failure(wire.BasicConsumeID, wire.CodeNotAllowed, "attempt to reuse consumer tag '%s'", tag)
	}
	if ch.consumers == nil {
		ch.consumers = make(map[string]*Consumer)
	}
	ch.started++
	c.tag, c.number = tag, ch.started
	ch.consumers[tag] = c
	return nil
}

// removeTag removes c from the channel's consumers, if it is still there.
func (ch *Channel) removeTag(c *Consumer) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.consumers[c.tag] == c {
		delete(ch.consumers, c.tag)
	}
}

// removeCounted is removeTag of a queue's consumer that has counted so much. It reports
// whether it is the first one for the consumer.
func (ch *Channel) removeCounted(c *Consumer, counts queue.ConsumerCounts) (first bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.consumers[c.tag] == c {
		delete(ch.consumers, c.tag)
	}
	if c.counted {
		return false
	}
	c.counted = true
	ch.past.addConsumer(counts, c.inner.NoAck)
	return true
}

// countAfter adds what a consumer has counted since removeCounted. When it ends, what
// nobody has read does not count as delivered.
func (ch *Channel) countAfter(c *Consumer, before queue.ConsumerCounts) {
	after := c.inner.Counts()
	after.Sub(before)
	ch.mu.Lock()
	ch.past.addConsumer(after, c.inner.NoAck)
	ch.mu.Unlock()
}

// sortedConsumers returns the consumers, oldest first: the oldest is served first.
// ch.mu is held.
func (ch *Channel) sortedConsumers() []*Consumer {
	return slices.SortedFunc(maps.Values(ch.consumers), func(a, b *Consumer) int { return cmp.Compare(a.number, b.number) })
}

// queueConsumers returns the channel's consumers, oldest first, without the reply
// consumer.
func (ch *Channel) queueConsumers() []*queue.Consumer {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	list := make([]*queue.Consumer, 0, len(ch.consumers))
	for _, c := range ch.sortedConsumers() {
		if c.reply == nil {
			list = append(list, c.inner)
		}
	}
	return list
}
