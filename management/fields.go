package management

import (
	"encoding/base64"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/warrenmq/warren"
)

// fields writes the members of JSON objects, one after another. The same code that
// describes an object also picks columns of it, and finds the value by which a list is
// sorted: members that nobody wants cost next to nothing then.
type fields struct {
	out  []byte
	want *columns // what to write at this depth; nil: everything
	up   []*columns

	// path is set to look for one value only, and write nothing.
	path  []string
	depth int
	found sortValue

	// collect is set to gather counters and gauges only, and write nothing.
	collect *[]sampled
}

// columns is a set of names, with those of members below each.
type columns struct {
	all  bool
	name map[string]*columns
}

// wants reports whether a member is to be written, and takes it as found if it is what
// the fields look for.
func (f *fields) wants(name string) bool {
	if f.collect != nil {
		return false
	}
	if f.path != nil {
		return f.depth < len(f.path) && f.path[f.depth] == name
	}
	return f.want == nil || f.want.all || f.want.name[name] != nil
}

// member begins a member, with a comma unless it is the first one.
func (f *fields) member(name string) {
	f.comma()
	f.out = appendJSONString(f.out, name)
	f.out = append(f.out, ':')
}

func (f *fields) comma() {
	if n := len(f.out); n > 0 {
		switch f.out[n-1] {
		case '{', '[':
		default:
			f.out = append(f.out, ',')
		}
	}
}

// leaf reports whether the value of a member is to be written. When one value is looked
// for, v is it.
func (f *fields) leaf(name string, v sortValue) bool {
	if !f.wants(name) {
		return false
	}
	if f.path != nil {
		if f.depth == len(f.path)-1 {
			f.found = v
		}
		return false
	}
	f.member(name)
	return true
}

func (f *fields) str(name, v string) {
	if f.leaf(name, sortValue{text: v, isText: true}) {
		f.out = appendJSONString(f.out, v)
	}
}

// strOrNull writes null for an empty text.
func (f *fields) strOrNull(name, v string) {
	if v == "" {
		f.null(name)
		return
	}
	f.str(name, v)
}

func (f *fields) int(name string, v int) { f.int64(name, int64(v)) }

func (f *fields) int64(name string, v int64) {
	if f.leaf(name, sortValue{number: float64(v)}) {
		f.out = strconv.AppendInt(f.out, v, 10)
	}
}

func (f *fields) uint64(name string, v uint64) {
	if f.leaf(name, sortValue{number: float64(v)}) {
		f.out = strconv.AppendUint(f.out, v, 10)
	}
}

// float writes a number that has a point even if it is whole, as clients with types of
// their own want it for rates.
func (f *fields) float(name string, v float64) {
	if f.leaf(name, sortValue{number: v}) {
		f.out = appendFloat(f.out, v)
	}
}

func appendFloat(out []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	n := len(out)
	out = strconv.AppendFloat(out, v, 'f', -1, 64)
	if !slices.Contains(out[n:], '.') {
		out = append(out, '.', '0')
	}
	return out
}

func (f *fields) bool(name string, v bool) {
	value := sortValue{}
	if v {
		value.number = 1
	}
	if f.leaf(name, value) {
		f.out = strconv.AppendBool(f.out, v)
	}
}

func (f *fields) null(name string) {
	if f.leaf(name, sortValue{}) {
		f.out = append(f.out, "null"...)
	}
}

// table writes an AMQP table as an object.
func (f *fields) table(name string, t warren.Table) {
	if !f.begin(name) {
		return
	}
	if len(t) > 0 {
		for _, key := range sortedKeys(t) {
			f.any(key, t[key])
		}
	}
	f.end()
}

// any writes a value of an AMQP table, or one that came from JSON.
func (f *fields) any(name string, v any) {
	switch v := v.(type) {
	case warren.Table:
		f.table(name, v)
		return
	case string:
		f.str(name, v)
		return
	}
	n, isNumber := number(v)
	if f.leaf(name, sortValue{number: n, text: "", isText: !isNumber}) {
		f.out = appendJSON(f.out, v)
	}
}

// strings writes a list of texts.
func (f *fields) strings(name string, list []string) {
	if !f.beginList(name) {
		return
	}
	for _, s := range list {
		f.comma()
		f.out = appendJSONString(f.out, s)
	}
	f.endList()
}

// begin begins an object that is a member. If it returns false, nobody wants it, and
// the caller leaves it out. Otherwise the caller writes its members and calls end.
func (f *fields) begin(name string) bool {
	if f.collect != nil {
		return true
	}
	if !f.wants(name) {
		return false
	}
	f.down(name)
	if f.path == nil {
		f.member(name)
		f.out = append(f.out, '{')
	}
	return true
}

