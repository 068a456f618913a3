package warren

import (
	"sync/atomic"

	"github.com/warrenmq/warren/internal/queue"
)

// ChannelCounts count messages. Publishes and Gets are counted while somebody watches,
// see [Broker.Watch], what goes to consumers always.
type ChannelCounts struct {
	Published  uint64
	Unroutable uint64 // of Published, those that no queue took and that were dropped
	Returned   uint64 // of Published, those that were returned

	Delivered      uint64 // to consumers, including redeliveries
	DeliveredNoAck uint64 // of Delivered, those that need no ack
	Redelivered    uint64 // of Delivered and Got
	Got            uint64 // by Get
	GotNoAck       uint64 // of Got, those that need no ack
	Acked          uint64 // by an ack
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

// gets count what Get has taken while somebody watched.
type gets struct {
	all, noAck, redelivered, acked atomic.Uint64
}

// ExchangeCounts count messages while somebody watches: see [Broker.Watch].
type ExchangeCounts struct {
	In  uint64 // messages published to the exchange, by clients, calls and handlers
	Out uint64 // copies that queues and requesters took of them, also by way of other exchanges
}

func (c *ExchangeCounts) add(o ExchangeCounts) {
	c.In += o.In
	c.Out += o.Out
}
