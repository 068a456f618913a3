package warren

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
)

// Request is what a handler gets: a message with the way it came. It must not
// be changed, and it is the handler's until it returns: then the broker uses
// it for another request. To keep what is in it, copy req.Message; the body
// and headers that a copy points to stay as they are.
type Request struct {
	Message
	Exchange    string // it was published to
	RoutingKey  string // it was published with
	Redelivered bool   // a handler or consumer has had it before and did not settle it
}

// call is the content of a request of a Call: that of its Request, with the time
// that is left to the caller. To a Handler the deadline travels as context.
type call struct {
	Request
	headers Table // as they were published; those of Request are as users see them

	caller context.Context
	slot   *replySlot
	round  uint64       // the call's, in its slot
	copies atomic.Int32 // queues that still have the request
	parent *call        // the one that a queue lost when this became its dead letter
	shared bool         // it went to more than one queue
}

// newCall makes the content of a call, if need be: the last one's that was
// answered by a handler serves again.
func (s *replySlot) newCall(ctx context.Context, round uint64, msg *Message) *call {
	c := s.spare
	s.spare = nil
	if c == nil {
		c = &call{}
	}
	c.Message = *msg
	c.caller, c.slot, c.round, c.shared = ctx, s, round, false
	return c
}

// reuse lets the slot's next call have content that nobody knows any more. The
// slot is the caller's who claimed it.
func (s *replySlot) keepSpare(c *call) {
	c.Request.Headers, c.headers, c.Body, c.caller = nil, nil, nil, nil
	s.spare = c
}

// setHeaders sets headers, which users see in another form if they are narrow.
func (c *call) setHeaders(headers Table, narrow bool) {
	c.headers, c.Request.Headers = headers, headers
	if narrow {
		c.Request.Headers = table.Widen(headers)
	}
}

// Properties are those of the request with the time that is left.
func (c *call) Properties() message.Properties {
	p := *c.properties()
	p.Headers, p.Body = c.headers, nil
	if p.Expiration == "" {
		if ms, ok := remaining(c.caller); ok {
			p.Expiration = strconv.FormatInt(ms, 10)
		}
	}
	return p
}

// Shown are the properties as users see them.
func (c *call) Shown() message.Properties {
	p := c.Properties()
	p.Headers = c.Request.Headers
	return p
}

func (c *call) Headers() table.Table { return c.headers }
func (c *call) Priority() uint8      { return c.Request.Priority }

// AppendTo appends the properties as they travel.
func (c *call) AppendTo(b []byte) []byte {
	p := c.Properties()
	return p.AppendTo(b)
}

// Derive makes a request of the same call with other properties.
func (c *call) Derive(p message.Properties, _ bool) message.Content {
	d := &call{caller: c.caller, slot: c.slot, round: c.round, parent: c, shared: true}
	d.Message = Message(p)
	d.Body = nil
	d.setHeaders(p.Headers, true)
	return d
}

// Lost says that n of the queues have the request no more and have not had it
// answered: when none has it, the call fails.
func (c *call) Lost(n int) {
	switch {
	case c.copies.Add(int32(-n)) > 0:
	case c.parent != nil:
		c.parent.Lost(1)
	default:
		c.slot.fail(c.round, ErrRequestDropped)
	}
}

// Unawaited is the content without the call, which has been told that nobody
// will answer it.
func (c *call) Unawaited() message.Content {
	p := *c.properties()
	p.Headers = c.headers
	return message.NewPublished(&p)
}

// remaining is the time left until ctx's deadline, in milliseconds and never
// negative; ok is false when there is none.
func remaining(ctx context.Context) (ms int64, ok bool) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0, false
	}
	return max(0, time.Until(deadline).Milliseconds()), true
}
