package queue

import (
	"context"

	"github.com/warrenmq/warren/internal/mailbox"
	"github.com/warrenmq/warren/internal/message"
)

// maxIdleWorkers is how many goroutines of a pool stay when there is nothing to
// do: starting one costs more than a message.
const maxIdleWorkers = 16

// Pool is a consumer whose messages are served by goroutines: one for each
// message that is being served, up to a number; some wait for the next ones.
type Pool struct {
	consumer *Consumer
	host     PoolHost
	messages chan message.Item // to idle workers; sent to with the queue's lock held, never blocks

	// Guarded by the queue's lock.
	idling int           // workers that wait, or are about to, for messages
	closed bool          // messages is closed
	calm   chan struct{} // closed when nothing is left to serve; made by who waits
}

// PoolHost is who a pool serves. Its methods are called with the queue's lock
// held, and must not block.
type PoolHost interface {
	// Start starts a worker, which serves the message and then what Next gives.
	Start(it message.Item)
	// Ended says that the pool takes no more messages and serves none.
	Ended()
}

// NewPool makes a pool for q that serves so many messages at a time, without
// being a consumer yet: see Join.
func NewPool(q *Queue, tag string, concurrency int, host PoolHost) *Pool {
	p := &Pool{host: host, messages: make(chan message.Item, maxIdleWorkers)}
	p.consumer = &Consumer{Tag: tag, queue: q, direct: true, sink: p, limit: concurrency}
	return p
}

// Join makes the pool one of its queue's consumers. It fails as Queue.Add does.
func (p *Pool) Join() error { return p.consumer.queue.Add(p.consumer) }

// Queue is the pool's.
func (p *Pool) Queue() *Queue { return p.consumer.queue }

// Accepted does nothing: nobody waits for it.
func (p *Pool) Accepted() {}

// Deliver gives a message to an idle worker or to a new one.
func (p *Pool) Deliver(it message.Item) *mailbox.Mailbox {
	if p.idling > 0 {
		p.idling--
		p.messages <- it // Done has seen to it that there is room
	} else {
		p.host.Start(it)
	}
	return nil
}

// Cancelled lets the workers go.
func (p *Pool) Cancelled(error) *mailbox.Mailbox {
	p.close()
	return nil
}

// Next waits for a message; ok is false if there will be none.
func (p *Pool) Next() (it message.Item, ok bool) {
	it, ok = <-p.messages
	return it, ok
}

// Done acknowledges a message that a worker has served. It tells whether the
// worker is to wait for another, if it can stay: it counts as idle before
// anybody can send the next message.
func (p *Pool) Done(it *message.Item, canStay bool) (stay bool) {
	c := p.consumer
	q := c.queue
	q.mu.Lock()
	// An idle worker, or a message on its way to one, has a place in messages.
	if stay = canStay && !p.closed && p.idling+len(p.messages) < maxIdleWorkers; stay {
		p.idling++
	}
	q.finish(it, true)
	q.settled(c, 1)
	p.tell()
	q.unlock()
	return stay
}

// Stop takes no more messages; those that are being served are served to their
// end. It tells whether the queue has no consumers any more.
func (p *Pool) Stop() (last bool) {
	q := p.consumer.queue
	q.mu.Lock()
	last = q.remove(p.consumer)
	p.close()
	q.dispatch() // it may have been the active consumer
	q.unlock()
	return last
}

func (p *Pool) close() {
	if !p.closed {
		p.closed = true
		close(p.messages)
		p.tell()
	}
}

// tell tells those who wait for it that nothing is left to serve.
func (p *Pool) tell() {
	if p.closed && p.consumer.out == 0 {
		p.host.Ended()
	}
	if p.calm != nil && p.isCalm() {
		close(p.calm)
		p.calm = nil
	}
}

func (p *Pool) isCalm() bool {
	return p.consumer.out == 0 && (p.closed || p.consumer.queue.store.len() == 0)
}

// WaitCalm waits until nothing is left to serve, and tells how many messages the
// queue has had until then.
func (p *Pool) WaitCalm(ctx context.Context) (had uint64, err error) {
	q := p.consumer.queue
	for {
		q.mu.Lock()
		if p.isCalm() {
			defer q.mu.Unlock()
			return q.counts.Published, nil
		}
		if p.calm == nil {
			p.calm = make(chan struct{})
		}
		calm := p.calm
		q.mu.Unlock()
		select {
		case <-calm:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
