package warren

import "github.com/warrenmq/warren/internal/queue"

// countGot counts a message that Get has taken.
func (ch *Channel) countGot(d *queue.Delivered, noAck bool) {
	if !ch.vhost.broker.watchers.any() {
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

// findPassed returns where a message that the channel publishes to the exchange is
// counted, and keeps it for the next one.
func (ch *Channel) findPassed(x *declaredExchange) *passed {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	c := ch.exchanges[x]
	if c == nil && len(ch.exchanges) >= maxPassed {
		ch.mu.Unlock()
		ch.movePassed()
		ch.mu.Lock()
		c = ch.exchanges[x]
	}
	if c == nil {
		if ch.exchanges == nil {
			ch.exchanges = make(map[*declaredExchange]*passed)
		}
		c = &passed{exchange: x.counting(), gone: &x.Gone}
		c.in.Open()
		ch.exchanges[x] = c
	}
	ch.passed.Store(c)
	return c
}
