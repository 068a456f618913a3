package warren

import (
	"sync/atomic"

	"github.com/warrenmq/warren/internal/message"
)

// passed counts messages that were published to an exchange, while somebody watches.
//
// A channel has one for each exchange that it publishes to, so that a publish adds to
// one number that only this channel writes. Exchanges and channels are shown with sums.
type passed struct {
	exchange   *passed      // the exchange's own; nil: this is it
	gone       *atomic.Bool // the exchange is deleted
	in         message.Tally
	more       atomic.Uint64 // copies that were taken, beyond one of each message; may wrap around
	unroutable atomic.Uint64
	returned   atomic.Uint64
}

// count counts a message with a body of so many bytes, that so many queues and
// requesters have taken.
func (c *passed) count(size, taken int) {
	c.in.Add(size)
	if taken != 1 {
		c.more.Add(uint64(taken) - 1)
	}
}

// counting returns what counts the messages that were published to the exchange. It is
// made when somebody watches for the first time.
func (x *declaredExchange) counting() *passed {
	if c := x.passed.Load(); c != nil {
		return c
	}
	x.passed.CompareAndSwap(nil, &passed{})
	return x.passed.Load()
}

// counts returns what an exchange shows. A nil one has counted nothing.
func (c *passed) counts() ExchangeCounts {
	if c == nil {
		return ExchangeCounts{}
	}
	sum := c.in.Sum()
	in := sum.Len()
	return ExchangeCounts{In: in, Out: in + c.more.Load()}
}

// move adds what c has counted to the counts of its exchange and of its channel, and
// sets it to zero. deleted gets it in place of an exchange that is no more.
func (c *passed) move(ch *ChannelCounts, deleted *message.Tally) {
	x := c.exchange
	in := &x.in
	if c.gone.Load() {
		in = deleted
	}
	moved, more, unroutable, returned := c.in.End(), c.more.Swap(0), c.unroutable.Swap(0), c.returned.Swap(0)
	in.Put(&moved)
	x.more.Add(more)
	x.unroutable.Add(unroutable)
	x.returned.Add(returned)
	ch.Published += moved.Len()
	ch.Unroutable += unroutable
	ch.Returned += returned
}
