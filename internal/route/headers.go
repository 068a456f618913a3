package route

import (
	"slices"
	"strings"
	"time"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
)

// headersMatcher compares the headers of a message with the arguments of each
// binding, as RabbitMQ does: a void argument asks for presence only, and
// values are compared as Erlang does it: numbers by what they are worth, texts
// by their octets.
type headersMatcher struct{ bindings []*Binding }

func (m *headersMatcher) Add(b *Binding) { m.bindings = append(m.bindings, b) }

func (m *headersMatcher) Remove(b *Binding) {
	i := slices.Index(m.bindings, b)
	m.bindings = slices.Delete(m.bindings, i, i+1)
}

func (m *headersMatcher) Match(w *Walk, _ string, c message.Content) {
	var headers table.Table
	if c != nil {
		headers = c.Headers()
	}
	for _, b := range m.bindings {
		if matchHeaders(b.Args, headers) {
			w.add(b)
		}
	}
}

func (*headersMatcher) Exact(string) ([]*Queue, bool) { return nil, false }

// matchHeaders applies the argument x-match: all (the default) and any pass
// over arguments that begin with x-, all-with-x and any-with-x over x-match
// alone.
func matchHeaders(args, headers table.Table) bool {
	mode, _ := args["x-match"].(string)
	anyOf := strings.HasPrefix(mode, "any")
	withX := strings.HasSuffix(mode, "-with-x")
	for k, want := range args {
		if k == "x-match" || !withX && strings.HasPrefix(k, "x-") {
			continue
		}
		have, ok := headers[k]
		matches := ok && (want == nil || table.Equal(plainly(want), plainly(have)))
		if matches == anyOf {
			return anyOf
		}
	}
	return !anyOf
}

// plainly is v without what Erlang does not tell apart: a float that is whole is
// an integer, a timestamp is its seconds, and octets are a text.
func plainly(v any) any {
	switch v := v.(type) {
	case float32:
		return plainly(float64(v))
	case float64:
		if n := int64(v); float64(n) == v {
			return n
		}
	case time.Time:
		return v.Unix()
	case []byte:
		return string(v)
	}
	return v
}
