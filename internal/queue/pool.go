package queue

import (
	"context"

	"github.com/warrenmq/warren/internal/mailbox"
	"github.com/warrenmq/warren/internal/message"
)

// maxIdleWorkers is how many workers of a pool wait for messages. They stay because
// it costs more to start a goroutine than to serve a message.
const maxIdleWorkers = 16

// Pool is a consumer whose messages are served by goroutines, its workers. Each
// serves one message at a time, and their number is bounded. Some idle workers wait
// for further messages.
type Pool struct {
	consumer *Consumer
	host     PoolHost
	messages chan message.Item // for idle workers; a send, with the queue's lock held, never blocks

	// Guarded by the queue's lock.
	idling int           // workers that wait for messages, or are about to
	closed bool          // messages is closed
	reason error         // why it is closed
	counts PoolCounts    // but Serving
	calm   chan struct{} // closed when nothing is left to serve; made by WaitCalm
}

// PoolHost is the owner of a pool. Its methods are called with the queue's lock
// held, and must not block.
type PoolHost interface {
	// Joined says that the pool is one of its queue's consumers. It is called before the
	// first message.
	Joined()
	// Start starts a worker. It serves the message, and then those that Next
	// returns.
	Start(it message.Item)
	// Ended says that the pool takes no more messages and no worker serves one. It
	// is called once, with the reason.
	Ended(reason error)
}

// NewPool makes a pool for q that serves at most concurrency messages at a time. It
// gets messages after Join.
func NewPool(q *Queue, tag string, concurrency int, host PoolHost) *Pool {
	p := &Pool{host: host, messages: make(chan message.Item, maxIdleWorkers)}
	p.consumer = &Consumer{Tag: tag, queue: q, direct: true, sink: p, pool: p, limit: concurrency}
	return p
}

// Host returns the pool's owner.
func (p *Pool) Host() PoolHost { return p.host }

// Join makes the pool one of its queue's consumers. It fails as Queue.Add does.
func (p *Pool) Join() error { return p.consumer.queue.Add(p.consumer) }

// Accepted implements Sink.
func (p *Pool) Accepted() { p.host.Joined() }

// Deliver implements Sink.
func (p *Pool) Deliver(it message.Item) *mailbox.Mailbox {
	p.deliver(&it)
	return nil
}

// deliver gives a message to an idle worker or to a new one.
func (p *Pool) deliver(it *message.Item) {
	if p.idling > 0 {
		p.idling--
		p.messages <- *it // Done lets no more workers idle than there is room for
	} else {
		p.host.Start(*it)
	}
}

// Cancelled implements Sink. It ends the idle workers.
func (p *Pool) Cancelled(reason error) *mailbox.Mailbox {
	p.close(reason)
	return nil
}

// Next waits for a message. Ok is false if there will be none.
func (p *Pool) Next() (it message.Item, ok bool) {
	it, ok = <-p.messages
	return it, ok
}

// Done settles a message that a worker has served. It reports whether the worker is
// to call Next; that is never so without canStay. In that case the worker counts as
// idle before anybody can send it a message.
func (p *Pool) Done(it *message.Item, f Fate, canStay bool) (stay bool) {
	return p.done(it, f, canStay, &p.counts.Served)
}

// Skip is Done for a message that needed not be served.
func (p *Pool) Skip(it *message.Item) (stay bool) { return p.done(it, Acked, true, &p.counts.Skipped) }

func (p *Pool) done(it *message.Item, f Fate, canStay bool, count *uint64) (stay bool) {
	c := p.consumer
	q := c.queue
	q.mu.Lock()
	*count++
	// Each idle worker, and each message on its way to one, needs a place in messages.
	if stay = canStay && !p.closed && p.idling+len(p.messages) < maxIdleWorkers; stay {
		p.idling++
	}
	if f == Requeued {
		q.requeue(it, true)
		q.tidy()
	} else {
		q.finish(it, f == Acked)
		if f == Acked {
			c.counts.Acked++
		}
	}
	q.freeRoom(c, 1)
	p.tellWaiters()
	q.unlock()
	return stay
}

// Stop removes the pool from its queue. Messages that are being served are served
// to their end. Stop reports whether it was the queue's last consumer.
func (p *Pool) Stop(reason error) (last bool) {
	q := p.consumer.queue
	q.mu.Lock()
	last = q.remove(p.consumer)
	p.close(reason)
	q.dispatch() // it may have been the active consumer
	q.unlock()
	return last
}

// close ends idle workers, and makes Next return false.
func (p *Pool) close(reason error) {
	if !p.closed {
		p.closed, p.reason = true, reason
		close(p.messages)
		p.tellWaiters()
	}
}

// tellWaiters tells the host and WaitCalm if nothing is left to serve.
func (p *Pool) tellWaiters() {
	if p.closed && p.consumer.out == 0 {
		p.host.Ended(p.reason)
	}
	if p.calm != nil && p.isCalm() {
		close(p.calm)
		p.calm = nil
	}
}

// isCalm reports whether nothing is left to serve.
func (p *Pool) isCalm() bool {
	return p.consumer.out == 0 && (p.closed || p.consumer.queue.store.len() == 0)
}

// PoolCounts count the messages of a pool.
type PoolCounts struct {
	Served  uint64
	Skipped uint64
	Serving int // messages that workers have now
}

// Counts returns the counts of the pool.
func (p *Pool) Counts() PoolCounts {
	q := p.consumer.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	c := p.counts
	c.Serving = p.consumer.out
	return c
}

// WaitCalm waits until nothing is left to serve. It returns how many messages were
// published to the queue until then. It fails with ctx's error.
func (p *Pool) WaitCalm(ctx context.Context) (had uint64, err error) {
	q := p.consumer.queue
	for {
		q.mu.Lock()
		if p.isCalm() {
			defer q.mu.Unlock()
			return q.received.Messages, nil
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
