package warren

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/message"
)

// errServerLostRequest: a server over AMQP was lost, and so was the request.
var errServerLostRequest = fmt.Errorf("%w: %w", ErrServerLost, ErrRequestDropped)

// streamCall is the caller's end of a stream. It waits for its end by a slot, as a Call
// does for its answer: whoever claims the slot ends the stream.
type streamCall struct {
	streamEnd
	slot  *replySlot
	round uint64
	ctx   context.Context // ends with the loop

	correlation string
	address     string
	ended       atomic.Bool   // a server over AMQP has sent the end
	done        chan struct{} // closed by answered

	// Guarded by streamEnd.mu.
	over     bool        // the loop has ended
	unwatch  func() bool // ends the watch over a server over AMQP
	panicked any         // of the caller's items
}

// begin publishes the request.
func (c *streamCall) begin(ctx context.Context, queue string, msg *Message, o *CallOptions) error {
	v := c.vhost
	var p publishing
	p.Mandatory, p.Immediate = true, o.RequireConsumer
	headers, err := v.prepareCall(ctx, &p, o.Exchange, queue, msg)
	if err != nil {
		return err
	}
	defer p.release(&v.broker.queues)
	c.ctx = ctx
	if c.slot, c.round, c.address, err = v.replies.takeSlot(DirectReplyTo, holder{consumer: c, caller: ctx, waiter: c}); err != nil {
		return err
	}
	request := c.slot.newCall(ctx, c.round, msg)
	request.ReplyTo = c.address
	if request.CorrelationId == "" {
		request.CorrelationId = c.address[len(DirectReplyTo)+1:]
	}
	c.correlation = request.CorrelationId
	request.setHeaders(msg.Headers, headers)
	p.Content = request
	if v.broker.disk != nil {
		err = v.admitToDisk(ctx, &p, nil, nil)
	}
	if err == nil {
		err = v.sendCall(&p, request)
	}
	if err != nil && c.slot.claim(c.round) {
		v.replies.freeSlot(c.slot)
		return err
	}
	return nil
}

// end is called when the loop has ended.
func (c *streamCall) end() {
	c.mu.Lock()
	c.over = true // before the caller's items stop: a panic after that is not the loop's
	p, unwatch, panicked := c.peer, c.unwatch, c.panicked
	c.mu.Unlock()
	c.out.stop()
	if unwatch != nil {
		unwatch()
	}
	if !c.slot.claim(c.round) {
		<-c.done // the answer is coming, or has come
	}
	if p != nil && !c.ended.Load() {
		p.cancel()
	}
	c.in.close()
	c.vhost.forget(c.address)
	c.vhost.replies.freeSlot(c.slot)
	if panicked != nil {
		panic(panicked)
	}
}

// answered implements waiter: the stream ends.
func (c *streamCall) answered(s *replySlot) {
	var reply Message
	err := s.answer.take(&reply)
	if _, remote := c.other().(*remotePeer); remote && err == ErrRequestDropped {
		err = errServerLostRequest
	}
	c.out.stop()
	sent, isEnd := count(reply.Headers[StreamEndHeader])
	if err == nil && !isEnd {
		reply.ReplyTo = ""
		e := message.Entry{Body: reply.Body}
		if !reply.properties().Plain() {
			e.Content = message.NewPublished(reply.properties())
		}
		sent = 1
		err = c.in.putPlain(&e)
	}
	c.in.finish(sent, err)
	close(c.done)
}

// fail ends the stream with an error.
func (c *streamCall) fail(err error) { c.slot.fail(c.round, err) }

// The methods of streamPeer are what a server in this process calls.

func (c *streamCall) item(number uint64, e message.Entry) bool {
	taken, broken := c.in.put(number, &e)
	if broken != nil {
		c.fail(broken)
	}
	return taken
}

func (c *streamCall) credit(n uint64) { c.out.add(n) }

func (c *streamCall) cancel() { c.out.stop() }

// finish does nothing: the handler's reply is the end.
func (c *streamCall) finish(uint64, error) {}

// context returns a context that ends with the loop.
func (c *streamCall) context() context.Context { return c.ctx }

// deliver takes a message of a server over AMQP.
func (c *streamCall) deliver(e message.Entry) bool {
	t := &c.vhost.replies
	s := readSignal(e.Content)
	if !c.isFrom(&e, &s) {
		t.droppedGone.Add(1)
		return false
	}
	if s.broken != nil {
		c.fail(s.broken)
		return true
	}
	if s.credit > 0 {
		c.out.add(s.credit)
	}
	ok := true
	switch {
	case s.isItem:
		ok = c.item(s.item, s.itemOf(e))
	case s.last:
		if ok = c.slot.claim(c.round); ok {
			c.ended.Store(true)
			reply := Message(e.Shown())
			c.slot.answer.set(&reply, s.err)
			c.slot.tell()
		}
	}
	if ok {
		t.delivered.Add(1)
	} else {
		t.droppedGone.Add(1)
	}
	return ok
}

// isFrom reports whether a message comes from the server that serves the stream: the
// first that has answered. Its reply consumer is watched, whose end is its end.
func (c *streamCall) isFrom(e *message.Entry, s *streamSignal) bool {
	if p := c.other(); p != nil {
		r, remote := p.(*remotePeer)
		return remote && s.repliesTo(e.Content, r.address)
	}
	address := ""
	if e.Content != nil {
		address = e.Content.Properties().ReplyTo
	}
	if !isReplyAddress(address) {
		if !s.last {
			c.fail(errNoStreamAddress)
		}
		return s.last
	}
	r := c.vhost.replies.find(address)
	if !c.joinRemote(r.consumer, address, c.address, c.correlation) {
		return c.isFrom(e, s)
	}
	c.in.fromNetwork(&c.vhost.broker.queues.Memory)
	switch {
	case s.last:
	case r.consumer != nil:
		c.watch(r.consumer.context())
	default:
		c.fail(ErrServerLost)
	}
	return true
}

// watch ends the stream when the server's context ends.
func (c *streamCall) watch(server context.Context) {
	unwatch := context.AfterFunc(server, func() { c.fail(ErrServerLost) })
	c.mu.Lock()
	c.unwatch = unwatch
	over := c.over
	c.mu.Unlock()
	if over {
		unwatch()
	}
}

// feed sends the caller's items.
func (c *streamCall) feed(in iter.Seq2[Message, error]) {
	defer c.vhost.broker.tasks.Done()
	err := errItemsUnfinished
	defer func() {
		if p := recover(); p != nil {
			c.itemsPanicked(p)
		} else if c.out.wait(false) {
			c.other().finish(c.out.sent, err)
		}
	}()
	err = c.sendAll(in)
}

// itemsPanicked lets the loop panic with p. If that has ended, p is logged.
func (c *streamCall) itemsPanicked(p any) {
	c.mu.Lock()
	over := c.over
	c.panicked = p
	c.mu.Unlock()
	if over {
		c.vhost.broker.log.Error("items of a caller panicked", "vhost", c.vhost.name, "panic", p, "stack", string(debug.Stack()))
	}
	c.fail(errItemsPanicked)
}

// sendAll returns why it has sent no more, or nil if all was sent.
func (c *streamCall) sendAll(in iter.Seq2[Message, error]) error {
	for m, err := range in {
		if err != nil {
			return err
		}
		if ok, err := c.send(&m); !ok {
			return err
		}
	}
	return nil
}
