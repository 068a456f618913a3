package warren

import "github.com/warrenmq/warren/internal/wire"

// QosOptions say what the count of Qos applies to.
type QosOptions struct {
	// Global makes all consumers of the channel share the limit. Otherwise each
	// consumer has the limit for itself: those that run, as in LavinMQ, and those that
	// start later. With [LikeRabbitMQ] it is those that start later alone. A consumer
	// whose options name a Prefetch keeps that.
	Global bool
}

// Qos limits how many deliveries may be unsettled (basic.qos): from 0, which means
// no limit, to 65535. Consumers with NoAck and Get are not limited.
func (ch *Channel) Qos(prefetchCount int, o QosOptions) error {
	if prefetchCount < 0 || prefetchCount > 65535 {
		return failure(wire.BasicQosID, wire.CodeSyntaxError, "prefetch_count %d is not between 0 and 65535", prefetchCount)
	}
	ch.mu.Lock()
	if err := ch.checkOpen(); err != nil {
		ch.mu.Unlock()
		return err
	}
	if !o.Global {
		ch.prefetch = prefetchCount
		ch.mu.Unlock()
		ch.limitRunning()
		return nil
	}
	first := ch.flow.SetLimit(prefetchCount)
	ch.mu.Unlock()
	if first { // later consumers share the limit from the beginning
		for _, c := range ch.queueConsumers() {
			c.Share()
		}
	}
	ch.flow.Serve()
	return nil
}

// limitRunning gives the channel's limit to the consumers that run. It does so again
// if the limit has changed meanwhile, so that the last one counts.
func (ch *Channel) limitRunning() {
	if ch.vhost.broker.like.PrefetchForLater {
		return
	}
	for done := -1; ; {
		ch.mu.Lock()
		n, list := ch.prefetch, ch.sortedConsumers()
		ch.mu.Unlock()
		if n == done {
			return
		}
		for _, c := range list {
			if c.reply == nil && !c.ownPrefetch {
				c.inner.SetPrefetch(n)
			}
		}
		done = n
	}
}

// Flow stops (false) or restarts (true) deliveries to the channel's consumers
// (channel.flow). Replies by direct reply-to are not stopped. With [LikeRabbitMQ],
// stopping fails with 540.
func (ch *Channel) Flow(active bool) error {
	if err := ch.checkOpen(); err != nil {
		return err
	}
	if !active && ch.vhost.broker.like.NoFlowOff {
		return errNotLike(wire.ChannelFlowID, "active=false")
	}
	ch.setPaused(!active)
	return nil
}
