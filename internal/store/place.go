package store

import (
	"encoding/binary"
	"errors"
)

// errShort is for a record that ends too early or has more in it than it may. Its
// checksum was good, so a program of another version has written it.
var errShort = errors.New("store: record is not what its kind says")

// Flags of a place.
const (
	isPersistent  = 1 << iota // survives a restart
	isRedelivered             // was delivered before
	hasDeadline
	hasReturns
	hasTime
	knownPlace = 1<<iota - 1
)

// place is where a message belongs, and what the queue notes about it. It is the first
// part of a record of a message; the second one is its content, which several places
// may share.
type place struct {
	queue    uint32
	pos      uint64
	flags    byte
	deadline int64  // milliseconds of Unix time; zero: none
	returns  uint32 // see message.Item
	at       int64  // when it came, in milliseconds of Unix time; zero: nobody asked
}

// append appends the encoded place to b.
func (p *place) append(b []byte) []byte {
	at := len(b)
	b = append(b, p.flags&(isPersistent|isRedelivered))
	b = binary.AppendUvarint(b, uint64(p.queue))
	b = binary.AppendUvarint(b, p.pos)
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

// read reads a place.
func (p *place) read(r *reader) {
	*p = place{flags: r.octet()}
	if p.flags&^knownPlace != 0 {
		r.bad = true
	}
	p.queue, p.pos = uint32(r.uvarint()), r.uvarint()
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

// reader reads what append functions have written. After a bad read, all it reads is
// zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) fail() { r.bad, r.b = true, nil }

func (r *reader) octet() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// bytes reads a number and as many octets. They share the reader's memory.
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// count reads how many things follow, of which each has one octet at least.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
