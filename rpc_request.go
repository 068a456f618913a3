package warren

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
)

// call is the content of a Call's request. It adds the time left until the caller's
// deadline as Expiration. A Handler gets the deadline by its context.
type call struct {
	served // it has the caller's context; the rest of its fields are for the handler

	slot  *replySlot
	round uint64 // round of the call in its slot
	size  int64  // that it holds: see Size
	more  *more  // nil: nothing that follows
}

// more is what some calls have.
type more struct {
	headers Table        // as published; Request.Headers is as users see them
	others  atomic.Int32 // queues that still have the request, beside one
	shared  bool         // the request went to more than one queue
	parent  *call        // the call that a queue dead-lettered as this one; nil: none
}

// share notes that so many queues are to have the request.
func (c *call) share(queues int) {
	if queues <= 1 {
		return
	}
	if c.more == nil {
		c.more = &more{}
	}
	c.more.others.Store(int32(queues - 1))
	c.more.shared = true
}

// isShared reports whether the request went to more than one queue.
func (c *call) isShared() bool { return c.more != nil && c.more.shared }

// callSize is what a call counts beside its properties, in bytes.
const callSize = 200

// newCall makes the content of a call. Each call has one of its own, because the
// handler may keep the Request in it.
func (s *replySlot) newCall(ctx context.Context, round uint64, msg *Message) *call {
	c := &call{slot: s, round: round}
	c.caller = ctx
	if msg.properties().Plain() { // as a rule; the rest is zero already
		c.Body = msg.Body
	} else {
		c.Message = *msg
	}
	return c
}

// setHeaders sets the headers, which have been checked. If they are narrow, users see
// them widened.
func (c *call) setHeaders(headers Table, checked table.Checked) {
	if headers != nil {
		if c.more == nil {
			c.more = &more{}
		}
		c.more.headers, c.Request.Headers = headers, headers
	}
	c.size = callSize + c.properties().SizeWith(checked.Size)
	if checked.Narrow {
		c.Request.Headers = table.Widen(headers)
		c.size *= 2
	}
}

// Properties returns the properties to send, with the time left as Expiration.
func (c *call) Properties() message.Properties {
	p := *c.properties()
	p.Headers, p.Body = c.Headers(), nil
	if p.Expiration == "" {
		if ms, ok := remaining(c.caller); ok {
			p.Expiration = strconv.FormatInt(ms, 10)
		}
	}
	return p
}

// Shown returns the properties as users see them.
func (c *call) Shown() message.Properties {
	p := c.Properties()
	p.Headers = c.Request.Headers
	return p
}

func (c *call) Headers() table.Table {
	if c.more == nil {
		return nil
	}
	return c.more.headers
}

func (c *call) Header(name string) any { return c.Headers()[name] }

// Size returns how many bytes the content holds. It was taken when the headers were
// set, because what a handler does to its request must not change it.
func (c *call) Size() int64 { return c.size }

func (c *call) Priority() uint8 { return c.Request.Priority }

func (c *call) Persistent() bool { return c.Request.DeliveryMode == Persistent }

// AppendTo appends the encoded properties to b.
func (c *call) AppendTo(b []byte) []byte {
	p := c.Properties()
	return p.AppendTo(b)
}

// Edited makes a request of the same call. Its Expiration is the published one, and
// not the time that is left to the caller.
func (c *call) Edited(e message.Edit) message.Content {
	p := *c.properties()
	p.Headers = c.Headers()
	p = e.Apply(p)
	d := &call{slot: c.slot, round: c.round, more: &more{parent: c, shared: true}}
	d.caller = c.caller
	d.Message = Message(p)
	d.Body = nil
	d.setHeaders(p.Headers, table.Checked{Narrow: true, Size: table.Size(p.Headers)})
	return d
}

// Lost says that n queues have lost the request without an answer. The call fails
// when no queue has the request any more.
func (c *call) Lost(n int) {
	switch m := c.more; {
	case m != nil && m.others.Add(int32(-n)) >= 0:
	case m != nil && m.parent != nil:
		m.parent.Lost(1)
	default:
		c.slot.fail(c.round, ErrRequestDropped)
	}
}

// callOf returns the call whose request a message is, or nil.
func callOf(c message.Content) *call {
	if c, ok := c.(*call); ok {
		return c
	}
	of, _ := message.Inner(c).(*call)
	return of
}

// Unawaited returns the content without the call, which has been told that nobody
// will answer it.
func (c *call) Unawaited() message.Content {
	p := *c.properties()
	p.Headers = c.Headers()
	return message.NewPublished(&p)
}

// remaining returns the time until ctx's deadline in milliseconds, at least zero. ok
// is false if ctx has no deadline.
func remaining(ctx context.Context) (ms int64, ok bool) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0, false
	}
	return max(0, time.Until(deadline).Milliseconds()), true
}
