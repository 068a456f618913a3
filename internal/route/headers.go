package route

import (
	"maps"
	"strings"
	"time"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
)

// headersMatcher compares the headers of a message with the arguments of each
// binding, as RabbitMQ does. A void argument matches any value. Other values are
// compared as in Erlang: numbers by value, texts by their octets.
type headersMatcher struct{ bindings matchList[*headersBinding] }

// headersBinding is a binding with what its argument x-match says. With all (the
// default) and any, arguments that begin with x- do not count. With all-with-x and
// any-with-x, only x-match itself does not.
type headersBinding struct {
	*Binding
	wanted table.Table // the arguments; without those that do not count, if they are many
	counts int         // number of arguments that count
	any    bool        // one of them is enough
	withX  bool
}

func newHeadersBinding(b *Binding) *headersBinding {
	mode, _ := b.Args["x-match"].(string)
	h := &headersBinding{Binding: b, wanted: b.Args, any: strings.HasPrefix(mode, "any"), withX: strings.HasSuffix(mode, "-with-x")}
	for k := range b.Args {
		if h.wants(k) {
			h.counts++
		}
	}
	if skipped := len(b.Args) - h.counts; skipped > h.counts+1 {
		h.wanted = table.Clone(b.Args)
		maps.DeleteFunc(h.wanted, func(k string, _ any) bool { return !h.wants(k) })
	}
	return h
}

// wants reports whether an argument counts.
func (b *headersBinding) wants(k string) bool {
	return b.withX && k != "x-match" || !strings.HasPrefix(k, "x-")
}

// Add implements Matcher.
func (m *headersMatcher) Add(b *Binding) { m.bindings.add(newHeadersBinding(b)) }

// Remove implements Matcher.
func (m *headersMatcher) Remove(b *Binding) { m.bindings.remove(b) }

// lightBytes is how many bytes of arguments are compared with the lock held.
const lightBytes = 64 << 10

// Match implements Matcher.
func (m *headersMatcher) Match(w *Walk, _ string, c message.Content) {
	bindings := m.bindings.list
	if m.bindings.bytes > lightBytes {
		bindings = m.bindings.lend()
		w.pause()
		defer w.resume()
	} else {
		w.steps += len(bindings) + m.bindings.bytes/8
	}
	var headers table.Table
	if c != nil {
		headers = c.Headers()
	}
	for i, b := range bindings {
		if i%betweenLooks == betweenLooks-1 && w.isOver() {
			return
		}
		if b.matches(headers) {
			w.add(b.Binding)
		}
	}
}

// Exact implements Matcher. It never knows the queues.
func (*headersMatcher) Exact(string) ([]*Queue, bool) { return nil, false }

// matches reports whether headers match the binding. It takes no more steps than
// there are headers.
func (b *headersBinding) matches(headers table.Table) bool {
	switch {
	case !b.any:
		return b.counts <= len(headers) && b.matchesAll(headers)
	case len(headers) < len(b.wanted):
		for k := range headers {
			if want, ok := b.wanted[k]; ok && b.wants(k) && sameHeader(want, headers[k]) {
				return true
			}
		}
	default:
		for k, want := range b.wanted {
			if have, ok := headers[k]; ok && b.wants(k) && sameHeader(want, have) {
				return true
			}
		}
	}
	return false
}

func (b *headersBinding) matchesAll(headers table.Table) bool {
	for k, want := range b.wanted {
		if !b.wants(k) {
			continue
		}
		if have, ok := headers[k]; !ok || !sameHeader(want, have) {
			return false
		}
	}
	return true
}

// sameHeader reports whether a header has the value that an argument wants.
func sameHeader(want, have any) bool {
	return want == nil || table.Equal(asErlang(want), asErlang(have))
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
