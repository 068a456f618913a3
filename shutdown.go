package warren

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/warrenmq/warren/internal/queue"
)

// Shutdown ends the broker gracefully. It accepts no new calls, channels, consumers
// and publishes. Those who work finish first:
//
//   - Handlers serve the requests in their queues.
//   - Loops of Deliveries and functions of ConsumeFunc settle what they have and get
//     nothing new: a loop then ends with [ErrClosed].
//   - What was taken by Next or Get is waited for until it is settled or its channel
//     is closed.
//
// Meanwhile they may publish and call for that: with the context of a handler or
// function, and on a channel whose deliveries they work on. Replies are still
// delivered. Clients of the listener are not waited for: its Shutdown asks them to
// go.
//
// When they have finished, or ctx ends, the broker closes as by Close; calls without
// a handler get [ErrClosed]. The error is ctx's if work was interrupted, and a
// [*DroppedError] if messages went down with the broker; it may be both. A function,
// handler or loop that calls Shutdown waits for itself until ctx ends.
//
// Of a broker from [Open] it then writes what is left, as Close does, for which it may
// take [Options].CloseTimeout longer than ctx.
func (b *Broker) Shutdown(ctx context.Context) error {
	b.mu.Lock()
	b.state.CompareAndSwap(stateOpen, stateDraining)
	vhosts := slices.Collect(maps.Values(b.vhosts))
	channels := channelsOf(b.sessionsWhere(func(s *Session) bool { return !s.isRemote() }))
	b.mu.Unlock()
	var pools []*queue.Pool
	for _, v := range vhosts {
		pools = append(pools, v.pools.list()...)
	}
	for _, ch := range channels {
		ch.drain()
	}
	err := waitIdle(ctx, channels)
	if err == nil {
		err = waitCalm(ctx, pools)
	}
	dropped := b.remaining(vhosts)
	closeErr := b.close(ctx)
	if err == nil {
		err = closeErr
	}
	if dropped == nil {
		return err
	}
	b.log.Warn("messages were dropped with the broker", "messages", dropped.Messages)
	return errors.Join(err, dropped)
}

func channelsOf(sessions []*Session) (list []*Channel) {
	for _, s := range sessions {
		s.mu.Lock()
		list = slices.AppendSeq(list, maps.Keys(s.channels))
		s.mu.Unlock()
	}
	return list
}

// waitIdle waits until nobody works on deliveries of the channels.
func waitIdle(ctx context.Context, channels []*Channel) error {
	for _, ch := range channels {
		if err := ch.waitIdle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// waitCalm waits until no handler has a request to serve. A working handler may send
// requests to one that was idle before, so it looks again until no handler has got a
// message between two looks.
func waitCalm(ctx context.Context, pools []*queue.Pool) error {
	for last, looks := uint64(0), 0; ; looks++ {
		sum := uint64(0)
		for _, p := range pools {
			had, err := p.WaitCalm(ctx)
			if err != nil {
				return err
			}
			sum += had
		}
		if looks > 0 && sum == last {
			return nil
		}
		last = sum
	}
}
