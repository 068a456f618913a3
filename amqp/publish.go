package amqp

import (
	"context"
	"errors"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// content assembles a published message from its frames.
type content struct {
	state                contentState
	exchange, key        []byte // reused for each message
	mandatory, immediate bool

	data    []byte // the properties, then the part of the body that has come
	props   int    // octets of the properties
	size    uint64 // octets of the whole body
	counted int64  // bytes of memory that the connection has counted for the message
}

// contentState is the kind of frame that is expected next.
type contentState int

const (
	contentNone   contentState = iota // a method
	contentMethod                     // basic.publish came: the header is next
	contentBody                       // the header came: the body is next
)

// begin begins a message with its basic.publish.
func (c *content) begin(m *wire.BasicPublish) {
	c.state = contentMethod
	c.exchange = append(c.exchange[:0], m.Exchange...)
	c.key = append(c.key[:0], m.RoutingKey...)
	c.mandatory, c.immediate = m.Mandatory, m.Immediate
}

// interrupted returns the error for a method where a content frame is expected. It is
// nil if none is expected.
func (c *content) interrupted() error {
	switch c.state {
	case contentMethod:
		return unexpectedFrame("expected content header for class 60, got non content header frame instead")
	case contentBody:
		return unexpectedFrame("expected content body, got non content body frame instead")
	}
	return nil
}

// contentFrame handles a header or body frame.
func (ch *channel) contentFrame(f wire.Frame) {
	c := &ch.content
	var err error
	if c.state == contentNone {
		ch.fail(unexpectedFrame("expected method frame, got non method frame instead"))
		return
	}
	switch {
	case c.state == contentMethod && f.Type == wire.FrameHeader:
		err = ch.contentHeader(f.Payload)
	case c.state == contentBody && f.Type == wire.FrameBody:
		err = c.contentBody(f.Payload)
	default:
		err = c.interrupted()
	}
	if err != nil {
		ch.refuse(err)
		return
	}
	if c.state == contentBody && uint64(len(c.data)-c.props) == c.size {
		c.state = contentNone
		ch.publish()
	}
}

// lazyBody is how many bytes of memory a body gets at most before its bytes have come.
const lazyBody = 64 << 10

// refuse closes the channel or connection because of a message.
func (ch *channel) refuse(err error) {
	if errors.Is(err, context.Canceled) {
		ch.closing = true // the connection ends; what follows of the message is ignored
		return
	}
	ch.fail(blame(err, wire.BasicPublishID))
}

// contentHeader handles a header frame.
func (ch *channel) contentHeader(payload []byte) error {
	c := &ch.content
	h, err := wire.ParseContentHeader(payload)
	if err != nil {
		return badHeader(err)
	}
	if limit := ch.link.MaxMessageSize(); h.BodySize > uint64(limit) {
		return failure(wire.CodePreconditionFailed, "message size %d is larger than configured max size %d", h.BodySize, limit)
	}
	if err := ch.count(&h); err != nil {
		return err
	}
	c.state, c.size, c.props = contentBody, h.BodySize, len(h.Properties)
	if len(h.Properties) == 2 {
		c.props = 0 // there are flags only: no property is set
	}
	c.data = make([]byte, 0, uint64(c.props)+min(c.size, lazyBody))
	c.data = append(c.data, h.Properties[:c.props]...)
	return nil
}

// count counts the memory that a message is going to take, until the broker has the
// message. If there is none, it waits: here, before the message has any, because
// messages that have begun would hold what others wait for.
func (ch *channel) count(h *wire.ContentHeader) error {
	size := link.Cost(h.BodySize, len(h.Properties)+len(ch.content.key))
	if !ch.conn.memory.Take(size) {
		if err := ch.admit(size); err != nil {
			return err
		}
	}
	ch.content.counted = size
	return nil
}

// admit waits for memory, and counts it.
func (ch *channel) admit(size int64) error {
	c, p := &ch.content, &ch.message
	*p = link.Publish{Exchange: c.exchange, RoutingKey: c.key, Waits: ch.conn.waits}
	return ch.link.Admit(ch.conn.ctx, p, size, &ch.conn.memory)
}

// release gives back what the connection has counted for the message at hand.
func (ch *channel) release() {
	ch.conn.memory.Add(-ch.content.counted)
	ch.content.counted = 0
}

// badHeader makes the error for a content header that cannot be read.
func badHeader(err error) *warren.Error {
	var class wire.ClassError
	if errors.As(err, &class) {
		return unexpectedFrame("expected content header for class 60, got one for class %d instead", int(class))
	}
	return failure(wire.CodeFrameError, "%v", err)
}

// contentBody handles a body frame.
func (c *content) contentBody(part []byte) error {
	have := len(c.data) - c.props
	if uint64(have+len(part)) > c.size {
		return failure(wire.CodeFrameError, "content body frame exceeds remaining content size")
	}
	if need := len(c.data) + len(part); need > cap(c.data) {
		// Double the room, but never beyond the announced size.
		grown := make([]byte, len(c.data), min(max(2*cap(c.data), need), c.props+int(c.size)))
		copy(grown, c.data)
		c.data = grown
	}
	c.data = append(c.data, part...)
	return nil
}

// publish gives a complete message to the broker.
func (ch *channel) publish() {
	c := &ch.content
	p := &ch.message
	*p = link.Publish{
		Exchange: c.exchange, RoutingKey: c.key, Mandatory: c.mandatory, Immediate: c.immediate,
		User: ch.conn.login.User, Body: c.data[c.props:], Waits: ch.conn.waits,
	}
	if c.props > 0 {
		p.Properties = wire.RawProperties(c.data[:c.props:c.props])
	}
	c.data = nil // the broker keeps it
	a, err := ch.link.Publish(ch.conn.ctx, p)
	ch.release() // the broker counts it now
	if err != nil && !ch.trySendReturn(err) {
		ch.fail(blame(err, wire.BasicPublishID))
		return
	}
	*p = link.Publish{}
	if a.Number > 0 {
		ch.confirm(&a)
	}
}

// wait says that the reader is going to wait for something else than the client: that
// is not heard meanwhile. The client gets connection.blocked with the reason. An empty
// reason ends the wait, by connection.unblocked.
func (c *conn) wait(reason string) {
	if reason == "" {
		c.unwatchPeer()
		c.blocked.Store(nil)
		if c.client.hearsBlocked {
			c.send(0, &wire.ConnectionUnblocked{})
		}
		return
	}
	c.flush()
	c.blocked.Store(&block{time.Now(), reason})
	c.unwatchPeer = c.watchPeer()
	if c.client.hearsBlocked {
		c.send(0, &wire.ConnectionBlocked{Reason: reason})
	}
}

// trySendReturn sends a message back if err is a *warren.Return. It reports false if
// err is another error.
func (ch *channel) trySendReturn(err error) bool {
	var r *warren.Return
	if !errors.As(err, &r) {
		return false
	}
	ch.sendReturn(r)
	return true
}

// sendReturn sends basic.return, with the properties that the queues would have got.
func (ch *channel) sendReturn(r *warren.Return) {
	m := wire.BasicReturn{ReplyCode: r.Code, ReplyText: view(r.Text), Exchange: view(r.Exchange), RoutingKey: view(r.RoutingKey)}
	props := ch.link.Returned(r)
	ch.conn.out.append(func(b []byte) []byte {
		return wire.AppendReturn(b, ch.number, &m, props, r.Body, ch.conn.frameMax)
	})
}
