package warren

import (
	"context"
	"errors"
	"slices"

	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/wire"
)

// holdsMessages reports whether the channel has a transaction with messages. A
// publisher must not wait for memory then, because nobody else can end it.
func (ch *Channel) holdsMessages() bool {
	if ch.mode.Load() != modeTx {
		return false
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return len(ch.tx.publishes) > 0
}

// holdSettlings adds settled deliveries to the transaction. mu is held.
func (ch *Channel) holdSettlings(f fate, list ...queue.Settling) {
	t := &ch.tx
	for _, s := range list {
		t.settled = append(t.settled, heldSettle{s, f})
	}
	ch.hold(t, int64(len(list))*heldSettleSize)
}

// Tx puts the channel into transaction mode (tx.select): publishes, acks, nacks and
// rejects take effect by TxCommit. It fails with 406 in confirm mode. A second call
// does nothing.
func (ch *Channel) Tx() error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if err := ch.checkOpen(); err != nil {
		return err
	}
	if ch.mode.Load() == modeConfirm {
		return failure(wire.TxSelectID, wire.CodePreconditionFailed, "cannot switch from confirm to tx mode")
	}
	ch.openLine()
	ch.mode.Store(modeTx)
	return nil
}

// TxCommit delivers the messages of the transaction, then settles its deliveries,
// and begins the next transaction (tx.commit). In a broker from [Open] it returns
// when everything durable of it is on disk. It fails with 406 without Tx, and with
// [ErrClosed] if the channel is closed while it waits for the disk. The
// error joins a *[Return] for each mandatory or immediate message that nothing took,
// an [ErrNacked] for each message that a queue could not keep, and one if the disk has
// failed, see [ErrStorage]. The rest of the transaction is carried out all the same.
func (ch *Channel) TxCommit() error {
	synced, errs, err := ch.commit()
	if err != nil {
		return err
	}
	if synced != 0 {
		errs = append(errs, ch.awaitSync(context.Background(), synced))
	}
	return errors.Join(errs...)
}

// commit carries out the transaction. If synced is not zero, it is on disk when this
// record is.
func (ch *Channel) commit() (synced uint64, errs []error, err error) {
	t, err := ch.takeTx(wire.TxCommitID)
	if err != nil {
		return 0, nil, err
	}
	defer ch.tellSettled()
	for i := range t.publishes {
		p := &t.publishes[i]
		if p.Deadline != 0 { // its time to live begins now
			p.Deadline += ch.vhost.broker.queues.Clock.Now() - p.heldSince
		}
		nacked, err := ch.vhost.deliverHeld(p)
		if nacked {
			err = ErrNacked
		}
		errs = append(errs, err)
		synced = max(synced, p.Synced)
		ch.hold(&t, -p.bytes) // the queues count it now
		*p = heldPublish{}
	}
	kept := false
	for i := 0; i < len(t.settled); {
		run := []queue.Settling{t.settled[i].Settling}
		f := t.settled[i].fate
		for i++; i < len(t.settled) && t.settled[i].fate == f; i++ {
			run = append(run, t.settled[i].Settling)
		}
		kept = kept || slices.ContainsFunc(run, isKept)
		ch.apply(run, f)
	}
	ch.hold(&t, -t.bytes)
	if kept {
		synced = ch.vhost.broker.disk.Last() // settling has no record of its own to wait for
	}
	return synced, errs, nil
}

// isKept reports whether a delivery is of a queue that is on disk.
func isKept(s queue.Settling) bool { return s.Delivery.Queue.IsOnDisk() && s.Delivery.Persistent() }

// TxRollback discards the messages of the transaction (tx.rollback). Its deliveries
// are unsettled again, but are not redelivered. It fails with 406 without Tx.
func (ch *Channel) TxRollback() error {
	t, err := ch.takeTx(wire.TxRollbackID)
	if err != nil {
		return err
	}
	ch.mu.Lock()
	if !ch.closed.Load() {
		for _, s := range t.settled {
			ch.addUnacked(s.Tag, &s.Delivery)
		}
		t.settled = nil
	}
	ch.mu.Unlock()
	ch.hold(&t, -t.bytes)
	ch.apply(t.heldSettlings(), requeued) // not empty only if the channel was closed after takeTx
	return nil
}

// takeTx returns the transaction and begins the next one.
func (ch *Channel) takeTx(m wire.MethodID) (transaction, error) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if err := ch.checkOpen(); err != nil {
		return transaction{}, err
	}
	if ch.mode.Load() != modeTx {
		return transaction{}, failure(m, wire.CodePreconditionFailed, "channel is not transactional")
	}
	t := ch.tx
	ch.tx = transaction{}
	return t, nil
}

// deliverHeld delivers a message of a committed transaction.
func (v *VirtualHost) deliverHeld(h *heldPublish) (nacked bool, err error) {
	if h.gated {
		return v.route(&h.publishing)
	}
	return v.deliverRouted(&h.publishing, h.queues, h.replies, nil)
}

// holdPublish routes a message now and keeps it for TxCommit, as RabbitMQ does. If
// an exchange on its way delays or deduplicates, the message is routed by the
// commit, because routing changes the state of such an exchange.
func (ch *Channel) holdPublish(p *publishing) error {
	v := ch.vhost
	defer p.release(&v.broker.queues)
	h := heldPublish{publishing: *p}
	h.reserved = 0
	if p.Deadline != 0 {
		h.heldSince = v.broker.queues.Clock.Now()
	}
	w := v.getWalk()
	w.Shut = true
	v.walk(w, p)
	h.gated = w.Gated
	h.queues = append(h.queues, w.Queues()...)
	h.replies = append(h.replies, w.Replies()...)
	v.putWalk(w)
	h.bytes = p.Cost() + p.Size() + heldPublishSize + int64(len(h.queues))*heldQueueSize
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if err := ch.checkOpen(); err != nil {
		return err
	}
	ch.tx.publishes = append(ch.tx.publishes, h)
	ch.hold(&ch.tx, h.bytes)
	return nil
}
