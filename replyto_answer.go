package warren

// answer is what a requester gets: a reply, an error, or both, if the reply tells of the
// error.
//
// Most replies have a body and a correlation id and nothing else. They are kept apart
// from others, because to copy a whole Message costs much while the garbage collector
// marks: it looks at each of its pointers.
type answer struct {
	body          []byte
	correlationID string
	isWhole       bool  // the reply has more: it is whole
	err           error // nil: the request has not failed
	whole         Message
}

// set sets the answer, which is empty: a new one, or one that was taken.
func (a *answer) set(reply *Message, err error) {
	if err != nil {
		a.err = err
	}
	if reply.properties().OnlyCorrelated() {
		a.body, a.correlationID = reply.Body, reply.CorrelationId
	} else {
		a.whole, a.isWhole = *reply, true
	}
}

// fail sets an answer without a reply.
func (a *answer) fail(err error) { a.err = err }

// take takes the answer. It moves the reply to *reply, which is zero, and returns the
// error.
func (a *answer) take(reply *Message) (err error) {
	if a.isWhole {
		*reply = a.whole
		a.whole, a.isWhole = Message{}, false
	} else {
		reply.Body, reply.CorrelationId = a.body, a.correlationID
		a.body, a.correlationID = nil, ""
	}
	if a.err != nil {
		err, a.err = a.err, nil
	}
	return err
}
