package warren

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/warrenmq/warren/internal/wire"
)

// Table is an AMQP field table: headers of a message, or arguments of a queue,
// exchange, binding or consumer. Its values may be
//
//	nil, bool, string, []byte, time.Time, [Decimal], Table, []any (of these),
//	int8, int16, int32, int64, int, uint8, uint16, uint32, float32, float64
//
// Keys are at most 255 bytes of UTF-8. Tables and arrays nest at most 32 deep.
type Table map[string]any

// Decimal is AMQP's decimal: Value divided by 10 to the power of Scale.
type Decimal struct {
	Scale uint8
	Value int32
}

const (
	maxShortString = 255
	maxTableDepth  = 32
)

// check refuses a table that AMQP cannot carry. The error is m's.
func (t Table) check(m wire.MethodID) error {
	if t == nil {
		return nil
	}
	return checkTable(m, t, 1)
}

func checkTable(m wire.MethodID, t Table, depth int) error {
	if depth > maxTableDepth {
		return failure(m, wire.CodeSyntaxError, "table nests deeper than %d levels", maxTableDepth)
	}
	for k, v := range t {
		if len(k) > maxShortString {
			return failure(m, wire.CodeSyntaxError, "table key of %d bytes exceeds %d", len(k), maxShortString)
		}
		if !utf8.ValidString(k) {
			return failure(m, wire.CodeFrameError, "Malformed UTF-8 in table key %q", k)
		}
		if err := checkValue(m, k, v, depth); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(m wire.MethodID, key string, v any, depth int) error {
	switch v := v.(type) {
	case nil, bool, string, []byte, time.Time, Decimal,
		int8, int16, int32, int64, int, uint8, uint16, uint32, float32, float64:
		return nil
	case Table:
		return checkTable(m, v, depth+1)
	case []any:
		if depth+1 > maxTableDepth {
			return failure(m, wire.CodeSyntaxError, "table nests deeper than %d levels", maxTableDepth)
		}
		for _, e := range v {
			if err := checkValue(m, key, e, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return failure(m, wire.CodeSyntaxError, "table value '%s' has type %T, which AMQP cannot carry", key, v).
		hint("the types that a Table may hold are listed at its documentation")
}

// typeName is RabbitMQ's word for the wire type of a value.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "void"
	case bool:
		return "bool"
	case string:
		return "longstr"
	case []byte:
		return "binary"
	case time.Time:
		return "timestamp"
	case Decimal:
		return "decimal"
	case Table:
		return "table"
	case []any:
		return "array"
	case int8:
		return "byte"
	case uint8:
		return "unsignedbyte"
	case int16:
		return "short"
	case uint16:
		return "unsignedshort"
	case int32:
		return "signedint"
	case uint32:
		return "unsignedint"
	case int64, int:
		return "long"
	case float32:
		return "float"
	}
	return "double"
}

// term is a value of a table as Erlang, and so RabbitMQ's reply texts, print
// it.
func term(v any) string {
	switch v := v.(type) {
	case nil:
		return "undefined"
	case string:
		if v == "" {
			return "<<>>"
		}
		return "<<" + strconv.Quote(v) + ">>"
	case []byte:
		return term(string(v))
	case time.Time:
		return strconv.FormatInt(v.Unix(), 10)
	case float32:
		return term(float64(v))
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	case Decimal:
		return fmt.Sprintf("{%d,%d}", v.Scale, v.Value)
	case Table:
		var list []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			list = append(list, "{"+term(k)+","+typeName(v[k])+","+term(v[k])+"}")
		}
		return "[" + strings.Join(list, ",") + "]"
	case []any:
		var list []string
		for _, e := range v {
			list = append(list, "{"+typeName(e)+","+term(e)+"}")
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	return fmt.Sprint(v)
}

// integer gives the value of any of the integer types: clients differ in the
// width they send.
func integer(v any) (int64, bool) {
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

// equalValues compares as RabbitMQ does: all integer types are one class, and
// so are both floats; between classes nothing is equal.
func equalValues(a, b any) bool {
	if x, ok := integer(a); ok {
		y, ok := integer(b)
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

// sameValues compares within arrays and tables, where types count, too.
func sameValues(a, b any) bool { return typeName(a) == typeName(b) && equalValues(a, b) }

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

// canonical is a text that equal tables share and others do not: part of a
// binding's identity.
func (t Table) canonical() string {
	if len(t) == 0 {
		return ""
	}
	return canonical(t)
}

func canonical(v any) string {
	var s strings.Builder
	writeCanonical(&s, v)
	return s.String()
}

func writeCanonical(s *strings.Builder, v any) {
	if n, ok := integer(v); ok {
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

// clone copies the table's own level, so that a caller who changes its map
// later changes nothing here.
func (t Table) clone() Table {
	if len(t) == 0 {
		return nil
	}
	c := make(Table, len(t))
	for k, v := range t {
		c[k] = v
	}
	return c
}

// set adds what an option asks for.
func (t *Table) set(name string, v any, asked bool) {
	if !asked {
		return
	}
	if *t == nil {
		*t = Table{}
	}
	(*t)[name] = v
}

// and is t with the entries of u, which count where both have one.
func (t Table) and(u Table) Table {
	if t == nil {
		return u.clone()
	}
	maps.Copy(t, u)
	return t
}
