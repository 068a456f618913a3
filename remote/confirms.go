package remote

import (
	"bytes"
	"context"
	"strings"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// confirms is a channel in confirm mode until it is closed.
type confirms struct {
	bridge  *bridge
	ch      *amqp091.Channel
	noticed chan struct{} // a value is taken when what was returned before is noted
	over    chan struct{} // closed with the channel
	reason  error         // why it was closed; set before over is closed
	alone   bool          // one message was waiting then; set before over is closed

	mu sync.Mutex
	// Guarded by mu.
	waiting map[*sent]struct{}
	number  uint64
	left    int // of waiting, those that nobody waits for any more
}

// sent is a message that was sent and waits for its confirm.
type sent struct {
	*confirms
	p       *link.Outgoing
	number  uint64
	confirm *amqp091.DeferredConfirmation
	at      uint64 // octets that were to be written before: see gatherer

	// Guarded by mu.
	returned *warren.Return
	left     bool // nobody waits for the confirm any more
}

func openConfirms(br *bridge) (*confirms, error) {
	ch, err := br.conn.Channel()
	if err != nil {
		return nil, err
	}
	c := &confirms{bridge: br, ch: ch, noticed: make(chan struct{}), over: make(chan struct{}), waiting: make(map[*sent]struct{})}
	closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
	returns := ch.NotifyReturn(make(chan amqp091.Return)) // without room: who gets a confirm knows that returns before it were taken
	go c.run(closed, returns)
	if err := ch.Confirm(false); err != nil {
		ch.Close()
		return nil, err
	}
	return c, nil
}

// run notes what is returned until the channel is closed.
func (c *confirms) run(closed <-chan *amqp091.Error, returns <-chan amqp091.Return) {
	for {
		select {
		case r, ok := <-returns:
			if !ok {
				returns = nil
				continue
			}
			c.note(&r)
		case <-c.noticed:
		case e := <-closed:
			c.reason = ErrConnectionLost
			if e != nil {
				c.reason = e
			}
			c.mu.Lock()
			c.alone = len(c.waiting) <= 1
			c.mu.Unlock()
			close(c.over)
			return
		}
	}
}

// note notes that a message was returned. Returns come in the order of the messages, so it
// is the first of those that are the same.
func (c *confirms) note(r *amqp091.Return) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first *sent
	for s := range c.waiting {
		if s.is(r) && (first == nil || s.number < first.number) {
			first = s
		}
	}
	if first != nil {
		first.returned = &warren.Return{Code: r.ReplyCode, Text: r.ReplyText, Exchange: r.Exchange, RoutingKey: r.RoutingKey}
	}
}

// is reports whether s may be the message that was returned. mu is held.
func (s *sent) is(r *amqp091.Return) bool {
	return s.returned == nil && (s.p.Mandatory || s.p.Immediate) &&
		s.p.Exchange == r.Exchange && s.p.RoutingKey == r.RoutingKey &&
		s.p.MessageId == r.MessageId && s.p.CorrelationId == r.CorrelationId && bytes.Equal(s.p.Body, r.Body)
}

// send writes a message.
func (c *confirms) send(p *link.Outgoing) (*sent, error) {
	s := &sent{confirms: c, p: p, at: c.bridge.gatherer.accepted()}
	c.mu.Lock()
	c.prune()
	c.number++
	s.number = c.number
	c.waiting[s] = struct{}{}
	c.mu.Unlock()
	var err error
	s.confirm, err = c.ch.PublishWithDeferredConfirm(p.Exchange, p.RoutingKey, p.Mandatory, p.Immediate, publishing(p.Properties))
	if err != nil {
		s.forget()
		return nil, err
	}
	return s, nil
}

// prune forgets what was confirmed since nobody waited for it any more. mu is held.
func (c *confirms) prune() {
	if c.left == 0 {
		return
	}
	for s := range c.waiting {
		select {
		case <-s.doneIfLeft():
			delete(c.waiting, s)
			c.left--
		default:
		}
	}
}

// doneIfLeft is when a message that nobody waits for is confirmed. mu is held.
func (s *sent) doneIfLeft() <-chan struct{} {
	if !s.left {
		return nil
	}
	return s.confirm.Done()
}

// leave says that nobody waits for the confirm any more. Until it comes, the message may
// still be returned, or be why the channel is closed.
func (s *sent) leave() {
	s.mu.Lock()
	s.left = true
	s.confirms.left++
	s.mu.Unlock()
}

func (s *sent) forget() {
	s.mu.Lock()
	delete(s.waiting, s)
	s.mu.Unlock()
}

// wait waits for the confirm.
func (s *sent) wait(ctx context.Context) error {
	select {
	case <-s.confirm.Done():
	case <-ctx.Done():
		s.leave()
		return unknown(ctx)
	}
	defer s.forget()
	if !s.confirm.Acked() {
		if !s.ch.IsClosed() {
			return warren.ErrNacked
		}
		<-s.over
		return s.lost()
	}
	if !s.p.Mandatory && !s.p.Immediate {
		return nil
	}
	select {
	case s.noticed <- struct{}{}:
	case <-s.over:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.returned != nil {
		return s.returned
	}
	return nil
}

// lost is the error of a message whose channel was closed before the confirm.
func (s *sent) lost() error {
	e := refused(wire.BasicPublishID, s.reason)
	switch {
	case s.bridge.broker.ctx.Err() != nil:
		return lostError{warren.ErrClosed}
	case s.bridge.hasNone(s.at):
		return errEnded
	case e == nil:
		return lostError{s.reason}
	case e.ClosesConnection():
		return lostError{e}
	case s.alone, e.Code == wire.CodeNotFound && strings.Contains(e.Text, "'"+s.p.Exchange+"'"):
		return e // it is about this message
	}
	return &unconfirmedError{e}
}
