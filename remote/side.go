package remote

import (
	"context"
	"sync"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/message"
)

// replyTo is the name of the pseudo-queue that all brokers know.
const replyTo = "amq.rabbitmq.reply-to"

// side is the end of a bridge in a virtual host of this process. All that is elsewhere has
// its address there. What comes to the address, and what has become of requests, waits in
// a list for the goroutine that may write to the network.
type side struct {
	bridge  *bridge
	ch      *warren.Channel
	link    link.Channel
	address string

	messages sync.Pool // of *link.Publish, which would be on the heap each

	mu sync.Mutex
	// Guarded by mu.
	list   []func()
	closed bool
	wake   chan struct{} // has room for one
}

// opener opens channels: a broker or a virtual host.
type opener interface {
	Channel() (*warren.Channel, error)
}

func newSide(br *bridge, o opener) (*side, error) {
	ch, err := o.Channel()
	if err != nil {
		return nil, err
	}
	s := &side{bridge: br, ch: ch, link: ch.Link(), wake: make(chan struct{}, 1)}
	s.messages.New = func() any { return new(link.Publish) }
	err = s.link.Consume(&link.Consume{Queue: replyTo, NoAck: true}, s)
	s.address = s.link.ReplyAddress()
	return s, err
}

// publish gives a message to who has an address or a queue in this process. The broker
// elsewhere has checked and routed it, so that nothing else of it means anything here. It
// reports false if there is no such address or queue. m is what the broker elsewhere is
// told of the message; nil: nothing.
func (s *side) publish(key string, p *message.Properties, m *message.Forwarded) bool {
	var content message.Content = message.NewPublished(p)
	if m != nil {
		m.Content = content
		content = m
	}
	l := s.messages.Get().(*link.Publish)
	*l = link.Publish{Key: key, Mandatory: true, Content: content, Body: p.Body}
	_, err := s.link.Publish(context.Background(), l)
	*l = link.Publish{}
	s.messages.Put(l)
	return err == nil
}

// later lets the side's goroutine do something. It reports false if the side is closed.
// It may be called with locks of the local broker held.
func (s *side) later(f func()) bool {
	s.mu.Lock()
	ok := !s.closed
	if ok {
		s.list = append(s.list, f)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return ok
}

// run does what is in the list until the side is closed.
func (s *side) run() {
	for range s.wake {
		s.mu.Lock()
		list, closed := s.list, s.closed
		s.list = nil
		s.mu.Unlock()
		for _, f := range list {
			f()
		}
		if closed {
			return
		}
	}
}

// close ends the address.
func (s *side) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.ch.Close()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Consuming implements link.Sink.
func (s *side) Consuming(string) {}

// Deliver implements link.Sink: something has come to the address.
func (s *side) Deliver(d link.Delivery) {
	var p message.Properties
	if c, ok := d.Properties.(message.Content); ok {
		p = c.Properties()
	}
	p.Body = d.Body
	s.later(func() { s.bridge.sendBack(s, &p) })
}

// Got implements link.Sink. Nobody gets.
func (s *side) Got(link.Delivery, int) {}

// Cancelled implements link.Sink.
func (s *side) Cancelled(string) {}
