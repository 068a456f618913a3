package remote

import (
	"context"
	"errors"

	"github.com/warrenmq/warren"
)

// Close ends the connection at once: calls fail with [warren.ErrClosed], the contexts of
// running handlers end, and the requests that they had come again to other handlers. It
// waits for the handlers and every other goroutine, as [warren.Broker.Close] does.
func (b *Broker) Close() error {
	b.letGo()
	b.cancel()
	err := b.local.Close()
	b.gone.Wait()
	b.mu.Lock()
	last := b.state.Kind != Closed
	s := State{Kind: Closed}
	if last {
		b.setState(&s)
	}
	b.mu.Unlock()
	if last {
		b.logState(&s)
	}
	return err
}

// letGo makes that nothing is sent any more: what becomes of requests from now on, nobody
// elsewhere is to take for served.
func (b *Broker) letGo() {
	b.mu.Lock()
	br := b.bridge
	b.closed = true
	b.mu.Unlock()
	if br != nil {
		br.hush()
		br.end(warren.ErrClosed)
	}
}

// Shutdown ends the Broker gracefully, as [warren.Broker.Shutdown] does. Handlers get no
// new requests: those that wait in queues elsewhere stay there for other handlers, as
// long as the queues do. The requests that handlers have are served, answered and
// acknowledged; then the connection is closed. If ctx ends first, the error is ctx's, and
// the requests that are not served come again to other handlers.
func (b *Broker) Shutdown(ctx context.Context) error {
	b.drain()
	err := b.awaitHandlers(ctx, func(h *handler) <-chan struct{} { return h.quiet })
	if err == nil {
		err = b.shutdownLocal(ctx)
	}
	if err == nil {
		err = b.awaitHandlers(ctx, func(h *handler) <-chan struct{} { return h.settled })
	}
	return errors.Join(err, b.Close())
}

// awaitHandlers waits for all handlers.
func (b *Broker) awaitHandlers(ctx context.Context, done func(*handler) <-chan struct{}) error {
	b.mu.Lock()
	var list []<-chan struct{}
	for h := range b.handlers {
		list = append(list, done(h))
	}
	b.mu.Unlock()
	for _, c := range list {
		select {
		case <-c:
		case <-ctx.Done():
			return ctx.Err()
		case <-b.ctx.Done():
			return warren.ErrClosed
		}
	}
	return nil
}

// shutdownLocal lets the handlers finish.
func (b *Broker) shutdownLocal(ctx context.Context) error {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		b.letGo() // before the handlers are told to stop
		cancel()
	})
	err := b.local.Shutdown(inner)
	if !stop() {
		return ctx.Err()
	}
	if _, ok := errors.AsType[*warren.DroppedError](err); ok {
		return nil // nothing is dropped: the broker elsewhere has it all
	}
	return err
}
