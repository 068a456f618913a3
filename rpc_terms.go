package warren

import (
	"context"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/warrenmq/warren/internal/message"
)

// Headers of a request by which a client in any language says how it is to be served.
const (
	// DeadlineHeader is when the requester does not need the answer any more: Unix time in
	// milliseconds, as an integer of any width. It is the deadline of the handler's
	// context. A request that a handler gets later is not served: who still waits for it
	// gets [CodeTimeout]. Other types of values mean nothing.
	DeadlineHeader = "x-warren-deadline"
	// DurableHeader says that the request is to be served although its requester has gone:
	// true, as a boolean, see [CallOptions].Durable.
	DurableHeader = "x-warren-durable"
)

// terms are what a request's headers say about how it is to be served. A nil pointer
// says nothing.
type terms struct {
	deadline time.Time // zero: none
	durable  bool
}

// termsOf returns the terms in a request's headers, as users see them.
func termsOf(headers Table) *terms {
	ms, limited := headers[DeadlineHeader].(int64)
	durable, _ := headers[DurableHeader].(bool)
	if !limited && !durable {
		return nil
	}
	t := &terms{durable: durable}
	if limited {
		t.deadline = time.UnixMilli(ms)
	}
	return t
}

// isDurable reports whether the request is served without its requester, too.
func (t *terms) isDurable() bool { return t != nil && t.durable }

// areOver reports whether the deadline has passed.
func (t *terms) areOver() bool {
	return t != nil && !t.deadline.IsZero() && !time.Now().Before(t.deadline)
}

// earlier returns the earlier one of the deadline and another, which counts if ok.
func (t *terms) earlier(d time.Time, ok bool) (time.Time, bool) {
	if t == nil || t.deadline.IsZero() || ok && d.Before(t.deadline) {
		return d, ok
	}
	return t.deadline, true
}

// makeDurable turns msg into the request of a durable call, which the returned context
// goes with.
func makeDurable(ctx context.Context, msg *Message) context.Context {
	msg.DeliveryMode = Persistent
	if msg.MessageId == "" {
		msg.MessageId = uuid.NewString()
	}
	headers := maps.Clone(msg.Headers)
	if headers == nil {
		headers = make(Table, 2)
	}
	headers[DurableHeader] = true
	if d, ok := ctx.Deadline(); ok && headers[DeadlineHeader] == nil {
		headers[DeadlineHeader] = d.Add(time.Millisecond - 1).UnixMilli() // not before the caller's
	}
	msg.Headers = headers
	return detachedContext{ctx}
}

// detachedContext has values and deadline of another context, but never ends.
type detachedContext struct{ context.Context }

// Done implements [context.Context].
func (detachedContext) Done() <-chan struct{} { return nil }

// Err implements [context.Context].
func (detachedContext) Err() error { return nil }

// dropOverdue ends a request whose deadline was over before the handler had it. Who still
// waits for the answer is told. stay is as in Pool.Skip.
func (h *Handler) dropOverdue(it *message.Item, c *call, s *served) (stay bool) {
	stay = h.pool.Skip(it)
	overdue := &RemoteError{Code: CodeTimeout, Text: textOverdue}
	switch {
	case c != nil:
		c.slot.fail(c.round, overdue)
	case s.ReplyTo != "":
		h.publishReply(it, &s.Request, &Message{CorrelationId: s.CorrelationId}, overdue)
	}
	if c == nil {
		tellFate(it.Content, acked)
	}
	return stay
}
