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

// cancelsHeader is true in a request whose caller wants to know its server if the answer
// takes long, to send it x-warren-cancel.
const cancelsHeader = "x-warren-cancels"

// helloAfter is how long a request is served before its caller is told by whom.
const helloAfter = 100 * time.Millisecond

// ages notes that the caller of a request is to know its server in a while. br.mu is held.
func (br *bridge) ages(t *talk) {
	br.young = append(br.young, t)
	if len(br.young) == 1 {
		time.AfterFunc(helloAfter, func() { br.serves.later(br.greet) })
	}
}

// greet tells callers whom to tell when they go.
func (br *bridge) greet() {
	now := time.Now()
	var old []end
	br.mu.Lock()
	n := 0
	for ; n < len(br.young); n++ {
		t := br.young[n]
		left := helloAfter - now.Sub(t.began)
		if left > 0 {
			time.AfterFunc(left, func() { br.serves.later(br.greet) })
			break
		}
		if br.served[t.here.correlation] == t {
			old = append(old, t.there)
		}
	}
	br.young = append(br.young[:0], br.young[n:]...)
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
