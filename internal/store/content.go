package store

import (
	"encoding/binary"
	"sync"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// Flags of a content.
const (
	hasProperties = 1 << iota
	hasHidden     // keys of the header BCC
	hasLetter     // it was dead-lettered
	hasUser       // its reply needs the rights of a user
	knownContent  = 1<<iota - 1
)

// appendContent appends all of a message but its body, which comes next in a record.
func appendContent(b []byte, e *message.Entry) []byte {
	at := len(b)
	b = append(b, 0)
	exchange := ""
	if e.Exchange != nil {
		exchange = *e.Exchange
	}
	b = appendText(b, exchange)
	b = appendText(b, e.Key)
	c := e.Content
	if c == nil {
		return b
	}
	if h, ok := c.(*message.Blind); ok {
		b[at] |= hasHidden
		b = binary.AppendUvarint(b, uint64(len(h.Keys)))
		for _, k := range h.Keys {
			b = appendText(b, k)
		}
		c = h.Content
	}
	if l, ok := c.(*message.Letter); ok {
		b[at] |= hasLetter
		b = binary.AppendUvarint(b, uint64(l.Deaths))
		b = binary.AppendUvarint(b, uint64(max(0, l.Line.Add(0))))
		c = l.Content
	}
	if u, ok := c.(*message.Bounded); ok {
		b[at] |= hasUser
		b = appendText(b, u.User)
		c = u.Content
	}
	b[at] |= hasProperties
	return appendProperties(b, c)
}

// appendProperties appends the encoded properties with their length in front.
func appendProperties(b []byte, c message.Content) []byte {
	const room = binary.MaxVarintLen32
	from := len(b)
	b = append(b, make([]byte, room)...)
	b = c.AppendTo(b)
	n := len(b) - from - room
	k := binary.PutUvarint(b[from:], uint64(n))
	return append(b[:from+k], b[from+room:]...)
}

// interner makes equal texts one. Contents of messages that were read share the names
// of their exchanges.
type interner struct {
	mu    sync.Mutex
	names map[string]*string
}

// mostNames is how many names an interner keeps; then it begins anew.
const mostNames = 1 << 12

func (n *interner) get(name []byte) *string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s, ok := n.names[string(name)]; ok {
		return s
	}
	if n.names == nil || len(n.names) >= mostNames {
		n.names = make(map[string]*string)
	}
	s := string(name)
	n.names[s] = &s
	return &s
}

// parser reads contents, one after the other.
type parser struct {
	names    *interner
	exchange *string // of the last one
	key      string  // of the last one
}

// parse reads the content of a message. The entry shares no memory with b.
func (p *parser) parse(b []byte, e *message.Entry) error {
	r := reader{b: b}
	flags := r.octet()
	exchange, key := r.bytes(), r.bytes()
	var letter *message.Letter
	var hidden []string
	var raw []byte
	if flags&hasHidden != 0 {
		hidden = make([]string, r.count())
		for i := range hidden {
			hidden[i] = string(r.bytes())
		}
	}
	if flags&hasLetter != 0 {
		letter = &message.Letter{Deaths: int(r.uvarint()), Line: &message.Line{}}
		letter.Line.Add(int(r.uvarint()))
	}
	user := ""
	if flags&hasUser != 0 {
		user = string(r.bytes())
	}
	if flags&hasProperties != 0 {
		raw = r.bytes()
	}
	if r.bad || flags&^knownContent != 0 || flags&(hasHidden|hasLetter|hasUser) != 0 && flags&hasProperties == 0 {
		return errShort
	}
	if p.exchange == nil || *p.exchange != string(exchange) {
		p.exchange = p.names.get(exchange)
	}
	if p.key != string(key) {
		p.key = string(key)
	}
	mode, plain := message.ModeOf(raw)
	if plain {
		raw = nil
	}
	own := make([]byte, len(raw)+len(r.b)) // the properties and the body
	copy(own, raw)
	copy(own[len(raw):], r.b)
	raw, body := own[:len(raw):len(raw)], own[len(raw):]
	*e = message.Entry{Body: body, Key: p.key, Exchange: p.exchange}
	if len(body) == 0 {
		e.Body = nil
	}
	switch {
	case plain:
		e.Content = mode
	case flags&hasProperties != 0:
		e.Content = &message.Encoded{Raw: wire.RawProperties(raw)}
	}
	if flags&hasUser != 0 {
		e.Content = &message.Bounded{Content: e.Content, User: user}
	}
	if letter != nil {
		letter.Content = e.Content
		e.Content = letter
	}
	if flags&hasHidden != 0 {
		e.Content = &message.Blind{Content: e.Content, Keys: hidden}
	}
	return nil
}

// bodyLen returns the length of the body of a content.
func bodyLen(b []byte) (int, error) {
	r := reader{b: b}
	flags := r.octet()
	r.bytes()
	r.bytes()
	if flags&hasHidden != 0 {
		for range r.count() {
			r.bytes()
		}
	}
	if flags&hasLetter != 0 {
		r.uvarint()
		r.uvarint()
	}
	if flags&hasUser != 0 {
		r.bytes()
	}
	if flags&hasProperties != 0 {
		r.bytes()
	}
	if r.bad {
		return 0, errShort
	}
	return len(r.b), nil
}
