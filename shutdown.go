package warren

import (
	"context"
	"maps"
	"slices"

	"github.com/warrenmq/warren/internal/queue"
)

// Shutdown ends the broker gracefully. It accepts no new calls, channels and
// publishes. Handlers still serve the requests in their queues, and may call and
// publish for that. Replies are still delivered. When the handlers have finished, or
// ctx ends, the broker closes as by Close; calls without a handler get [ErrClosed].
// It returns ctx's error if handlers were interrupted.
func (b *Broker) Shutdown(ctx context.Context) error {
	b.mu.Lock()
	b.state.CompareAndSwap(stateOpen, stateDraining)
	vhosts := slices.Collect(maps.Values(b.vhosts))
	b.mu.Unlock()
	var pools []*queue.Pool
	for _, v := range vhosts {
		pools = append(pools, v.pools.list()...)
	}
	err := waitCalm(ctx, pools)
	closeErr := b.close(ctx)
	if err == nil {
		err = closeErr
	}
	return err
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
