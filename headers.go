package warren

import (
	"slices"
	"strings"
)

// headersMatcher compares the headers of a message with the arguments of each
// binding, as RabbitMQ does: a void argument asks for presence only, and the
// types of values count, but not the width of numbers.
type headersMatcher struct{ bindings []*binding }

func (m *headersMatcher) add(b *binding) { m.bindings = append(m.bindings, b) }

func (m *headersMatcher) remove(b *binding) {
	i := slices.Index(m.bindings, b)
	m.bindings = slices.Delete(m.bindings, i, i+1)
}

func (m *headersMatcher) match(r *routing, _ string, c content) {
	var headers Table
	if c != nil {
		headers = c.headers()
	}
	for _, b := range m.bindings {
		if matchHeaders(b.args, headers) {
			r.add(b)
		}
	}
}

func (*headersMatcher) exact(string) ([]*queue, bool) { return nil, false }

// matchHeaders applies the argument x-match: all (the default) and any pass
// over arguments that begin with x-, all-with-x and any-with-x over x-match
// alone.
func matchHeaders(args, headers Table) bool {
	mode, _ := args["x-match"].(string)
	anyOf := strings.HasPrefix(mode, "any")
	withX := strings.HasSuffix(mode, "-with-x")
	for k, want := range args {
		if k == "x-match" || !withX && strings.HasPrefix(k, "x-") {
			continue
		}
		have, ok := headers[k]
		matches := ok && (want == nil || equalValues(want, have))
		if matches == anyOf {
			return anyOf
		}
	}
	return !anyOf
}

// checkHeadersBinding refuses an x-match that means nothing.
func checkHeadersBinding(m method, args Table) error {
	v, ok := args["x-match"]
	if !ok {
		return nil
	}
	switch v {
	case "all", "any", "all-with-x", "any-with-x":
		return nil
	}
	if s, ok := v.(string); ok {
		return m.fail(PreconditionFailed, "Invalid x-match field value <<%q>>; expected all, any, all-with-x, or any-with-x", s)
	}
	return m.fail(PreconditionFailed, "Invalid x-match field type %s (value %v); expected longstr", typeName(v), v)
}
