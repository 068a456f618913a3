package argument

import (
	"fmt"
	"time"

	"github.com/warrenmq/warren/internal/table"
)

// Names of arguments of basic.consume for readers of streams.
const (
	Offset          = "x-stream-offset"
	Filter          = "x-stream-filter"
	MatchUnfiltered = "x-stream-match-unfiltered"
)

// Reader is what the arguments of a consumer of a stream ask for.
type Reader struct {
	Start  any                 // nil, an int64, a time.Time, or first, last or next
	Filter map[string]struct{} // filter values that it wants; "": messages without one; nil: all messages
}

// foreignReaderArgs are arguments that only consumers of other queues may have.
var foreignReaderArgs = [...]string{"x-priority", "x-cancel-on-ha-failover"}

// ForeignToReader returns the name of an argument that a reader cannot have. It is
// empty if there is none.
func ForeignToReader(args table.Table) string {
	for _, name := range foreignReaderArgs {
		if _, ok := args[name]; ok {
			return name
		}
	}
	return ""
}

// OfReader returns the name of an argument that only a reader can have. It is empty
// if there is none.
func OfReader(args table.Table) string {
	for _, name := range [...]string{Offset, Filter, MatchUnfiltered} {
		if _, ok := args[name]; ok {
			return name
		}
	}
	return ""
}

// ParseReader reads the arguments of a reader. It returns a Reader or a Problem.
func ParseReader(args table.Table) (*Reader, *Problem) {
	r := &Reader{}
	for _, p := range [...]Problem{
		{Arg: Offset, Text: r.setStart(args)},
		{Arg: Filter, Text: r.setFilter(args)},
		{Arg: MatchUnfiltered, Text: r.setUnfiltered(args)},
	} {
		if p.Text != "" {
			return nil, &p
		}
	}
	return r, nil
}

// setStart reads x-stream-offset. The problem is RabbitMQ's text, where RabbitMQ
// does not crash.
func (r *Reader) setStart(args table.Table) (problem string) {
	v, ok := args[Offset]
	if !ok {
		return ""
	}
	if n, ok := table.Integer(v); ok {
		r.Start = n
		return ""
	}
	if word, ok := v.([]byte); ok {
		v = string(word)
	}
	switch v := v.(type) {
	case time.Time:
		r.Start = v
		return ""
	case string:
		if v == "first" || v == "last" || v == "next" {
			r.Start = v
			return ""
		}
		if age, ok := parseAge(v); ok {
			r.Start = time.Now().Add(-age)
			return ""
		}
		return fmt.Sprintf("{invalid_stream_offset_arg,{longstr,<<%q>>}}", v)
	}
	return "{invalid_stream_offset_arg," + Unacceptable(v) + "}"
}

// setFilter reads x-stream-filter. An empty list is no filter.
func (r *Reader) setFilter(args table.Table) (problem string) {
	v, ok := args[Filter]
	if !ok {
		return ""
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return Unacceptable(v)
		}
		if r.Filter == nil {
			r.Filter = make(map[string]struct{})
		}
		r.Filter[s] = struct{}{}
	}
	return ""
}

// setUnfiltered reads x-stream-match-unfiltered, which adds messages without a
// filter value to a filter.
func (r *Reader) setUnfiltered(args table.Table) (problem string) {
	v, ok := args[MatchUnfiltered]
	if !ok {
		return ""
	}
	unfiltered, ok := v.(bool)
	if !ok {
		return Unacceptable(v)
	}
	if unfiltered && r.Filter != nil {
		r.Filter[""] = struct{}{}
	}
	return ""
}
