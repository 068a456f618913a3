package warren

import "github.com/warrenmq/warren/internal/queue"

// movePassed adds what the channel has counted for exchanges to their own counts. mu is
// held. A publish that is under way may still count where nobody looks.
func (ch *Channel) movePassed() {
	for _, c := range ch.exchanges {
		c.move(&ch.past, &ch.vhost.received)
	}
	ch.exchanges = nil
	ch.passed.Store(nil)
}

// takeCounts returns what the channel has counted when it ends.
func (ch *Channel) takeCounts() ChannelCounts {
	ch.mu.Lock()
	ch.movePassed()
	ch.mu.Unlock()
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
	ch.mu.Lock()
	sum := ch.past
	for _, c := range ch.exchanges {
		sum.Published += c.in.total()
		sum.Unroutable += c.unroutable.Load()
		sum.Returned += c.returned.Load()
	}
	consumers := make([]*queue.Consumer, 0, len(ch.consumers))
	for _, c := range ch.consumers {
		if c.reply == nil && !c.counted {
			consumers = append(consumers, c.inner)
		}
	}
	ch.mu.Unlock()
	for _, c := range consumers {
		sum.addConsumer(c.Counts(), c.NoAck)
	}
	sum.Got += ch.got.all.Load()
	sum.GotNoAck += ch.got.noAck.Load()
	sum.Redelivered += ch.got.redelivered.Load()
	sum.Acked += ch.got.acked.Load()
	return sum
}
