package warren

import "context"

// Request is a message as a handler gets it. It is the handler's for ever, but must
// not be changed: others share its body and headers.
type Request struct {
	Message
	Exchange    string // the exchange that it was published to
	RoutingKey  string // the key that it was published with
	Redelivered bool   // it was delivered before and not settled
}

// HandlerFunc serves one request. The returned message is the reply: it goes to the
// request's ReplyTo, and gets the request's CorrelationId unless it has one. Without
// a ReplyTo the message is one way, and what is returned with a nil error has no
// meaning.
//
// A returned error, or a panic, is sent as the reply: the caller gets it as
// [*RemoteError]. What goes to requesters outside of this process is its code and a
// short text, see [HandleOptions].ExposeErrors. If there is no requester, or none
// that the reply can reach, the message is rejected, which makes it a dead letter,
// or requeued, see [HandleOptions].Requeue; the error is logged and counted in
// [Stats].Failed.
//
// In process, ctx has the values, the deadline and the cancellation of the caller's
// context. It also ends when the requester goes away, when the broker closes, and
// when the handler returns. The header [DeadlineHeader] of a request sets a deadline,
// too. [RequestFrom] returns the request from ctx, and [RequesterFrom] who waits for the
// reply.
//
// To have a third party answer, a handler publishes req.Message with the same
// ReplyTo and CorrelationId and returns [ErrNoReply].
//
// A reply goes to its requester alone: the headers CC and BCC have no effect. A
// reply that returns the request's own ReplyTo loses it, so that a handler may
// return req.Message whole. Its Expiration counts in a queue that ReplyTo names;
// elsewhere a reply does not wait.
type HandlerFunc func(ctx context.Context, req *Request) (Message, error)
