package remote

import (
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
)

// A plain request has one answer, so its caller does not know who works on it, and cannot
// tell that it has gone. Callers here say in the request that they would like to know. To
// them a handler that has not answered soon says where it is, by a message with no credit,
// and who has gone says so to that address.

// A caller who wants to know its server if the answer takes long, to send it
// x-warren-cancel, says so by a header with the value true, or by what its correlation id
// begins with, which costs less than a table.
const (
	cancelsHeader = "x-warren-cancels"
	cancelsPrefix = cancelsHeader + "-"
)

// cancels reports whether a caller here wants to know its server.
func (t *talk) cancels() bool { return !t.stream && !t.request.durable }

// isUnnamed reports whether the caller has not given a correlation id: it is the caller's
// address then.
func (t *talk) isUnnamed() bool {
	return t.here.address == warren.DirectReplyTo+"."+t.here.correlation
}

const (
	helloAfter = 100 * time.Millisecond // so long a request is served before its caller is told by whom
	helloEvery = helloAfter / 4         // and so much longer, so that many are told at once
)

// awaitAge lets callers know their servers in a while. br.mu is held.
func (br *bridge) awaitAge(d time.Duration) {
	br.greets = true
	time.AfterFunc(d, func() { br.serves.later(br.greet) })
}

// greet tells callers whom to tell when they go.
func (br *bridge) greet() {
	before := time.Now().Add(-helloAfter)
	var old []end
	br.mu.Lock()
	br.greets = false
	for _, t := range br.served {
		switch {
		case !t.unknown:
		case t.began.After(before):
			br.greets = true
		default:
			t.unknown = false
			old = append(old, t.there)
		}
	}
	if br.greets {
		br.awaitAge(helloEvery)
	}
	br.mu.Unlock()
	for _, to := range old {
		br.publishTo(br.back, to, amqp091.Publishing{
			Headers: amqp091.Table{warren.StreamCreditHeader: int64(0)}, CorrelationId: to.correlation, ReplyTo: replyTo,
		})
	}
}

// sayCancel tells a server that the caller of a plain request has gone.
func (br *bridge) sayCancel(to end) {
	br.publishTo(br.ch, to, amqp091.Publishing{
		Headers: amqp091.Table{warren.StreamCancelHeader: true}, CorrelationId: to.correlation, ReplyTo: replyTo,
	})
}
