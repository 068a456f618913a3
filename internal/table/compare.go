package table

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Integer returns the value of v if its type is one of the integer types. Clients
// differ in the width of the integers that they send.
func Integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int8:
		return int64(v), true
	case uint8:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int64:
		return v, true
	case int:
		return int64(v), true
	}
	return 0, false
}

// Equal compares two values as RabbitMQ does. Integers of all widths compare by
// value, and so do floats of both widths. An integer never equals a float.
func Equal(a, b any) bool {
	if x, ok := Integer(a); ok {
		y, ok := Integer(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case float32:
		return equalFloats(float64(a), b)
	case float64:
		return equalFloats(a, b)
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Unix() == b.Unix()
	case Table:
		b, ok := b.(Table)
		return ok && equalTables(a, b)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, sameValues)
	}
	switch b.(type) {
	case []byte, Table, []any:
		return false // not comparable with ==
	}
	return a == b
}

// sameValues compares two values within arrays or tables. There the types must
// be the same, too.
func sameValues(a, b any) bool { return TypeName(a) == TypeName(b) && Equal(a, b) }

func equalFloats(a float64, b any) bool {
	switch b := b.(type) {
	case float32:
		return a == float64(b)
	case float64:
		return a == b
	}
	return false
}

func equalTables(a, b Table) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		w, ok := b[k]
		if !ok || !sameValues(v, w) {
			return false
		}
	}
	return true
}

// Canonical returns a text that is the same for two tables if, and only if, their
// values are the same. Integers of all widths, and floats of both, count as the
// same. The text of an empty table is empty. It is part of a binding's identity.
func Canonical(t Table) string {
	if len(t) == 0 {
		return ""
	}
	return CanonicalValue(t)
}

// CanonicalValue returns the text that Canonical uses for a single value.
func CanonicalValue(v any) string {
	var s strings.Builder
	writeCanonical(&s, v)
	return s.String()
}

func writeCanonical(s *strings.Builder, v any) {
	if n, ok := Integer(v); ok {
		s.WriteByte('i')
		s.WriteString(strconv.FormatInt(n, 10))
		return
	}
	switch v := v.(type) {
	case Table:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		s.WriteByte('{')
		for _, k := range keys {
			s.WriteString(strconv.Quote(k))
			s.WriteByte(':')
			writeCanonical(s, v[k])
			s.WriteByte(',')
		}
		s.WriteByte('}')
	case []any:
		s.WriteByte('[')
		for _, e := range v {
			writeCanonical(s, e)
			s.WriteByte(',')
		}
		s.WriteByte(']')
	case time.Time:
		fmt.Fprintf(s, "T%d", v.Unix())
	case float32:
		fmt.Fprintf(s, "f%v", float64(v))
	case float64:
		fmt.Fprintf(s, "f%v", v)
	default:
		fmt.Fprintf(s, "%T%q", v, fmt.Sprint(v))
	}
}
