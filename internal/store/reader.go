package store

import (
	"encoding/binary"
	"errors"
	"math"
)

// errShort is for what ends too early or is not what its kind says, although its
// checksum is good: a program of another version has written it.
var errShort = errors.New("store: not what its kind says")

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

// number reads a number of at most 32 bits.
func (r *reader) number() uint32 {
	v := r.uvarint()
	if v > math.MaxUint32 {
		r.fail()
		return 0
	}
	return uint32(v)
}

// name reads a queue and a position.
func (r *reader) name() (queue uint32, pos uint64) { return r.number(), r.uvarint() }

// take reads n octets. They share the reader's memory.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// bytes reads a number and as many octets.
func (r *reader) bytes() []byte { return r.take(r.uvarint()) }

// count reads how many things follow, of which each has one octet at least.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

// end is nil if all was read and nothing was bad.
func (r *reader) end() error {
	if r.bad || len(r.b) != 0 {
		return errShort
	}
	return nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
