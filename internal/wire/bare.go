package wire

import "encoding/binary"

// Bare are properties of which no more is set than one header, which is an integer,
// CorrelationId and ReplyTo.
type Bare struct {
	Header  []byte // its name
	Value   int64
	ReplyTo []byte
}

// Bare reads such properties, all at once. ok is false if they are not so.
func (p RawProperties) Bare() (b Bare, ok bool) {
	var r propertyReader
	r.start(p)
	if r.flags&^(Headers|CorrelationId|ReplyTo) != 0 {
		return b, false
	}
	h := reader{b: r.next(Headers)}
	b.Header = h.short()
	b.Value, ok = integer(h.field())
	ok = ok && h.err == nil && len(h.b) == 0
	r.next(CorrelationId)
	b.ReplyTo = r.next(ReplyTo)
	return b, ok && r.err == nil
}

// integer returns the value of a field, if it is an integer.
func integer(tag byte, v []byte) (n int64, ok bool) {
	if len(v) == 0 {
		return 0, false // it was cut off
	}
	switch tag {
	case tagInt8:
		return int64(int8(v[0])), true
	case tagUint8:
		return int64(v[0]), true
	case tagInt16, tagInt16Old:
		return int64(int16(binary.BigEndian.Uint16(v))), true
	case tagUint16:
		return int64(binary.BigEndian.Uint16(v)), true
	case tagInt32:
		return int64(int32(binary.BigEndian.Uint32(v))), true
	case tagUint32:
		return int64(binary.BigEndian.Uint32(v)), true
	case tagInt64, tagInt64Old:
		return int64(binary.BigEndian.Uint64(v)), true
	}
	return 0, false
}
