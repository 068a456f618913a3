package amqp

import (
	"errors"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// manyConfirms is how many acks are collected at most.
const manyConfirms = 256

// confirm handles the broker's answer to a publish. Successive acks are collected, and
// sent as one when there is nothing more to read. A nack is sent alone, after the acks
// before it. What waits for the disk is answered by Answered. While something does,
// others are answered singly, at once.
func (ch *channel) confirm(a *link.Answer) {
	switch {
	case a.Nacked:
		ch.flushConfirms()
		ch.send(&wire.BasicNack{DeliveryTag: a.Number})
	case a.Synced != 0:
		ch.flushConfirms() // what is collected is older, and Answered could confirm it, too
		ch.awaits = true
		ch.link.Await(a.Synced, a.Number)
	case ch.awaits && ch.link.Awaits():
		ch.send(&wire.BasicAck{DeliveryTag: a.Number})
	default:
		ch.awaits = false
		ch.acked = a.Number
		if ch.pending++; ch.pending == 1 {
			ch.conn.unflushed = append(ch.conn.unflushed, ch)
		} else if ch.pending == manyConfirms {
			ch.flushConfirms()
		}
	}
}

// flushConfirms sends the acks that have been collected.
func (ch *channel) flushConfirms() {
	if ch.pending == 0 {
		return
	}
	m := wire.BasicAck{DeliveryTag: ch.acked, Multiple: ch.pending > 1}
	ch.pending = 0
	ch.send(&m)
}

// Answered implements link.Client. Publishes before first have all been answered, so
// the answer to several may be one.
func (ch *channel) Answered(first, last uint64, err error) {
	switch {
	case first == 0:
		ch.answerCommit(err)
	case err == nil:
		ch.send(&wire.BasicAck{DeliveryTag: last, Multiple: last > first})
	default:
		ch.send(&wire.BasicNack{DeliveryTag: last, Multiple: last > first})
	}
}

// answerCommit sends commit-ok, or makes the reader close the channel. It may be called
// from any goroutine.
func (ch *channel) answerCommit(err error) {
	if err == nil {
		ch.send(&wire.TxCommitOk{})
	}
	ch.committed <- err // it has room
	if err != nil {
		ch.conn.do(func() {
			if ch.conn.channels[ch.number] == ch {
				ch.awaitCommit()
			}
		})
	}
}

// patience is how long a reader waits for the disk before it says so.
const patience = 500 * time.Millisecond

// awaitCommit waits until a commit is on disk, because another method has come, which
// must not be answered before.
func (ch *channel) awaitCommit() {
	if ch.committed == nil || ch.closing {
		return
	}
	answer, ok := ch.commitAnswer()
	if !ok {
		return // the connection ends
	}
	ch.committed = nil
	if answer != nil {
		ch.fail(blame(partialTx(answer), wire.TxCommitID))
	}
}

// commitAnswer waits for the answer to a commit. Ok is false if the connection ends.
func (ch *channel) commitAnswer() (answer error, ok bool) {
	patient := time.NewTimer(patience)
	defer patient.Stop()
	select {
	case answer = <-ch.committed:
		return answer, true
	case <-ch.conn.ctx.Done():
		return nil, false
	case <-patient.C:
	}
	ch.conn.wait("the disk is slow")
	defer ch.conn.wait("")
	select {
	case answer = <-ch.committed:
		return answer, true
	case <-ch.conn.ctx.Done():
		return nil, false
	}
}

// partialTx is the error for a transaction of which a queue could not keep a message.
func partialTx(err error) error {
	if errors.Is(err, warren.ErrNacked) {
		return failure(wire.CodePreconditionFailed, "partial tx completion")
	}
	return err
}
