package warren

import "context"

// isWorking reports whether somebody works on deliveries of the channel: a loop or
// function runs, or a delivery is not settled. mu is held.
func (ch *Channel) isWorking() bool {
	return !ch.closed.Load() && (ch.loops > 0 || ch.unacked.Len() > 0 || len(ch.tx.settled) > 0)
}

// waitIdle waits until nobody works on deliveries of the channel. It fails with
// ctx's error.
func (ch *Channel) waitIdle(ctx context.Context) error {
	ch.mu.Lock()
	if !ch.isWorking() {
		ch.mu.Unlock()
		return nil
	}
	if ch.idle == nil {
		ch.idle = make(chan struct{})
	}
	idle := ch.idle
	ch.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tellIdle ends waitIdle if nobody works any more. mu is held.
func (ch *Channel) tellIdle() {
	if ch.idle != nil && !ch.isWorking() {
		close(ch.idle)
		ch.idle = nil
	}
}

// tellSettled is tellIdle after deliveries have been settled. Nobody waits before
// the broker drains.
func (ch *Channel) tellSettled() {
	if ch.vhost.broker.state.Load() == stateOpen {
		return
	}
	ch.mu.Lock()
	ch.tellIdle()
	ch.mu.Unlock()
}

func (ch *Channel) beginLoop() {
	ch.mu.Lock()
	ch.loops++
	ch.mu.Unlock()
}

func (ch *Channel) endLoop() {
	ch.mu.Lock()
	ch.loops--
	ch.tellIdle()
	ch.mu.Unlock()
}

// mayPublish reports whether the channel may publish while the broker drains: for
// those in this process who work on its deliveries.
func (ch *Channel) mayPublish() bool {
	if ch.session.isRemote() {
		return false
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.isWorking()
}

// drain makes the channel's loops and functions take no more deliveries.
func (ch *Channel) drain() {
	ch.mu.Lock()
	consumers := ch.sortedConsumers()
	ch.mu.Unlock()
	for _, c := range consumers {
		if c.sink == nil && c.reply == nil {
			c.drain()
		}
	}
}

// context returns the context of the channel's functions, which ends with the
// channel.
func (ch *Channel) context() context.Context {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.ctx == nil {
		ch.ctx, ch.cancel = context.WithCancel(context.WithValue(ch.vhost.broker.handlersCtx, handlerKey{}, ch))
		if ch.closed.Load() {
			ch.cancel()
		}
	}
	return ch.ctx
}
