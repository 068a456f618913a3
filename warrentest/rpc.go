package warrentest

import (
	"errors"
	"slices"
	"time"

	"github.com/warrenmq/warren"
)

// Answer is what a scripted server does with a request: see [Broker.Answer]. Answers are
// made by functions such as [Reply]. Their methods return a changed copy.
type Answer struct {
	do    func(d *warren.Delivery) (reply warren.Message, silent bool)
	means func(d *warren.Delivery) bool // nil: every request
	times int                           // zero: it depends, see Answer.Times

	copies      int           // of the reply, beyond the first
	late        time.Duration // that the reply waits for
	held        bool          // the reply waits for Release
	correlation *string       // of the reply, in place of the request's
}

// Reply answers with a body.
func Reply(body string) Answer { return ReplyMessage(warren.Message{Body: []byte(body)}) }

// ReplyMessage answers with a message. It gets the request's CorrelationId unless it has
// one.
func ReplyMessage(m warren.Message) Answer {
	return Answer{do: func(*warren.Delivery) (warren.Message, bool) { return m, false }}
}

// ReplyFunc answers with what f returns for a request, or with its error, as a handler
// does: see [warren.Broker.Handle]. A [*warren.RemoteError] says code and text. Other
// requests wait until f returns. f must not end the test, so it reports by Error.
func ReplyFunc(f func(d warren.Delivery) (warren.Message, error)) Answer {
	return Answer{do: func(d *warren.Delivery) (reply warren.Message, silent bool) {
		defer func() {
			if recover() != nil {
				reply = failed(warren.CodePanic, textPanic)
			}
		}()
		reply, err := f(*d)
		if err != nil {
			return failedBy(err), false
		}
		return reply, false
	}}
}

// Fail answers with an error, as a handler does that returns a [*warren.RemoteError]:
// other clients see it in the headers x-warren-error and x-warren-error-text.
func Fail(code, text string) Answer { return ReplyMessage(failed(code, text)) }

// Panic answers as [warren.Broker.Handle] does when the function panics: with an error of
// the code [warren.CodePanic].
func Panic() Answer { return Fail(warren.CodePanic, textPanic) }

// NoReply takes the request and never answers: the reply is lost.
func NoReply() Answer {
	return Answer{do: func(*warren.Delivery) (warren.Message, bool) { return warren.Message{}, true }}
}

// Hang neither answers nor settles the request, until [Script.Release] or the end of the
// test. After Release it is settled and never answered. For an answer that comes then, use
// [Answer.Held].
func Hang() Answer { return NoReply().Held() }

// textPanic is what a handler says of a panic.
const textPanic = "the handler panicked"

// failed is a reply that says an error.
func failed(code, text string) warren.Message {
	return warren.Message{Headers: warren.Table{warren.ErrorCodeHeader: code, warren.ErrorTextHeader: text}}
}

// failedBy is a reply that says err as a handler does: code and text of a RemoteError
// alone leave the process.
func failedBy(err error) warren.Message {
	if r, ok := errors.AsType[*warren.RemoteError](err); ok {
		return failed(r.Code, r.Text)
	}
	return failed(warren.CodeError, "the handler returned an error")
}

// For makes the answer one for requests with one of these bodies, however many there are.
func (a Answer) For(bodies ...string) Answer {
	return a.If(func(d warren.Delivery) bool { return slices.Contains(bodies, string(d.Body)) })
}

// If makes the answer one for requests of which f is true, however many there are. If and
// For after each other mean both.
func (a Answer) If(f func(d warren.Delivery) bool) Answer {
	before := a.means
	a.means = func(d *warren.Delivery) bool { return (before == nil || before(d)) && f(*d) }
	return a
}

// Times makes the answer one for the next n requests that it is for; [Forever]: for all.
// It panics if n is something else below one.
func (a Answer) Times(n int) Answer {
	if n < 1 && n != Forever {
		panic("warrentest: Times of an answer must be at least 1, or Forever")
	}
	a.times = n
	return a
}

// Twice sends the reply twice. Twice().Twice() sends it three times.
func (a Answer) Twice() Answer {
	a.copies++
	return a
}

// Late lets the reply wait for d. Others do not wait for it.
func (a Answer) Late(d time.Duration) Answer {
	a.late = d
	return a
}

// Held lets the reply wait for [Script.Release], and after that for the time of Late. The
// end of the test comes before both: then no reply is sent. Others do not wait for it.
func (a Answer) Held() Answer {
	a.held = true
	return a
}

// CorrelationId gives the reply another correlation id than the request has. Who asked by
// [warren.Broker.Call] does not look at it, because the address of the reply is enough.
func (a Answer) CorrelationId(id string) Answer {
	a.correlation = &id
	return a
}
