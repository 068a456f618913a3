// Package message is what travels through the broker: a body with its
// properties, in the forms in which they come, wait and leave.
package message

// Entry is a message as queues keep it: 64 bytes, copied by value. What few
// messages have stands behind the interface.
type Entry struct {
	Body     []byte
	Key      string  // routing key that it was published with
	Exchange *string // name of the exchange that it was published to
	Content  Content // nil when no property is set
}

// Item is an entry that a queue has given a position, and its fate so far.
type Item struct {
	Entry
	Pos         uint64
	Deadline    int64  // when it expires, on the broker's clock; zero: never
	Returns     uint32 // times that it came back; counted where a limit is set
	Redelivered bool
}

// overhead is what an entry costs beyond its body, for the memory limit.
const overhead = 100

// Cost is what the entry counts for the memory limit, in bytes.
func (e *Entry) Cost() int64 { return int64(len(e.Body)) + overhead }

// Properties are the entry's, as they came, with the body.
func (e *Entry) Properties() Properties {
	if e.Content == nil {
		return Properties{Body: e.Body}
	}
	p := e.Content.Properties()
	p.Body = e.Body
	return p
}

// Shown are the properties as users see them, with the body.
func (e *Entry) Shown() Properties {
	if e.Content == nil {
		return Properties{Body: e.Body}
	}
	p := e.Content.Shown()
	p.Body = e.Body
	return p
}

// Derive makes the content of a message that goes on from this one with other
// properties, see Content.
func (e *Entry) Derive(p *Properties, narrowed bool) Content {
	if e.Content == nil {
		return NewChecked(p, narrowed) // there were no headers
	}
	return e.Content.Derive(*p, narrowed)
}

// Lost says that one of those who had the message has it no more, and has told
// nobody of it: a call that waits for an answer may wait for nothing.
func (e *Entry) Lost() {
	if e.Content != nil {
		e.Content.Lost(1)
	}
}

// Abandon says that nobody is going to settle the message, although it can
// still be read: who waits for an answer to it is told now, and only now.
func (e *Entry) Abandon() {
	if r, ok := e.Content.(interface{ Unawaited() Content }); ok {
		e.Content.Lost(1)
		e.Content = r.Unawaited()
	}
}

// Outgoing is the content that a consumer gets: with x-delivery-count, if the
// queue has counted how often the message came back.
func (it *Item) Outgoing() Content {
	if it.Returns == 0 {
		return it.Content
	}
	return it.counted()
}

func (it *Item) counted() Content {
	p := it.Properties()
	p.Headers = withHeader(p.Headers, "x-delivery-count", int64(it.Returns))
	return it.Derive(&p, false)
}
