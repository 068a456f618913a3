package warren

import (
	"sync/atomic"

	"github.com/warrenmq/warren/internal/queue"
)

// gets count what Get has taken while somebody watched.
type gets struct {
	all, noAck, redelivered, acked atomic.Uint64
}

// countGot counts a message that Get has taken.
func (ch *Channel) countGot(d *queue.Delivered, noAck bool) {
	if !ch.vhost.broker.watched() {
		return
	}
	ch.got.all.Add(1)
	if noAck {
		ch.got.noAck.Add(1)
	}
	if d.Redelivered {
		ch.got.redelivered.Add(1)
	}
}

// maxPassed is how many exchanges a channel counts for apart. When there are more, it
// begins again, and the exchanges keep what was counted.
const maxPassed = 64

// passedBy returns where a message that ch publishes to the exchange is counted. A nil
// ch is the broker itself.
func (x *declaredExchange) passedBy(ch *Channel) *passed {
	if ch == nil {
		return &x.passed
	}
	if c := ch.passed.Load(); c != nil && c.exchange == x {
		return c
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	c := ch.exchanges[x]
	if c == nil {
		if len(ch.exchanges) >= maxPassed || ch.exchanges == nil {
			ch.movePassed()
			ch.exchanges = make(map[*declaredExchange]*passed)
		}
		c = &passed{exchange: x}
		ch.exchanges[x] = c
	}
	ch.passed.Store(c)
	return c
}

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

// addPublished adds what publishers of the virtual host have published.
func (v *VirtualHost) addPublished(s *Stats) {
	v.received.addTo(&s.Sizes)
	s.Confirmed += v.confirmed.Load()
	s.ReceivedConfirm += v.toConfirm.Load()
	for _, session := range v.broker.sessionList(func(s *Session) bool { return s.vhost == v }) {
		for _, ch := range session.channelList() {
			s.Confirmed += ch.confirmed()
			s.ReceivedConfirm += ch.published.Load()
			ch.mu.Lock()
			for _, c := range ch.exchanges {
				c.in.addTo(&s.Sizes)
			}
			ch.mu.Unlock()
		}
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, x := range v.exchanges {
		x.passed.in.addTo(&s.Sizes)
	}
	s.Received = s.Sizes.total()
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

// passedExchanges returns what the channels of the virtual host have counted for its
// exchanges.
func (v *VirtualHost) passedExchanges() map[*declaredExchange]ExchangeCounts {
	sum := make(map[*declaredExchange]ExchangeCounts)
	for _, s := range v.broker.sessionList(func(s *Session) bool { return s.vhost == v }) {
		for _, ch := range s.channelList() {
			ch.mu.Lock()
			for x, c := range ch.exchanges {
				counts := sum[x]
				counts.add(c.counts())
				sum[x] = counts
			}
			ch.mu.Unlock()
		}
	}
	return sum
}

func (c *ChannelCounts) addConsumer(o queue.ConsumerCounts, noAck bool) {
	c.Delivered += o.Delivered
	c.Redelivered += o.Redelivered
	if noAck {
		c.DeliveredNoAck += o.Delivered
	} else {
		c.Acked += o.Acked
	}
}

func (c *ChannelCounts) add(o *ChannelCounts) {
	c.Published += o.Published
	c.Unroutable += o.Unroutable
	c.Returned += o.Returned
	c.Delivered += o.Delivered
	c.DeliveredNoAck += o.DeliveredNoAck
	c.Redelivered += o.Redelivered
	c.Got += o.Got
	c.GotNoAck += o.GotNoAck
	c.Acked += o.Acked
}
