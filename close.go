package warren

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// Close ends the broker at once: waiting calls, consumers and publishers get
// [ErrClosed] and the contexts of running handlers end. Close waits for the handlers
// and for every other goroutine that the broker started. It fails if a handler,
// or a function given to ConsumeFunc, does not return within [Options].CloseTimeout.
// It always fails in this way when it is called from such a function. A second Close
// only waits.
//
// Close of a broker from [Open] then writes what is not on disk yet, which may take
// another CloseTimeout, and gives up the directory. It fails with [ErrStorage] if not
// all could be written.
func (b *Broker) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), b.options.CloseTimeout)
	defer cancel()
	return b.close(ctx)
}

func (b *Broker) close(ctx context.Context) error {
	b.mu.Lock()
	first := b.state.Swap(stateClosed) != stateClosed
	if first {
		b.closeDone = make(chan struct{})
	}
	vhosts := make([]*VirtualHost, 0, len(b.vhosts))
	for _, v := range b.vhosts {
		vhosts = append(vhosts, v)
	}
	sessions := make([]*Session, 0, len(b.sessions))
	for s := range b.sessions {
		sessions = append(sessions, s)
	}
	b.mu.Unlock()
	if first {
		b.queues.Memory.Close()
		if b.disk != nil {
			b.disk.gate.close()
		}
		for _, v := range vhosts {
			v.close(ErrClosed)
		}
		b.cancelHandlers() // all calls have failed already, so nobody gets a reply that handlers send now
		for _, s := range sessions {
			s.Close()
		}
		b.announce(change{kind: brokerClosed})
		err := b.tasks.Wait(ctx) // handlers may still settle
		if b.disk != nil {
			err = joined(err, b.closeDisk(ctx))
		}
		close(b.closeDone)
		return err
	}
	select {
	case <-b.closeDone:
		return b.tasks.Wait(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closeDisk stores what there is, closes the storage and gives up the directory. It has
// its own time for that, because ctx may have been used up by what was before. If the
// disk does not let go of what is being written, the directory stays locked as long as
// the process runs: nobody else may write to it then.
func (b *Broker) closeDisk(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.options.CloseTimeout)
	defer cancel()
	closed := make(chan error, 1)
	go func() { // beside the messages, which may use up the time
		if b.topology == nil {
			closed <- nil
			return
		}
		closed <- b.topology.close(ctx)
	}()
	if b.disk != nil {
		err = b.disk.Close(ctx)
	}
	err = joined(err, <-closed)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
	if b.lock != nil {
		return b.lock.Close()
	}
	return nil
}

// joined is errors.Join that leaves one error as it is.
func joined(a, b error) error {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return errors.Join(a, b)
}
