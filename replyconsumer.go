package warren

import (
	"context"
	"sync"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/mailbox"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/queue"

	"github.com/warrenmq/warren/internal/wire"
)

// replyConsumer is a channel's consumer of the direct reply-to pseudo-queue.
type replyConsumer struct {
	*Consumer
	slot    *replySlot
	round   uint64
	address string
	limit   int // number of unread replies allowed

	mu sync.Mutex // also the mailbox's lock
	// Guarded by mu.
	box    *mailbox.Mailbox
	gone   bool
	held   memory.Reservation
	ctx    context.Context // made by the first handler that needs it; ends with the consumer
	cancel context.CancelFunc
}

// consumeReplies is Consume on the pseudo-queue. It uses only the options Tag and
// NoAck.
func (ch *Channel) consumeReplies(name string, o *ConsumeOptions, sink link.Sink) (*Consumer, error) {
	if err := ch.checkReplyTag(o.Tag); err != nil {
		return nil, err
	}
	if !o.NoAck {
		return nil, failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "reply consumer cannot acknowledge").
			withHint("set NoAck to consume from " + name)
	}
	v := ch.vhost
	r := &replyConsumer{limit: v.broker.options.ReplyBuffer}
	r.box = mailbox.New(&r.mu)
	c := &Consumer{ch: ch, queue: name, reply: r, sink: sink}
	r.Consumer = c
	if err := v.broker.reserve(&r.held, wire.BasicConsumeID, consumerHeld+int64(len(o.Tag))); err != nil {
		return nil, err
	}
	var err error
	if r.slot, r.round, r.address, err = v.replies.takeSlot(name, holder{consumer: r}); err != nil {
		r.held.Release()
		return nil, err
	}
	ch.mu.Lock()
	if ch.reply.Load() != nil {
		err = failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "reply consumer already set").
			withHint("one reply consumer serves all requests of a channel")
	} else if err = ch.addTag(c, o.Tag); err == nil {
		ch.reply.Store(r)
		v.recordChange(change{kind: consumerStarted, consumer: c})
	}
	ch.mu.Unlock()
	v.broker.notifyReaders()
	if err != nil {
		r.slot.claim(r.round)
		v.replies.freeSlot(r.slot)
		r.held.Release()
		return nil, err
	}
	if sink != nil {
		sink.Consuming(c.tag)
	}
	return c, nil
}

// deliver puts a reply into the mailbox, or passes it to the connection. It reports
// false if the consumer has ended, or has to end because the mailbox is full.
func (r *replyConsumer) deliver(e message.Entry) bool {
	t := &r.ch.vhost.replies
	r.mu.Lock()
	if r.gone {
		r.mu.Unlock()
		t.droppedGone.Add(1)
		return false
	}
	if r.sink != nil {
		r.deliverToSink(&e)
		r.mu.Unlock()
		t.delivered.Add(1)
		return true
	}
	if r.box.Len() >= r.limit || !r.ch.vhost.broker.queues.Memory.Overdraw(e.Cost()) {
		r.mu.Unlock()
		t.droppedSlow.Add(1)
		r.ch.vhost.broker.log.Warn("reply consumer cancelled: too slow", "vhost", r.ch.vhost.name, "session", r.ch.session.id, "consumer", r.tag)
		r.ch.removeTag(r.Consumer)
		r.end(ErrSlowConsumer, false)
		return false
	}
	wake := r.box.Put(&message.Item{Entry: e})
	r.mu.Unlock()
	if wake {
		r.box.Signal()
	}
	t.delivered.Add(1)
	return true
}

// deliverInTurn passes an item of a stream to the connection, which has room for it. It
// reports false if the consumer has ended. It keeps nothing of the entry.
func (r *replyConsumer) deliverInTurn(e *message.Entry) bool {
	t := &r.ch.vhost.replies
	if !r.ch.deliverItem(r.Consumer, e) {
		t.droppedGone.Add(1)
		return false
	}
	t.delivered.Add(1)
	return true
}

// deliverToSink passes a reply to the connection. If the channel is closed, the
// reply is dropped. mu is held.
func (r *replyConsumer) deliverToSink(e *message.Entry) {
	d := queue.Delivered{Item: message.Item{Entry: *e}}
	if !r.ch.deliverToSink(r.Consumer, &d, true, r.sink, 0) {
		r.box.Put(&d.Item)
	}
}

// read waits for replies and moves at least one of them into batch.
func (r *replyConsumer) read(ctx context.Context, batch []message.Item) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.box.Read(ctx, batch)
	r.count(batch[:n], -1)
	return n, err
}

// count adds what unread replies hold to the memory that is used, or with sign -1
// takes it off. When the consumer has ended they do not count, since perhaps nobody
// reads them. mu is held.
func (r *replyConsumer) count(items []message.Item, sign int64) {
	if r.gone || r.sink != nil {
		return
	}
	sum := int64(0)
	for i := range items {
		sum += items[i].Cost()
	}
	r.ch.vhost.broker.queues.Memory.Add(sign * sum)
}

// putBack returns replies to the mailbox that were read but not presented.
func (r *replyConsumer) putBack(items []message.Item) {
	r.mu.Lock()
	r.count(items, 1)
	wake := r.box.PutFront(items)
	r.mu.Unlock()
	if wake {
		r.box.Signal()
	}
}

// end removes the address. Replies that have arrived can still be read, unless the
// consumer was cancelled by its user.
func (r *replyConsumer) end(reason error, cancelled bool) (first bool) {
	if !r.slot.claim(r.round) {
		return false
	}
	r.ch.vhost.replies.freeSlot(r.slot)
	r.ch.reply.CompareAndSwap(r, nil)
	r.mu.Lock()
	r.count(r.box.Unread(), -1)
	r.gone = true
	r.held.Release()
	r.box.Abandon()
	if cancelled {
		r.box.Drain()
	}
	wake := r.box.Close(reason)
	if r.cancel != nil {
		r.cancel()
	}
	r.mu.Unlock()
	if wake {
		r.box.Signal()
	}
	v := r.ch.vhost
	v.broker.announce(change{kind: consumerEnded, vhost: v, consumer: r.Consumer, reason: reason})
	return true
}

// context returns a context that ends when the requester goes away.
func (r *replyConsumer) context() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx == nil {
		r.ctx, r.cancel = context.WithCancel(context.Background())
		if r.gone {
			r.cancel()
		}
	}
	return r.ctx
}

// inspectReply answers a declaration of the pseudo-queue or of a reply address. It
// fails with 404 if the requester of the address has gone.
func (ch *Channel) inspectReply(name string) (Queue, error) {
	if ch.vhost.isReplyName(name) {
		q := Queue{Name: name}
		if ch.reply.Load() != nil {
			q.Consumers = 1
		}
		return q, nil
	}
	if !ch.vhost.replies.isWaiting(name) {
		return Queue{}, ch.vhost.errNoQueue(wire.QueueDeclareID, name)
	}
	return Queue{Name: name, Consumers: 1}, nil
}
