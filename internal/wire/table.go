package wire

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"time"
)

// Table is a field table. Its values are
//
//	nil, bool, string, []byte, time.Time, [Decimal], Table, []any (of these),
//	int8, int16, int32, int64, int, uint8, uint16, uint32, float32, float64
//
// Times have whole seconds, and an int travels as an int64. Tables and arrays
// nest at most [MaxNesting] deep, the outermost table included.
type Table = map[string]any

// Decimal is Value divided by 10 to the power of Scale.
type Decimal struct {
	Scale uint8
	Value int32
}

// MaxNesting is how deep tables and arrays may nest.
const MaxNesting = 32

// The tags of field values, with the meaning that all peers give them. Some
// differ from the letter of AMQP 0-9-1, where for example s is a short string.
const (
	tagBool      = 't'
	tagInt8      = 'b'
	tagUint8     = 'B'
	tagInt16     = 's'
	tagInt16Old  = 'U' // read only
	tagUint16    = 'u'
	tagInt32     = 'I'
	tagUint32    = 'i'
	tagInt64     = 'l'
	tagInt64Old  = 'L' // read only
	tagFloat32   = 'f'
	tagFloat64   = 'd'
	tagDecimal   = 'D'
	tagString    = 'S'
	tagBytes     = 'x'
	tagArray     = 'A' // its length counts octets, not values
	tagTimestamp = 'T'
	tagTable     = 'F'
	tagVoid      = 'V'
)

// field reads a tag and the octets of its value, without the length that some
// have in front.
func (r *reader) field() (tag byte, value []byte) {
	tag = r.uint8()
	switch tag {
	case tagVoid:
		return tag, nil
	case tagBool, tagInt8, tagUint8:
		return tag, r.take(1)
	case tagInt16, tagInt16Old, tagUint16:
		return tag, r.take(2)
	case tagInt32, tagUint32, tagFloat32:
		return tag, r.take(4)
	case tagDecimal:
		return tag, r.take(5)
	case tagInt64, tagInt64Old, tagFloat64, tagTimestamp:
		return tag, r.take(8)
	case tagString, tagBytes, tagArray, tagTable:
		return tag, r.long()
	}
	r.fail(TagError(tag))
	return 0, nil
}

// CheckTable tells what is wrong with the entries of a table, which are the
// octets behind its length. It allocates nothing.
func CheckTable(entries []byte) error { return checkFields(entries, true, 1) }

func checkFields(b []byte, keyed bool, depth int) error {
	if depth > MaxNesting {
		return ErrNesting
	}
	r := reader{b: b}
	for r.more() {
		if keyed {
			r.short()
		}
		switch tag, value := r.field(); tag {
		case tagTable, tagArray:
			r.fail(checkFields(value, tag == tagTable, depth+1))
		}
	}
	return r.err
}

// ParseTable reads the entries of a table, which are the octets behind its
// length, into a map that shares nothing with them. Of entries with the same
// key the first counts.
func ParseTable(entries []byte) (Table, error) { return parseTable(entries, 1) }

func parseTable(b []byte, depth int) (Table, error) {
	if depth > MaxNesting {
		return nil, ErrNesting
	}
	t := Table{}
	r := reader{b: b}
	for r.more() {
		key := r.shortString()
		value := r.value(depth)
		if _, twice := t[key]; !twice {
			t[key] = value
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return t, nil
}

func parseArray(b []byte, depth int) ([]any, error) {
	if depth > MaxNesting {
		return nil, ErrNesting
	}
	a := []any{}
	r := reader{b: b}
	for r.more() {
		a = append(a, r.value(depth))
	}
	if r.err != nil {
		return nil, r.err
	}
	return a, nil
}

// value reads a tagged value that stands at the given depth.
func (r *reader) value(depth int) any {
	tag, v := r.field()
	if r.err != nil {
		return nil
	}
	switch tag {
	case tagBool:
		return v[0] != 0
	case tagInt8:
		return int8(v[0])
	case tagUint8:
		return v[0]
	case tagInt16, tagInt16Old:
		return int16(binary.BigEndian.Uint16(v))
	case tagUint16:
		return binary.BigEndian.Uint16(v)
	case tagInt32:
		return int32(binary.BigEndian.Uint32(v))
	case tagUint32:
		return binary.BigEndian.Uint32(v)
	case tagInt64, tagInt64Old:
		return int64(binary.BigEndian.Uint64(v))
	case tagFloat32:
		return math.Float32frombits(binary.BigEndian.Uint32(v))
	case tagFloat64:
		return math.Float64frombits(binary.BigEndian.Uint64(v))
	case tagDecimal:
		return Decimal{Scale: v[0], Value: int32(binary.BigEndian.Uint32(v[1:]))}
	case tagString:
		return string(v)
	case tagBytes:
		return append([]byte{}, v...)
	case tagTimestamp:
		return timestamp(v)
	case tagTable:
		t, err := parseTable(v, depth+1)
		r.fail(err)
		return t
	case tagArray:
		a, err := parseArray(v, depth+1)
		r.fail(err)
		return a
	}
	return nil // void
}

func timestamp(v []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(v)), 0).UTC()
}

// AppendTable appends the table with its length, in the order of its keys. Nothing
// is refused here: keys are cut to the length of a short string, and values
// that are of another type or nest too deep become void.
func AppendTable(b []byte, t Table) []byte { return appendTable(b, t, 1) }

func appendTable(b []byte, t Table, depth int) []byte {
	b, at := openLong(b)
	if len(t) == 0 {
		return b
	}
	for _, key := range slices.Sorted(maps.Keys(t)) {
		b = appendShort(b, key)
		b = appendValue(b, t[key], depth)
	}
	return closeLong(b, at)
}

func appendArray(b []byte, a []any, depth int) []byte {
	b, at := openLong(b)
	for _, v := range a {
		b = appendValue(b, v, depth)
	}
	return closeLong(b, at)
}

// appendValue appends a tagged value that stands at the given depth.
func appendValue(b []byte, v any, depth int) []byte {
	switch v := v.(type) {
	case bool:
		return appendBits(append(b, tagBool), v)
	case int8:
		return append(b, tagInt8, byte(v))
	case uint8:
		return append(b, tagUint8, v)
	case int16:
		return appendUint16(append(b, tagInt16), uint16(v))
	case uint16:
		return appendUint16(append(b, tagUint16), v)
	case int32:
		return appendUint32(append(b, tagInt32), uint32(v))
	case uint32:
		return appendUint32(append(b, tagUint32), v)
	case int64:
		return appendUint64(append(b, tagInt64), uint64(v))
	case int:
		return appendUint64(append(b, tagInt64), uint64(v))
	case float32:
		return appendUint32(append(b, tagFloat32), math.Float32bits(v))
	case float64:
		return appendUint64(append(b, tagFloat64), math.Float64bits(v))
	case Decimal:
		return appendUint32(append(b, tagDecimal, v.Scale), uint32(v.Value))
	case string:
		return appendLong(append(b, tagString), v)
	case []byte:
		return appendLong(append(b, tagBytes), v)
	case time.Time:
		return appendUint64(append(b, tagTimestamp), uint64(v.Unix()))
	case Table:
		if depth < MaxNesting {
			return appendTable(append(b, tagTable), v, depth+1)
		}
	case []any:
		if depth < MaxNesting {
			return appendArray(append(b, tagArray), v, depth+1)
		}
	}
	return append(b, tagVoid)
}

// openLong appends room for a length, which closeLong fills in.
func openLong(b []byte) (_ []byte, at int) { return append(b, 0, 0, 0, 0), len(b) }

func closeLong(b []byte, at int) []byte {
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}
