package warren

import (
	"context"
	"iter"
	"sync"

	"github.com/warrenmq/warren/internal/message"
)

// A stream of items has two ends: the caller's and the server's. Either end gives the
// other credit, and sends as many items as it has credit for. If both are in this
// process, they do so by the methods of streamPeer; otherwise a remotePeer makes a
// message of each call, and deliver makes a call of each message that comes to the end's
// reply address.

// streamPeer is the other end of a stream.
type streamPeer interface {
	// item sends an item with the next number. It reports false if the other end has
	// gone or wants none.
	item(number uint64, e message.Entry) bool
	// credit lets the other end send n more items.
	credit(n uint64)
	// finish says that no more items come: there were so many, or err is why.
	finish(sent uint64, err error)
	// cancel says that no more items are wanted.
	cancel()
}

// streamEnd is what both ends have.
type streamEnd struct {
	vhost *VirtualHost
	in    itemsIn
	out   itemsOut

	to streamPeer // peer; owned by the sender

	mu sync.Mutex
	// Guarded by mu.
	peer streamPeer // nil: the server is not known yet
}

func (s *streamEnd) init(v *VirtualHost, window uint64) {
	s.vhost = v
	s.in.window = window
	s.in.wake, s.out.wake = make(chan struct{}, 1), make(chan struct{}, 1)
}

// other returns the other end, or nil.
func (s *streamEnd) other() streamPeer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peer
}

// join makes p the other end. It reports false if there is one.
func (s *streamEnd) join(p streamPeer) bool {
	s.mu.Lock()
	first := s.peer == nil
	if first {
		s.peer = p
	}
	s.mu.Unlock()
	if first {
		s.out.begin()
	}
	return first
}

// next returns the next item that has come, and gives new credit for it. done ends the
// wait for one.
func (s *streamEnd) next(done <-chan struct{}) (m Message, ok bool) {
	e, ok := s.in.next(done)
	if !ok {
		return m, false
	}
	if n := s.in.earned(); n > 0 {
		if p := s.other(); p != nil {
			p.credit(n)
		}
	}
	switch {
	case e.Content == nil:
		m.Body = e.Body
		return m, true
	case s.in.counts != nil:
		return shownItem(&e), true
	}
	return Message(e.Shown()), true
}

// send sends an item. It reports false if nothing more is to be sent.
func (s *streamEnd) send(m *Message) (ok bool, err error) {
	e := message.Entry{Body: m.Body}
	m.CorrelationId, m.ReplyTo, m.DeliveryMode = "", "", 0 // they are the stream's own, or mean nothing
	if err := s.vhost.checkSize(len(m.Body)); err != nil {
		return false, err
	}
	if props := m.properties(); !props.Plain() {
		headers, err := checkProperties(props)
		if err != nil {
			return false, err
		}
		e.Content = message.NewChecked(props, headers)
	}
	number, ok := s.out.acquire()
	if !ok {
		return false, nil
	}
	if s.to == nil {
		s.to = s.other()
	}
	return s.to.item(number, e), nil
}

// items returns the items that come, for a function of the user. If they do not end well,
// an error is the last. ctx ends the wait for one.
func (s *streamEnd) items(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		done := ctx.Done()
		for {
			m, ok := s.next(done)
			if !ok {
				break
			}
			if !yield(m, nil) {
				return
			}
		}
		err := s.in.reason()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			yield(Message{}, err)
		}
	}
}
