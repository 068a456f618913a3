// Package table is about field tables: what they may hold, how their values
// compare and how reply texts show them.
package table

import (
	"fmt"
	"maps"
	"time"
	"unicode/utf8"

	"github.com/warrenmq/warren/internal/wire"
)

// Table is a field table, see [wire.Table].
type Table = wire.Table

// MaxKey is the length of the longest key, in bytes.
const MaxKey = 255

// Problem is why a table cannot travel, with the reply code of what AMQP calls
// it and advice, if there is any.
type Problem struct {
	Code       uint16
	Text, Hint string
}

func problem(code uint16, format string, args ...any) *Problem {
	return &Problem{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Check tells why AMQP cannot carry a table; nil: it can. Then narrow tells
// whether it holds integers that Widen would widen.
func Check(t Table) (narrow bool, p *Problem) {
	if t == nil {
		return false, nil
	}
	return checkTable(t, 1)
}

func checkTable(t Table, depth int) (narrow bool, p *Problem) {
	if depth > wire.MaxNesting {
		return false, problem(wire.CodeSyntaxError, "table nests deeper than %d levels", wire.MaxNesting)
	}
	for k, v := range t {
		if len(k) > MaxKey {
			return false, problem(wire.CodeSyntaxError, "table key of %d bytes exceeds %d", len(k), MaxKey)
		}
		if !utf8.ValidString(k) {
			return false, problem(wire.CodeFrameError, "Malformed UTF-8 in table key %q", k)
		}
		narrowValue, p := checkValue(k, v, depth)
		if p != nil {
			return false, p
		}
		narrow = narrow || narrowValue
	}
	return narrow, nil
}

func checkValue(key string, v any, depth int) (narrow bool, p *Problem) {
	switch v := v.(type) {
	case nil, bool, string, []byte, time.Time, wire.Decimal, int64, float32, float64:
		return false, nil
	case int8, int16, int32, int, uint8, uint16, uint32:
		return true, nil
	case Table:
		return checkTable(v, depth+1)
	case []any:
		if depth+1 > wire.MaxNesting {
			return false, problem(wire.CodeSyntaxError, "table nests deeper than %d levels", wire.MaxNesting)
		}
		for _, e := range v {
			narrowValue, p := checkValue(key, e, depth+1)
			if p != nil {
				return false, p
			}
			narrow = narrow || narrowValue
		}
		return narrow, nil
	}
	p = problem(wire.CodeSyntaxError, "table value '%s' has type %T, which AMQP cannot carry", key, v)
	p.Hint = "the types that a Table may hold are listed at its documentation"
	return false, p
}

// Clone copies the table's own level, so that a caller who changes its map
// later changes nothing here. An empty table is nil.
func Clone(t Table) Table {
	if len(t) == 0 {
		return nil
	}
	c := make(Table, len(t))
	for k, v := range t {
		c[k] = v
	}
	return c
}

// Set adds an entry, if it is asked for.
func Set(t *Table, name string, v any, asked bool) {
	if !asked {
		return
	}
	if *t == nil {
		*t = Table{}
	}
	(*t)[name] = v
}

// Join is t with the entries of u, which count where both have one.
func Join(t, u Table) Table {
	if t == nil {
		return Clone(u)
	}
	maps.Copy(t, u)
	return t
}
