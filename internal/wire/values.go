package wire

import (
	"encoding/binary"
	"unicode/utf8"
)

// reader reads values one after the other. The first problem sticks and ends
// the octets, so that it need not be looked at before the end.
type reader struct {
	b   []byte
	err error
}

// fail notes a problem, if err is one.
func (r *reader) fail(err error) {
	if r.err == nil && err != nil {
		r.b, r.err = nil, err
	}
}

// more reports whether there is anything left to read.
func (r *reader) more() bool { return len(r.b) > 0 }

// end gives the problem that there was; octets that are left over are one.
func (r *reader) end() error {
	if r.more() {
		r.fail(ErrTrailing)
	}
	return r.err
}

// endOf is end for the arguments of a method.
func (r *reader) endOf(id MethodID) error {
	if err := r.end(); err != nil {
		return &MethodError{ID: id, Err: err}
	}
	return nil
}

// take gives the next n octets, without copying.
func (r *reader) take(n uint32) []byte {
	if uint64(n) > uint64(len(r.b)) {
		r.fail(ErrTruncated)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) uint8() uint8 {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if v := r.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if v := r.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if v := r.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// bits reads an octet of flags, the lowest bit first. Bits without a name are
// ignored.
func (r *reader) bits(flags ...*bool) {
	v := r.uint8()
	for i, flag := range flags {
		*flag = v>>i&1 != 0
	}
}

// short reads a short string, without copying.
func (r *reader) short() []byte { return r.take(uint32(r.uint8())) }

// long reads a long string, without copying.
func (r *reader) long() []byte { return r.take(r.uint32()) }

func (r *reader) shortString() string { return string(r.short()) }
func (r *reader) longString() string  { return string(r.long()) }

// skipTicket reads the access ticket, which nobody uses.
func (r *reader) skipTicket() { r.take(2) }

// table reads a field table. An empty one is nil.
func (r *reader) table() Table {
	entries := r.long()
	if len(entries) == 0 {
		return nil
	}
	t, err := ParseTable(entries)
	r.fail(err)
	return t
}

func appendUint16(b []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(b, v) }
func appendUint32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }
func appendUint64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }

// appendID begins a method.
func appendID(b []byte, id MethodID) []byte { return appendUint32(b, uint32(id)) }

// appendTicket appends the access ticket, which nobody uses.
func appendTicket(b []byte) []byte { return append(b, 0, 0) }

// appendBits appends an octet of flags, the lowest bit first.
func appendBits(b []byte, flags ...bool) []byte {
	var v byte
	for i, flag := range flags {
		if flag {
			v |= 1 << i
		}
	}
	return append(b, v)
}

// maxShort is the length of the longest short string.
const maxShort = 255

// appendShort appends a short string, cut to what is allowed.
func appendShort[S string | []byte](b []byte, s S) []byte {
	if len(s) > maxShort {
		s = s[:cut(s)]
	}
	b = append(b, byte(len(s)))
	return append(b, s...)
}

// cut is the length to cut s to: the most that is allowed, but not within a
// character.
func cut[S string | []byte](s S) int {
	n := maxShort
	for n > maxShort-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}

// appendLong appends a long string.
func appendLong[S string | []byte](b []byte, s S) []byte {
	b = appendUint32(b, uint32(len(s)))
	return append(b, s...)
}
