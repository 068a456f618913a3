package remote

import (
	"context"
	"errors"
	"iter"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
)

// forwarder serves a queue on one side of a link by calling the handler on the other side.
type forwarder struct {
	*linkWorker
	far  *Broker
	from warren.StreamResponder
	to   interface {
		warren.Caller
		warren.StreamCaller
	}
}

// work serves until the handler ends.
func (f *forwarder) work() error {
	h, err := f.from.HandleStream(f.queue, f.stream, warren.HandleOptions{
		Requeue:   func(err error) bool { _, ok := errors.AsType[*undecided](err); return ok },
		Intercept: []func(warren.HandlerFunc) warren.HandlerFunc{f.plain},
	})
	if errors.Is(err, warren.ErrClosed) && f.kind == LinkImport {
		return errLocalClosed
	}
	if err != nil {
		return err
	}
	f.works()
	select {
	case <-h.Done():
	case <-f.link.reading.Done():
		h.Stop()
		<-h.Done()
	}
	if errors.Is(h.Err(), warren.ErrClosed) {
		return errLocalClosed
	}
	return h.Err()
}

// plain serves requests that ask for no stream, and leaves others to next.
func (f *forwarder) plain(next warren.HandlerFunc) warren.HandlerFunc {
	return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		if _, ok := req.Headers[warren.StreamHeader]; ok {
			return next(ctx, req)
		}
		ctx, cancel := untilExpired(ctx, req)
		defer cancel()
		msg, err := f.request(ctx, req)
		if err != nil {
			return warren.Message{}, err
		}
		durable, _ := req.Headers[warren.DurableHeader].(bool)
		reply, err := f.to.Call(ctx, f.queue, msg, warren.CallOptions{Durable: durable})
		if err != nil {
			return warren.Message{}, f.failed(ctx, req, err)
		}
		return reply, nil
	}
}

// untilExpired takes the time to live of a request for its deadline, as a caller in
// another process sends it.
func untilExpired(ctx context.Context, req *warren.Request) (context.Context, context.CancelFunc) {
	ms, err := strconv.ParseInt(req.Expiration, 10, 64)
	if _, ok := ctx.Deadline(); ok || err != nil || req.ReplyTo == "" || ms > int64(maxDeadline/time.Millisecond) {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
}

// maxDeadline is longer than any time to live that means something.
const maxDeadline = 100 * 365 * 24 * time.Hour

// stream serves a request that asks for a stream.
func (f *forwarder) stream(ctx context.Context, req *warren.Request, in iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
	return func(yield func(warren.Message, error) bool) {
		msg, err := f.request(ctx, req)
		if err != nil {
			yield(warren.Message{}, err)
			return
		}
		var items iter.Seq2[warren.Message, error]
		if has, _ := req.Headers[warren.StreamInHeader].(bool); has {
			end, _ := ctx.Value(link.CancelKey{}).(context.CancelFunc)
			passed := &passedItems{in: in, done: make(chan struct{})}
			defer passed.end(end)
			items = passed.all
		}
		for m, err := range f.to.CallStream(ctx, f.queue, msg, items) {
			if err != nil {
				err = f.failed(ctx, req, err)
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// passedItems are the items of a caller, which another goroutine reads. Their server may
// not return before that has stopped.
type passedItems struct {
	in   iter.Seq2[warren.Message, error]
	done chan struct{} // closed when nobody reads any more

	mu sync.Mutex
	// Guarded by mu.
	reading, over bool
}

func (p *passedItems) all(yield func(warren.Message, error) bool) {
	p.mu.Lock()
	first := !p.over && !p.reading
	p.reading = p.reading || first
	p.mu.Unlock()
	if !first {
		return
	}
	defer close(p.done)
	p.in(yield)
}

// end ends the reader. It cancels the context of the handler for that.
func (p *passedItems) end(cancel context.CancelFunc) {
	p.mu.Lock()
	p.over = true
	reading := p.reading
	p.mu.Unlock()
	if reading {
		cancel()
		<-p.done
	}
}

// request returns a request as it goes to the other side.
func (f *forwarder) request(ctx context.Context, req *warren.Request) (warren.Message, error) {
	from, to, err := f.names(ctx)
	if err != nil {
		return warren.Message{}, f.failed(ctx, req, err)
	}
	headers, ok := pass(req.Headers, from, to)
	if !ok {
		f.looped.Add(1)
		return warren.Message{}, &warren.RemoteError{Code: CodeLoop, Text: "the request has gone round in a loop of links: no broker has a handler"}
	}
	maps.DeleteFunc(headers, func(name string, _ any) bool { return name == warren.StreamHeader || name == warren.StreamInHeader })
	if d, ok := ctx.Deadline(); ok && headers[warren.DeadlineHeader] == nil {
		headers[warren.DeadlineHeader] = d.Add(time.Millisecond - 1).UnixMilli() // not before the caller's
	}
	f.passed.Add(1)
	if req.Redelivered {
		f.redelivered.Add(1)
	}
	msg := req.Message
	msg.Headers, msg.ReplyTo = headers, ""
	if f.kind == LinkImport {
		msg.UserId = "" // a broker takes it from nobody but that user
	}
	return msg, nil
}

// names returns the names of the two brokers. It waits for a connection until ctx ends.
func (f *forwarder) names(ctx context.Context) (from, to string, err error) {
	br, err := f.far.connected(ctx)
	if err != nil {
		return "", "", err
	}
	there := f.link.elsewhere(br.conn)
	if f.kind == LinkImport {
		return f.link.here, there, nil
	}
	return there, f.link.here, nil
}

// failed returns the error of the handler here. An error of the handler there is passed
// on. If that has not begun, this one has not, either.
func (f *forwarder) failed(ctx context.Context, req *warren.Request, err error) error {
	if f.kind == LinkExport && errors.Is(err, warren.ErrClosed) {
		warren.HandlerFrom(ctx).Stop() // the broker here is closed
	}
	r, ok := errors.AsType[*warren.RemoteError](err)
	switch {
	case ok && r.Code != warren.CodeBusy:
		return err
	case ok:
		return &warren.RemoteError{Code: r.Code, Text: r.Text, Err: err}
	case warren.Repeatable(err):
		err = &warren.RemoteError{Code: warren.CodeBusy, Text: err.Error(), Err: err}
	}
	durable, _ := req.Headers[warren.DurableHeader].(bool)
	if ctx.Err() != nil && req.ReplyTo != "" && !durable {
		return err // who waited for it has gone
	}
	if req.ReplyTo == "" { // it comes again at once
		select {
		case <-time.After(f.link.options.Delay):
		case <-ctx.Done():
		}
	}
	return &undecided{err}
}

// undecided is an error that says nothing about the request: a message that nobody waits
// for is to come again.
type undecided struct{ error }

func (e *undecided) Unwrap() error { return e.error }
