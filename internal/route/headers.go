package route

import (
	"slices"
	"strings"
	"time"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
)

// headersMatcher compares the headers of a message with the arguments of each
// binding, as RabbitMQ does. A void argument matches any value. Other values are
// compared as in Erlang: numbers by value, texts by their octets.
type headersMatcher struct{ bindings []*Binding }

// Add implements Matcher.
func (m *headersMatcher) Add(b *Binding) { m.bindings = append(m.bindings, b) }

// Remove implements Matcher.
func (m *headersMatcher) Remove(b *Binding) {
	i := slices.Index(m.bindings, b)
	m.bindings = slices.Delete(m.bindings, i, i+1)
}

// Match implements Matcher.
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

// Exact implements Matcher. It never knows the queues.
func (*headersMatcher) Exact(string) ([]*Queue, bool) { return nil, false }

// matchHeaders reports whether headers match the arguments of a binding, by its
// argument x-match. With all (the default) and any, it skips arguments that begin
// with x-. With all-with-x and any-with-x, it skips x-match only.
func matchHeaders(args, headers table.Table) bool {
	mode, _ := args["x-match"].(string)
	anyOf := strings.HasPrefix(mode, "any")
	withX := strings.HasSuffix(mode, "-with-x")
	for k, want := range args {
		if k == "x-match" || !withX && strings.HasPrefix(k, "x-") {
			continue
		}
		have, ok := headers[k]
		matches := ok && (want == nil || table.Equal(asErlang(want), asErlang(have)))
		if matches == anyOf {
			return anyOf
		}
	}
	return !anyOf
}

// asErlang converts values that are equal in Erlang to the same value: a whole float
// to an integer, a timestamp to its seconds, octets to a text.
func asErlang(v any) any {
	switch v := v.(type) {
	case float32:
		return asErlang(float64(v))
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
