package warren

import "context"

// Requester is who waits for the reply of a request. The zero value is nobody who is
// known: the request has no ReplyTo, or the requester has gone, or its ReplyTo is a queue
// that several may share. Requesters can be compared by ==.
type Requester struct {
	// InProcess: a Call of this program, or one that returns more answers, waits for the reply.
	InProcess bool
	// Session is the ID of the requester's session, see [Session.ID], by which
	// [Broker.Sessions] knows its address and what its client says about itself. It is
	// known if ReplyTo is an address of direct reply-to or an exclusive queue. Empty: it
	// is a Call of this program, or not known.
	Session string
	// User is the user that the session has logged in as. If the session is not known, it
	// is the request's UserId, which a client can set to no other name than its own. Empty:
	// this program, or not known.
	User string
}

// RequesterFrom returns who waits for the reply of the request that a handler works on, if
// ctx is the handler's context or made from one. Otherwise, and if that is not known, it
// returns the zero value. It tells who waits now: who has passed the request on, as a
// handler with [ErrNoReply] does, is not the requester.
func RequesterFrom(ctx context.Context) Requester {
	req := RequestFrom(ctx)
	h, _ := ctx.Value(handlerKey{}).(*Handler)
	if req == nil || h == nil || req.ReplyTo == "" {
		return Requester{}
	}
	v := h.vhost
	if v.bridged {
		return Requester{User: req.UserId}
	}
	if isReplyAddress(req.ReplyTo) {
		r := v.replies.find(req.ReplyTo)
		if r.slot == nil {
			return Requester{}
		}
		if c, ok := r.consumer.(*replyConsumer); ok {
			return requesterWith(c.ch.session)
		}
		return Requester{InProcess: true, User: req.UserId}
	}
	if q := v.queue(req.ReplyTo); q != nil && q.owner != nil {
		return requesterWith(q.owner)
	}
	return Requester{User: req.UserId}
}

func requesterWith(s *Session) Requester { return Requester{Session: s.ID(), User: s.User()} }
