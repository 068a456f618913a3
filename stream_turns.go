package warren

import (
	"sync"

	"github.com/warrenmq/warren/internal/flow"
	"github.com/warrenmq/warren/internal/message"
)

// streamTurns lets the sender of a stream share the room in a connection's buffer with
// the consumers there. An item that finds no room waits for its turn, in which the
// connection delivers it. So a stream does not fill the buffer, however many items the
// client has given credit for.
type streamTurns struct {
	to  *replyConsumer
	out *itemsOut // the sender waits at its wake

	mu sync.Mutex
	// Guarded by mu.
	place flow.Consumer
	item  message.Entry // waits if waits is set
	waits bool
	sent  bool // the item that waited was delivered
}

// newStreamTurns returns nil if no buffer bounds what comes to a.
func newStreamTurns(a addressee, out *itemsOut) *streamTurns {
	r, ok := a.(*replyConsumer)
	if !ok || !r.ch.flow.Bounded() {
		return nil
	}
	t := &streamTurns{to: r, out: out}
	t.place.Taker = t
	return t
}

// deliver delivers an item when there is room. It reports false if the client has gone or
// nothing more is to be sent. Only the sender may call it.
func (t *streamTurns) deliver(e *message.Entry) bool {
	if t.to.ch.flow.IsFree() {
		return t.to.deliverInTurn(e)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to.ch.flow.Reserve(&t.place, false) {
		return t.to.deliverInTurn(e)
	}
	t.item, t.waits = *e, true
	for t.waits && !t.out.stopped.Load() {
		t.mu.Unlock()
		<-t.out.wake
		t.mu.Lock()
	}
	if t.waits {
		t.to.ch.flow.Leave(&t.place)
		t.item, t.waits, t.sent = message.Entry{}, false, false
	}
	return t.sent
}

// Take implements flow.Taker: the item that waits is delivered. The sender comes back for
// the next one.
func (t *streamTurns) Take(flow.Turn) (used bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.waits {
		return false
	}
	t.sent = t.to.deliverInTurn(&t.item)
	t.item, t.waits = message.Entry{}, false
	wakeUp(t.out.wake)
	return true
}
