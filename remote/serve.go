package remote

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/wire"
)

// handler is a queue elsewhere that is served here.
type handler struct {
	*warren.Handler
	queue       string
	durable     bool
	concurrency int
	quiet       chan struct{} // closed when it gets nothing new any more
	calm        func()        // closes quiet
	settled     chan struct{} // closed when all that it has got is settled, too
}

// Handle is [warren.Broker.Handle] of a queue elsewhere.
func (b *Broker) Handle(queue string, f warren.HandlerFunc, opts ...warren.HandleOptions) (*warren.Handler, error) {
	queue = named(queue)
	return b.handle(opts, func() (*warren.Handler, error) { return b.handled.Handle(queue, f, fleeting(opts)...) })
}

// HandleStream is [warren.Broker.HandleStream] of a queue elsewhere.
func (b *Broker) HandleStream(queue string, f warren.StreamFunc, opts ...warren.HandleOptions) (*warren.Handler, error) {
	queue = named(queue)
	return b.handle(opts, func() (*warren.Handler, error) { return b.handled.HandleStream(queue, f, fleeting(opts)...) })
}

// fleeting are the options for the local queue, which ends with the handler in any case.
func fleeting(opts []warren.HandleOptions) []warren.HandleOptions {
	opts = slices.Clone(opts)
	for i := range opts {
		opts[i].Durable = false
	}
	return opts
}

// named returns the name of a queue, a new one for the empty name. The broker's own names
// could not be declared again after the connection was lost.
func named(queue string) string {
	if queue == "" {
		return names.New("warren.gen-")
	}
	return queue
}

func (b *Broker) handle(opts []warren.HandleOptions, begin func() (*warren.Handler, error)) (*warren.Handler, error) {
	local, err := begin()
	if err != nil {
		return nil, err
	}
	h := &handler{
		Handler: local, queue: local.Queue(), concurrency: 256,
		quiet: make(chan struct{}), settled: make(chan struct{}),
	}
	h.calm = sync.OnceFunc(func() { close(h.quiet) })
	for _, o := range opts {
		h.durable = h.durable || o.Durable
		if o.Concurrency > 0 {
			h.concurrency = o.Concurrency
		}
	}
	first := make(chan error, 1)
	begun := func(err error) {
		select {
		case first <- err:
		default:
		}
	}
	if !b.start(func() { b.serve(h, begun) }) {
		begun(warren.ErrClosed)
	}
	if err := <-first; err != nil {
		local.Close()
		if e := refused(wire.BasicConsumeID, err); e != nil {
			return nil, e
		}
		return nil, err
	}
	return local, nil
}

// serve consumes for a handler until it ends, from one connection after the other. begun
// is told when it serves for the first time, or why it never will.
func (b *Broker) serve(h *handler, begun func(error)) {
	b.mu.Lock()
	b.handlers[h] = struct{}{}
	b.mu.Unlock()
	ctx, cancel := context.WithCancel(b.ctx)
	var watching sync.WaitGroup
	watching.Go(func() { // so that one context has all that ends it
		select {
		case <-h.Done():
		case <-b.draining:
		case <-ctx.Done():
		}
		cancel()
	})
	defer func() {
		cancel()
		watching.Wait()
		h.calm()
		close(h.settled)
		b.mu.Lock()
		delete(b.handlers, h)
		b.mu.Unlock()
		begun(warren.ErrClosed)
	}()
	serves, since := false, time.Now()
	for delay := b.options.Delay; ; delay = min(2*delay, b.options.MaxDelay) {
		err := b.serveOnce(ctx, h, func() {
			serves, delay = true, b.options.Delay
			begun(nil)
		})
		_, refused := err.(*warren.Error)
		switch {
		case ctx.Err() != nil:
			return
		case !serves && (refused || errors.Is(err, ErrConnection) || time.Since(since) > b.options.Wait):
			begun(err)
			return
		case refused:
			b.options.Logger.Warn("a handler's queue cannot be consumed from; it is tried again", "queue", h.queue, "error", err, "again_in", delay)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(delay):
		}
	}
}

// serveOnce consumes from one connection.
func (b *Broker) serveOnce(ctx context.Context, h *handler, begun func()) error {
	br, err := b.connected(ctx)
	if err != nil {
		return err
	}
	err = br.serve(ctx, h, begun)
	a, ok := err.(*amqp091.Error)
	switch {
	case err == nil:
		return nil
	case ok && a.Server && (a.Recover || a.Code == amqp091.NotAllowed || a.Code == amqp091.NotImplemented):
		return &warren.Error{Code: uint16(a.Code), Text: a.Reason}
	}
	return lostError{err}
}

// serve consumes for a handler until ctx or the connection ends. Then it waits until all
// that the handler has got is settled.
func (br *bridge) serve(ctx context.Context, h *handler, begun func()) error {
	ch, own, err := br.declareServed(h)
	if err != nil {
		return err
	}
	defer ch.Close()
	br.declareAgain(ctx, br.broker.declared.noted(h.queue))
	if err := ch.Qos(min(h.concurrency, math.MaxUint16), 0, false); err != nil {
		return err
	}
	tag := names.New("warren-")
	requests, err := ch.Consume(h.queue, tag, false, false, false, false, nil)
	if err != nil {
		return err
	}
	begun()
	var had tally
	done := had.done // once, since it is on the heap
	stopped := false
	leave := sync.OnceFunc(func() { ch.Cancel(tag, false) }) // requests ends after those on their way
	left := context.AfterFunc(ctx, leave)
	defer left()
	for d := range requests {
		had.add()
		if !br.request(h, &d, done) && !stopped {
			stopped = true // and waits for its last requests
			go leave()
		}
	}
	if ctx.Err() == nil && !stopped {
		return errEnded
	}
	h.calm()
	br.settleAll(ch, h, own, had.none())
	return nil
}

// settleAll waits until all that a handler has got is settled. Meanwhile its queue must
// not expire.
func (br *bridge) settleAll(ch *amqp091.Channel, h *handler, own bool, settled <-chan struct{}) {
	again := time.NewTicker(queueExpires / 2)
	defer again.Stop()
	for {
		select {
		case <-settled:
			// Unless somebody else serves it, or is to. What is not settled elsewhere, since
			// the bridge has ended, would go with the queue.
			if own && !br.isEnded() {
				ch.QueueDelete(h.queue, true, true, false)
			}
			return
		case <-again.C:
			if own {
				br.declareQueueOf(ch, h)
			}
		case <-br.broker.ctx.Done():
			return
		}
	}
}
