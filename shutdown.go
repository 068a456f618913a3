package warren

import (
	"context"
	"maps"
	"slices"

	"github.com/warrenmq/warren/internal/queue"
)

// Shutdown ends the broker gently: it takes no new calls, channels and
// publishes, but serves the requests that handlers have or will get from
// their queues, lets those handlers call and publish, and lets replies out.
// When the handlers are done, or ctx ends, it closes as Close does; calls that
// nobody serves get [ErrClosed]. It returns ctx's error if handlers had to be
// cut short.
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

// waitCalm waits until all handlers have nothing to serve at the same time: one
// that works may still give work to another. They had, if none has got a message
// from one look at all of them to the next.
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
