// Package message has the messages that go through the broker: a body with its
// properties, in the forms in which they come, are kept and leave.
package message

// Entry is a message as queues keep it. It has 64 bytes and is copied by value.
// The properties, which many messages do not have, are behind an interface.
type Entry struct {
	Body     []byte
	Key      string  // routing key that it was published with
	Exchange *string // name of the exchange that it was published to
	Content  Content // nil when no property is set
}

// Item is an entry in a queue: it has a position, and the queue notes what has
// happened to it.
type Item struct {
	Entry
	Pos         uint64
	Deadline    int64  // when it expires, on the broker's clock; zero: never
	Returns     uint32 // times that it was requeued; counted only if the queue counts them
	Redelivered bool
	Counted     bool // its consumer is told Returns even if they are zero
}

// Persistent reports whether the delivery mode says that the message is to survive a
// restart.
func (e *Entry) Persistent() bool { return e.Content != nil && e.Content.Persistent() }

// Properties returns the properties as they came, with the body.
func (e *Entry) Properties() Properties {
	if e.Content == nil {
		return Properties{Body: e.Body}
	}
	p := e.Content.Properties()
	p.Body = e.Body
	return p
}

// Shown returns the properties as users see them, with the body.
func (e *Entry) Shown() Properties {
	if e.Content == nil {
		return Properties{Body: e.Body}
	}
	p := e.Content.Shown()
	p.Body = e.Body
	return p
}

// Edited makes the content of a message that is made from this one.
func (e *Entry) Edited(edit Edit) Content {
	if e.Content == nil {
		return (&Published{}).Edited(edit)
	}
	return e.Content.Edited(edit)
}

// Lost notes that one holder of the message has dropped it without telling
// anybody. If the message is a request, its call learns that it may get no answer.
func (e *Entry) Lost() {
	if e.Content != nil {
		e.Content.Lost(1)
	}
}

// Awaited reports whether the message is a request whose call waits in this process.
func (e *Entry) Awaited() bool {
	if e.Content == nil {
		return false
	}
	_, ok := Inner(e.Content).(request)
	return ok
}

// request is the content of a request. Unawaited returns it without its call.
type request interface{ Unawaited() Content }

// Abandon notes that nobody is going to settle the message, although it can still
// be read. If it is a request, its call is told now, and not again later.
func (e *Entry) Abandon() {
	if r, ok := Inner(e.Content).(request); ok {
		e.Content.Lost(1)
		e.Content = r.Unawaited()
	}
}

// Outgoing returns the content that a consumer gets. It has the header
// x-delivery-count if the queue has counted requeues of the message.
func (it *Item) Outgoing() Content {
	if it.Returns == 0 && !it.Counted {
		return it.Content
	}
	return it.counted()
}

// counted returns the content with the header x-delivery-count. It is not inlined, so
// that Outgoing is.
//
//go:noinline
func (it *Item) counted() Content {
	return it.Edited(SetHeader("x-delivery-count", int64(it.Returns)))
}
