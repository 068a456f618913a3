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

// mostUnconfirmed is how many messages may wait for their confirm on one channel.
const mostUnconfirmed = 256

// confirms is a channel in confirm mode until it is closed.
type confirms struct {
	bridge *bridge
	ch     *amqp091.Channel
	room   chan struct{} // has a value for each message that waits for its confirm
	over   chan struct{} // closed with the channel
	reason error         // why it was closed; set before over is closed
	alone  bool          // one message was waiting then; set before over is closed

	// A message is returned before it is confirmed, and who waits for the confirm takes
	// what was returned. So there is always room, and the client never waits.
	returns <-chan amqp091.Return

	mu sync.Mutex
	// Guarded by mu.
	waiting map[*sent]struct{}
	number  uint64
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
}

func openConfirms(br *bridge) (*confirms, error) {
	ch, err := br.conn.Channel()
	if err != nil {
		return nil, err
	}
	c := &confirms{
		bridge: br, ch: ch, room: make(chan struct{}, mostUnconfirmed), over: make(chan struct{}), waiting: make(map[*sent]struct{}),
		returns: ch.NotifyReturn(make(chan amqp091.Return, mostUnconfirmed)),
	}
	closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
	go c.awaitEnd(closed)
	if err := ch.Confirm(false); err != nil {
		ch.Close()
		return nil, err
	}
	return c, nil
}

// awaitEnd notes why the channel is closed.
func (c *confirms) awaitEnd(closed <-chan *amqp091.Error) {
	c.reason = ErrConnectionLost
	if e := <-closed; e != nil {
		c.reason = e
		c.bridge.broker.noteLimit(e)
	}
	c.mu.Lock()
	c.alone = len(c.waiting) <= 1
	c.mu.Unlock()
	close(c.over)
}

// note notes what was returned. Returns come in the order of the messages, so each is of
// the first of those that are the same. mu is held.
func (c *confirms) note() {
	for {
		select {
		case r, ok := <-c.returns:
			if !ok {
				return
			}
			var first *sent
			for s := range c.waiting {
				if s.is(&r) && (first == nil || s.number < first.number) {
					first = s
				}
			}
			if first != nil {
				first.returned = &warren.Return{Code: r.ReplyCode, Text: r.ReplyText, Exchange: r.Exchange, RoutingKey: r.RoutingKey}
			}
		default:
			return
		}
	}
}

// is reports whether s may be the message that was returned. mu is held.
func (s *sent) is(r *amqp091.Return) bool {
	return s.returned == nil && (s.p.Mandatory || s.p.Immediate) &&
		s.p.Exchange == r.Exchange && s.p.RoutingKey == r.RoutingKey &&
		s.p.MessageId == r.MessageId && s.p.CorrelationId == r.CorrelationId && bytes.Equal(s.p.Body, r.Body)
}

// enter waits until there is room for a message.
func (c *confirms) enter(ctx context.Context) error {
	select {
	case c.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.over:
		return amqp091.ErrClosed
	}
}

// send writes a message for which there is room.
func (c *confirms) send(p *link.Outgoing) (*sent, error) {
	s := &sent{confirms: c, p: p, at: c.bridge.gatherer.accepted()}
	c.mu.Lock()
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

// forget says that nobody waits for the message any more. It returns whether it was
// returned.
func (s *sent) forget() (returned *warren.Return) {
	s.mu.Lock()
	s.note()
	delete(s.waiting, s)
	returned = s.returned
	s.mu.Unlock()
	<-s.room
	return returned
}

// leave says that nobody waits for the confirm any more. Until it comes, the message may
// still be returned, or be why the channel is closed.
func (s *sent) leave() {
	go func() {
		<-s.confirm.Done()
		s.forget()
	}()
}

// wait waits for the confirm.
func (s *sent) wait(ctx context.Context) error {
	select {
	case <-s.confirm.Done():
	case <-ctx.Done():
		s.leave()
		return unknown(ctx)
	}
	acked := s.confirm.Acked()
	if !acked && s.ch.IsClosed() {
		<-s.over
		s.forget()
		return s.lost()
	}
	switch returned := s.forget(); {
	case !acked:
		return warren.ErrNacked
	case returned != nil:
		return returned
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
