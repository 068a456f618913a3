package table

import (
	"maps"
	"slices"
)

// Narrow reports whether a table holds, at any level, integers of another type
// than int64.
func Narrow(t Table) bool {
	if len(t) == 0 {
		return false
	}
	for _, v := range t {
		if narrow(v) {
			return true
		}
	}
	return false
}

func narrow(v any) bool {
	switch v := v.(type) {
	case int8, uint8, int16, uint16, int32, uint32, int:
		return true
	case Table:
		return Narrow(v)
	case []any:
		return slices.ContainsFunc(v, narrow)
	}
	return false
}

// Widen returns t with every integer, at all levels, as an int64. It copies only
// the tables and arrays that change; the others are shared with t.
func Widen(t Table) Table {
	if len(t) == 0 {
		return t
	}
	return widenTable(t)
}

func widenTable(t Table) Table {
	if !Narrow(t) {
		return t
	}
	out := maps.Clone(t)
	for k, v := range out {
		out[k] = widen(v)
	}
	return out
}

func widen(v any) any {
	if n, ok := Integer(v); ok {
		return n
	}
	switch v := v.(type) {
	case Table:
		return Widen(v)
	case []any:
		if narrow(v) {
			out := make([]any, len(v))
			for i, e := range v {
				out[i] = widen(e)
			}
			return out
		}
	}
	return v
}
