package warren

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/message"
)

// StreamFunc answers one request with any number of items. It returns them as a sequence,
// which is run in the same goroutine; nil has none. An error in the sequence ends it: the
// caller gets it as [*RemoteError] after the items before it. A panic is such an error.
//
// in are the items that the caller sends beside the request. It has none if the caller
// sends none. It must be read in the same goroutine, by this function or by its sequence,
// and may be left and read on. If the caller's items end with an error, or ctx ends
// first, the last pair has an error.
//
// The sequence's yield waits while the caller does not read, and returns false when the
// caller has left its loop or gone, when ctx ends, and when the broker closes. ctx is as
// for a [HandlerFunc]; it also ends when the caller leaves its loop. A sequence that goes
// on after that panics, as one in a range loop does.
type StreamFunc func(ctx context.Context, req *Request, in iter.Seq2[Message, error]) iter.Seq2[Message, error]

// StreamResponder serves queues with streams of items. [Broker] and [VirtualHost] are
// StreamResponders.
type StreamResponder interface {
	HandleStream(queue string, f StreamFunc, opts ...HandleOptions) (*Handler, error)
}

// CodeStream is the code of a [RemoteError] for a caller that does not keep to the rules of
// streams: its request does not ask for a stream of items, at a queue whose handler answers
// with one, and nothing was done for it; or its items or credit are not as they should be.
const CodeStream = "stream"

// HandleStream serves a queue as [Broker.Handle] does, but answers each request with a
// stream of items, for callers of [Broker.CallStream] and for clients that speak the
// protocol of docs/protocol.md. A plain Call fails with a [*RemoteError] of [CodeStream]. The
// request is acknowledged when the stream has ended, until when it counts for
// [HandleOptions].Concurrency.
//
// If several handlers get a request, by [CallOptions].Exchange, the first serves it, and
// the others do nothing.
func (b *Broker) HandleStream(queue string, f StreamFunc, opts ...HandleOptions) (*Handler, error) {
	return b.root.HandleStream(queue, f, opts...)
}

// HandleStream serves a queue of this virtual host. See [Broker.HandleStream].
func (v *VirtualHost) HandleStream(queue string, f StreamFunc, opts ...HandleOptions) (*Handler, error) {
	if f == nil {
		return v.handle(queue, nil, opts)
	}
	return v.handle(queue, f.serve, opts)
}

// streamServer is the server's end of a stream.
type streamServer struct {
	streamEnd
	caller    string      // its address
	cancelled atomic.Bool // the caller wants no more
	cancelCtx context.CancelFunc
	gone      context.Context // of the function

	// Of a caller over AMQP.
	slot  *replySlot
	round uint64
}

var (
	errNotStream      = &RemoteError{Code: CodeStream, Text: "the queue is answered by a stream of items: the request has no header " + StreamHeader + " with a number of items"}
	errStreamTo       = &RemoteError{Code: CodeStream, Text: "a stream of items needs a direct reply address as reply_to"}
	errStreamAgain    = &RemoteError{Code: CodeStream, Text: "an interceptor has called the handler of a stream of items more than once for a request"}
	errOutsideHandler = errors.New("warren: the context is not a handler's")
)

// serve is the function as a handler.
func (f StreamFunc) serve(ctx context.Context, req *Request) (Message, error) {
	h, _ := ctx.Value(handlerKey{}).(*Handler)
	window, ok := count(req.Headers[StreamHeader])
	switch {
	case h == nil:
		return Message{}, errOutsideHandler
	case !ok:
		return Message{}, errNotStream
	case !isReplyAddress(req.ReplyTo):
		return Message{}, errStreamTo
	}
	s := &streamServer{caller: req.ReplyTo}
	s.init(h.vhost, defaultWindow)
	ctx, s.cancelCtx = context.WithCancel(ctx)
	defer s.cancelCtx()
	s.gone = ctx
	if l, ok := ctx.Value(liveKey{}).(*liveContext); ok && l.streamed.Swap(true) {
		return Message{}, errStreamAgain
	}
	s.out.add(window)
	wanted, _ := req.Headers[StreamInHeader].(bool)
	if !wanted {
		s.in.finish(0, nil)
	} else {
		s.in.granted = s.in.window
	}
	if err := s.meet(req); err != nil {
		return Message{}, err
	}
	defer s.end()
	defer context.AfterFunc(ctx, s.out.stop)()
	s.other().credit(s.in.granted)
	err := s.run(f(ctx, req, s.items(ctx)))
	if errors.Is(err, ErrNoReply) {
		err = errors.New("a stream of items cannot go without its end: " + err.Error())
	}
	if broken := s.in.reason(); err != nil && errors.Is(broken, ErrBrokenStream) {
		err = &RemoteError{Code: CodeStream, Text: broken.Error(), Err: broken}
	}
	return Message{Headers: Table{StreamEndHeader: int64(s.out.sent)}}, err
}

