// Package table checks and compares field tables, and formats their values for
// reply texts.
package table

import (
	"fmt"
	"maps"
	"time"
	"unicode/utf8"

	"github.com/warrenmq/warren/internal/wire"
)

// Table is a field table: see [wire.Table].
type Table = wire.Table

// MaxKey is the length of the longest key of a table, in bytes.
const MaxKey = 255

// Problem says why AMQP cannot carry a table.
type Problem struct {
	Code uint16 // AMQP's reply code
	Text string
	Hint string // advice for the user; empty: none
}

func problem(code uint16, format string, args ...any) *Problem {
	return &Problem{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Checked is what Check has found out about a table.
type Checked struct {
	Narrow bool  // Widen would change the table: see Narrow
	Size   int64 // as Size returns it
}

// Check returns why AMQP cannot carry a table, or nil if AMQP can. It goes through the
// table once.
func Check(t Table) (c Checked, p *Problem) {
	if t == nil {
		return c, nil
	}
	if p = c.table(t, 1); p != nil {
		return Checked{}, p
	}
	return c, nil
}

func (c *Checked) table(t Table, depth int) *Problem {
	if depth > wire.MaxNesting {
		return problem(wire.CodeSyntaxError, "table nests deeper than %d levels", wire.MaxNesting)
	}
	c.Size += SizeOfMap(len(t))
	for k, v := range t {
		if len(k) > MaxKey {
			return problem(wire.CodeSyntaxError, "table key of %d bytes exceeds %d", len(k), MaxKey)
		}
		if !utf8.ValidString(k) {
			return problem(wire.CodeFrameError, "Malformed UTF-8 in table key %q", k)
		}
		c.Size += int64(len(k))
		if p := c.value(k, v, depth); p != nil {
			return p
		}
	}
	return nil
}

func (c *Checked) value(key string, v any, depth int) *Problem {
	switch v := v.(type) {
	case nil, bool, string, []byte, time.Time, wire.Decimal, int64, float32, float64:
		c.Size += SizeOf(v)
	case int8, int16, int32, int, uint8, uint16, uint32:
		c.Narrow = true
		c.Size += valueSize
	case Table:
		return c.table(v, depth+1)
	case []any:
		if depth+1 > wire.MaxNesting {
			return problem(wire.CodeSyntaxError, "table nests deeper than %d levels", wire.MaxNesting)
		}
		c.Size += SizeOfList(len(v))
		for _, e := range v {
			if p := c.value(key, e, depth+1); p != nil {
				return p
			}
		}
	default:
		p := problem(wire.CodeSyntaxError, "table value '%s' has type %T, which AMQP cannot carry", key, v)
		p.Hint = "the types that a Table may hold are listed at its documentation"
		return p
	}
	return nil
}

// Clone copies a table, but not the tables and arrays in it. A later change of
// the caller's map does not change the copy. The copy of an empty table is nil.
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

// Set sets an entry if asked is true. It makes the table if that is nil.
func Set(t *Table, name string, v any, asked bool) {
	if !asked {
		return
	}
	if *t == nil {
		*t = Table{}
	}
	(*t)[name] = v
}

// Join adds the entries of u to t and returns t. Where both have an entry, that
// of u counts. If t is nil, it returns a copy of u.
func Join(t, u Table) Table {
	if t == nil {
		return Clone(u)
	}
	maps.Copy(t, u)
	return t
}
