package warren

import (
	"maps"

	"github.com/warrenmq/warren/internal/queue"
)

// movePassed adds what the channel has counted for exchanges to their own counts. No lock
// is held. A publish that is under way may still count where nobody looks.
func (ch *Channel) movePassed() {
	ch.mu.Lock()
	list := ch.exchanges
	ch.exchanges = nil
	ch.passed.Store(nil)
	ch.mu.Unlock()
	var sum ChannelCounts
	for _, c := range list {
		c.move(&sum, &ch.vhost.received)
	}
	ch.mu.Lock()
	ch.past.add(&sum)
	ch.mu.Unlock()
}

// passedList returns what the channel counts for exchanges, which is read with no lock
// held.
func (ch *Channel) passedList() map[*declaredExchange]*passed {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return maps.Clone(ch.exchanges)
}

// takeCounts returns what the channel has counted when it ends.
func (ch *Channel) takeCounts() ChannelCounts {
	ch.movePassed()
	ch.vhost.confirmed.Add(ch.confirmed())
	ch.vhost.toConfirm.Add(ch.published.Load())
	return ch.counts()
}

// confirmed returns how many publishes were confirmed. No lock is held.
func (ch *Channel) confirmed() uint64 {
	ch.mu.Lock()
	line := ch.line
	ch.mu.Unlock()
	n := ch.published.Load()
	if line == nil {
		return n
	}
	return n - min(n, uint64(line.Len()))
}

// counts returns what the channel has counted. No lock is held.
func (ch *Channel) counts() ChannelCounts {
	list := ch.passedList()
	ch.mu.Lock()
	sum := ch.past
	consumers := make([]*queue.Consumer, 0, len(ch.consumers))
	for _, c := range ch.consumers {
		if c.reply == nil && !c.counted {
			consumers = append(consumers, c.inner)
		}
	}
	ch.mu.Unlock()
	for _, c := range list {
		sum.Published += c.counts().In
		sum.Unroutable += c.unroutable.Load()
		sum.Returned += c.returned.Load()
	}
	for _, c := range consumers {
		sum.addConsumer(c.Counts(), c.NoAck)
	}
	sum.Got += ch.got.all.Load()
	sum.GotNoAck += ch.got.noAck.Load()
	sum.Redelivered += ch.got.redelivered.Load()
	sum.Acked += ch.got.acked.Load()
	return sum
}
