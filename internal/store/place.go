package store

import "encoding/binary"

// Kinds of records in the log.
const (
	kindMessage  = 1 // place, content
	kindCopy     = 2 // place, queue and position of the message with the content
	kindRemove   = 3 // queue, position
	kindRange    = 4 // queue, first and last position
	kindReturned = 5 // queue, position, returns, 1 if it counts as redelivered
	kindHead     = 6 // number of a generation, which it begins; time; 1 if what came before counts as redelivered
	kindTime     = 7 // time
)

// Flags of a place.
const (
	isPersistent  = 1 << iota // survives a restart
	isRedelivered             // was delivered before
	isShared                  // other places may refer to its content
	hasDeadline
	hasReturns
	hasTime
	knownPlace = 1<<iota - 1
)

// place is where a message belongs, and what the queue notes about it. It is the first
// part of a record of a message; the second one is its content, which several places
// may share.
type place struct {
	pos      uint64
	queue    uint32
	returns  uint32 // see message.Item
	flags    byte
	deadline int64 // milliseconds of Unix time; zero: none
	at       int64 // when it came, in milliseconds of Unix time; zero: nobody asked
}

// append appends the encoded place to b.
func (p *place) append(b []byte) []byte {
	at := len(b)
	b = append(b, p.flags&(isPersistent|isRedelivered|isShared))
	b = appendName(b, p.queue, p.pos)
	if p.deadline != 0 {
		b[at] |= hasDeadline
		b = binary.AppendVarint(b, p.deadline)
	}
	if p.returns != 0 {
		b[at] |= hasReturns
		b = binary.AppendUvarint(b, uint64(p.returns))
	}
	if p.at != 0 {
		b[at] |= hasTime
		b = binary.AppendVarint(b, p.at)
	}
	return b
}

// appendName appends what names a message: its queue and position.
func appendName(b []byte, queue uint32, pos uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(queue)), pos)
}

// read reads a place.
func (p *place) read(r *reader) {
	p.flags = r.octet()
	if p.flags&^knownPlace != 0 {
		r.fail()
	}
	p.queue, p.pos = r.name()
	p.deadline, p.returns, p.at = 0, 0, 0
	if p.flags&hasDeadline != 0 {
		p.deadline = r.varint()
	}
	if p.flags&hasReturns != 0 {
		p.returns = uint32(r.uvarint())
	}
	if p.flags&hasTime != 0 {
		p.at = r.varint()
	}
}

func (p *place) persistent() bool { return p.flags&isPersistent != 0 }

// timed is 1 if the message has a deadline.
func (p *place) timed() int {
	if p.deadline != 0 {
		return 1
	}
	return 0
}