// meet finds the caller.
func (s *streamServer) meet(req *Request) error {
	r := s.vhost.replies.find(req.ReplyTo)
	if r.slot == nil { // the requester has gone
		s.vhost.replies.droppedGone.Add(1)
		return ErrNoReply
	}
	if c, ok := r.consumer.(*streamCall); ok {
		s.join(c)
		if !c.join(s) {
			return ErrNoReply // another handler was first
		}
		return nil
	}
	if r.consumer == nil { // a Call has set the header
		return errNotStream
	}
	slot, round, address, err := s.vhost.replies.takeSlot(DirectReplyTo, holder{consumer: s})
	if err != nil {
		return err
	}
	s.slot, s.round = slot, round
	s.in.budget = &s.vhost.broker.queues.Memory
	s.joinRemote(r.consumer, req.ReplyTo, address, req.CorrelationId)
	return nil
}

// run sends the items of the function.
func (s *streamServer) run(items iter.Seq2[Message, error]) error {
	if items == nil {
		return nil
	}
	for m, err := range items {
		if err != nil {
			return err
		}
		ok, err := s.send(&m)
		if err != nil {
			return err
		}
		if !ok {
			err = s.whyStopped()
			s.cancelCtx() // before yield returns false
			return err
		}
	}
	return nil
}

// whyStopped returns an error if the stream was stopped by something else than the end of
// its caller.
func (s *streamServer) whyStopped() error {
	r := s.vhost.replies.find(s.caller)
	if s.cancelled.Load() || r.slot == nil || r.caller != nil && r.caller.Err() != nil {
		return nil
	}
	return s.gone.Err()
}

// end is called when the function has returned.
func (s *streamServer) end() {
	s.out.stop()
	s.in.close()
	if s.slot != nil && s.slot.claim(s.round) {
		s.vhost.replies.freeSlot(s.slot)
	}
}

// item implements streamPeer.
func (s *streamServer) item(number uint64, e message.Entry) bool {
	taken, broken := s.in.put(number, &e)
	if broken != nil {
		s.broke(broken)
	}
	return taken
}

// broke ends the stream of a caller that has not kept to the rules.
func (s *streamServer) broke(err error) {
	s.in.finish(0, err)
	s.cancelCtx()
	s.out.stop()
}

func (s *streamServer) credit(n uint64) { s.out.add(n) }

// finish ends the caller's items. An error comes to the function as a caller's error
// comes to a caller: as RemoteError.
func (s *streamServer) finish(sent uint64, err error) {
	if err != nil {
		err = asRemoteError(err)
	}
	s.in.finish(sent, err)
}

func (s *streamServer) cancel() {
	s.cancelled.Store(true)
	s.cancelCtx() // before yield returns false
	s.out.stop()
}

// context returns a context that ends with the server.
func (s *streamServer) context() context.Context { return s.gone }

// deliver takes a message of a caller over AMQP.
func (s *streamServer) deliver(e message.Entry) bool {
	signal := readSignal(e.Content)
	s.vhost.replies.delivered.Add(1)
	if signal.broken != nil {
		s.broke(signal.broken)
		return true
	}
	if signal.credit > 0 {
		s.credit(signal.credit)
	}
	switch {
	case signal.cancel:
		s.cancel()
	case signal.isItem:
		s.item(signal.item, signal.itemOf(e))
	case signal.plain:
		s.in.finish(0, errNoSignal)
	case signal.last:
		sent, _ := count(e.Content.Header(StreamEndHeader))
		s.finish(sent, signal.err)
	}
	return true
}