// beginDetails begins the object with the details of a number: its name has a suffix.
func (f *fields) beginDetails(name string) bool {
	const suffix = "_details"
	switch {
	case f.collect != nil:
		return false
	case f.path != nil:
		if f.depth >= len(f.path) || len(f.path[f.depth]) != len(name)+len(suffix) || f.path[f.depth] != name+suffix {
			return false
		}
		f.depth++
		return true
	case f.want != nil && !f.want.all:
		return f.begin(name + suffix)
	}
	f.down("")
	f.comma()
	f.out = append(append(append(f.out, '"'), name...), suffix...) // names of numbers need no escapes
	f.out = append(f.out, '"', ':', '{')
	return true
}

// down goes into a member.
func (f *fields) down(name string) {
	f.depth++
	if f.path != nil {
		return
	}
	f.up = append(f.up, f.want)
	if f.want != nil && !f.want.all {
		f.want = f.want.name[name]
	}
}

func (f *fields) end() {
	if f.collect != nil {
		return
	}
	f.depth--
	if f.path != nil {
		return
	}
	f.want = f.up[len(f.up)-1]
	f.up = f.up[:len(f.up)-1]
	f.out = append(f.out, '}')
}

// beginList is begin for a list. Nothing in a list can be looked for. Columns apply to
// the objects in it, which the caller writes between open and close.
func (f *fields) beginList(name string) bool {
	if f.path != nil || !f.wants(name) {
		return false
	}
	f.down(name)
	f.member(name)
	f.out = append(f.out, '[')
	return true
}

func (f *fields) endList() {
	f.depth--
	f.want = f.up[len(f.up)-1]
	f.up = f.up[:len(f.up)-1]
	f.out = append(f.out, ']')
}

// open begins an object that is no member: in a list, or at the top.
func (f *fields) open() {
	if f.path != nil || f.collect != nil {
		return
	}
	f.comma()
	f.out = append(f.out, '{')
}

func (f *fields) close() {
	if f.path == nil && f.collect == nil {
		f.out = append(f.out, '}')
	}
}

// appendJSON appends a value that has no name.
func appendJSON(out []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(out, "null"...)
	case bool:
		return strconv.AppendBool(out, v)
	case string:
		return appendJSONString(out, v)
	case []byte:
		if utf8.Valid(v) {
			return appendJSONString(out, string(v))
		}
		return appendJSONString(out, base64.StdEncoding.EncodeToString(v))
	case time.Time:
		return strconv.AppendInt(out, v.Unix(), 10)
	case warren.Decimal:
		return appendFloat(out, float64(v.Value)/math.Pow10(int(v.Scale)))
	case float32:
		return appendShortFloat(out, float64(v), 32)
	case float64:
		return appendShortFloat(out, v, 64)
	case warren.Table:
		out = append(out, '{')
		for i, key := range sortedKeys(v) {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(appendJSONString(out, key), ':')
			out = appendJSON(out, v[key])
		}
		return append(out, '}')
	case []any:
		out = append(out, '[')
		for i, e := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendJSON(out, e)
		}
		return append(out, ']')
	case uint64:
		return strconv.AppendUint(out, v, 10)
	}
	if n, ok := integer(v); ok {
		return strconv.AppendInt(out, n, 10)
	}
	return append(out, "null"...)
}

func appendShortFloat(out []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(out, "null"...)
	}
	return strconv.AppendFloat(out, v, 'g', -1, bits)
}

const hexDigits = "0123456789abcdef"

// appendJSONString appends a text in quotes. What is not UTF-8 becomes U+FFFD.
// Characters that a page or a script could take for markup are escaped.
func appendJSONString(out []byte, s string) []byte {
	out = append(out, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && c != 0x7f {
				i++
				continue
			}
			out = append(out, s[start:i]...)
			switch c {
			case '"', '\\':
				out = append(out, '\\', c)
			case '\n':
				out = append(out, '\\', 'n')
			case '\r':
				out = append(out, '\\', 'r')
			case '\t':
				out = append(out, '\\', 't')
			default:
				out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
			out = append(out, s[start:i]...)
			out = append(out, '\\', 'u')
			for shift := 12; shift >= 0; shift -= 4 {
				out = append(out, hexDigits[r>>shift&15])
			}
			i += size
			start = i
			continue
		}
		i += size
	}
	out = append(out, s[start:]...)
	return append(out, '"')
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// integer returns the value of v if its type is one of the integer types.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int8:
		return int64(v), true
	case int16:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case uint8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint32:
		return int64(v), true
	}
	return 0, false
}

// number returns the value of v to sort by, if it is a number or a bool.
func number(v any) (float64, bool) {
	if n, ok := integer(v); ok {
		return float64(n), true
	}
	switch v := v.(type) {
	case float32:
		return float64(v), true
	case float64:
		return v, true
	case uint64:
		return float64(v), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case nil:
		return 0, true
	}
	return 0, false
}
