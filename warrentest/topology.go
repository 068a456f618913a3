package warrentest

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/warrenmq/warren"
)

// Topology returns the exchanges, queues, bindings and policies of "/" as text, a line
// for each, sorted: what tests compare ([Broker.RequireTopology]) or keep in a file.
//
//	exchange orders topic durable
//	queue billing durable x-max-length=10
//	binding orders -> queue billing key order.*
//	policy short pattern ^b apply-to queues priority 0 max-length=5
//
// Names that have spaces or other odd characters, and all texts in arguments, are quoted
// as in Go. The predeclared exchanges and the bindings of the default exchange are left
// out. The name of a queue that the broker has named is "amq.gen-*", so that the text is
// the same in each run.
func (b *Broker) Topology() string {
	return strings.Join(topology(b.root, func(*warren.QueueInfo) bool { return true }), "\n")
}

// RequireTopology requires that [Broker.Topology] returns these lines. Their order,
// indentation and empty lines do not count.
func (b *Broker) RequireTopology(want string) {
	b.t.Helper()
	var lines []string
	for line := range strings.Lines(want) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	sortLines(lines)
	b.sameTopology(lines, topology(b.root, func(*warren.QueueInfo) bool { return true }))
}

// RequireDefinitions requires that the exchanges, queues, bindings and policies of "/" are
// those of an export, as RabbitMQ and [warren.Broker.DefinitionsExport] make it. What
// exports leave out does not count: exclusive queues, and those whose names begin with
// "amq.", with their bindings.
func (b *Broker) RequireDefinitions(json []byte) {
	b.t.Helper()
	var o warren.Options
	if b.options.Broker != nil {
		o.Like = b.options.Broker.Like
	}
	other := warren.New(&o)
	defer other.Close()
	b.check(other.DefinitionsImport(bytes.NewReader(json)), "import the definitions that are wanted")
	root, err := other.VirtualHost(warren.DefaultVirtualHost)
	b.check(err, "find the virtual host / of the definitions that are wanted")
	exported := func(q *warren.QueueInfo) bool { return !q.Exclusive && !strings.HasPrefix(q.Name, "amq.") }
	b.sameTopology(topology(root, exported), topology(b.root, exported))
}

// sameTopology ends the test if topologies differ.
func (b *Broker) sameTopology(want, there []string) {
	b.t.Helper()
	same := func(line string) string { return line }
	if lines := diff(want, there, same); lines != "" {
		b.t.Fatalf("warrentest: the topology is not as wanted (- wanted, + there)\n%s", lines)
	}
}

// topology returns the lines of a virtual host, with those of its queues that are to be
// shown.
func topology(v *warren.VirtualHost, shown func(*warren.QueueInfo) bool) (lines []string) {
	for _, x := range v.Exchanges() {
		if x.Name != "" && !strings.HasPrefix(x.Name, "amq.") {
			lines = append(lines, exchangeLine(&x))
		}
	}
	hidden := make(map[string]bool)
	for _, q := range v.Queues() {
		if shown(&q) {
			lines = append(lines, declarationLine(&q))
		} else {
			hidden[q.Name] = true
		}
	}
	for _, binding := range v.Bindings() {
		if !binding.ToQueue || !hidden[binding.Destination] {
			lines = append(lines, bindingLine(&binding))
		}
	}
	for _, p := range v.Policies() {
		lines = append(lines, policyLine("policy", &p))
	}
	for _, p := range v.OperatorPolicies() {
		lines = append(lines, policyLine("operator-policy", &p))
	}
	sortLines(lines)
	return lines
}

// sortLines sorts lines of a topology by their first words, then by what follows.
func sortLines(lines []string) {
	kinds := []string{"exchange", "queue", "binding", "policy", "operator-policy"}
	slices.SortFunc(lines, func(x, y string) int {
		kindX, restX, _ := strings.Cut(x, " ")
		kindY, restY, _ := strings.Cut(y, " ")
		return cmp.Or(cmp.Compare(slices.Index(kinds, kindX), slices.Index(kinds, kindY)), cmp.Compare(restX, restY))
	})
}

func exchangeLine(x *warren.ExchangeInfo) string {
	return "exchange " + word(x.Name) + " " + word(string(x.Type)) +
		flag("durable", x.Durable) + flag("auto-delete", x.AutoDelete) + flag("internal", x.Internal) + tableText(x.Arguments)
}

// declarationLine shows how a queue was declared.
func declarationLine(q *warren.QueueInfo) string {
	return "queue " + queueWord(q.Name) +
		flag("durable", q.Durable) + flag("exclusive", q.Exclusive) + flag("auto-delete", q.AutoDelete) + tableText(q.Arguments)
}

func bindingLine(b *warren.BindingInfo) string {
	to := "exchange " + word(b.Destination)
	if b.ToQueue {
		to = "queue " + queueWord(b.Destination)
	}
	return "binding " + word(b.Source) + " -> " + to + " key " + word(b.RoutingKey) + tableText(b.Arguments)
}

func policyLine(kind string, p *warren.Policy) string {
	return fmt.Sprintf("%s %s pattern %s apply-to %s priority %d%s", kind, word(p.Name), word(p.Pattern), p.ApplyTo, p.Priority, tableText(p.Definition))
}

// flag returns a flag of a line.
func flag(name string, set bool) string {
	if set {
		return " " + name
	}
	return ""
}

// queueWord returns the name of a queue. Those that the broker has made are all the same.
func queueWord(name string) string {
	if strings.HasPrefix(name, "amq.gen-") {
		name = "amq.gen-*"
	}
	return word(name)
}

// word returns a text that is one word in a line.
func word(text string) string {
	odd := func(r rune) bool {
		return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == '"' || r == '`' || r == unicode.ReplacementChar
	}
	if text == "" || strings.ContainsFunc(text, odd) {
		return strconv.Quote(text)
	}
	return text
}

// tableText returns the arguments of a line, sorted, with a space before each.
func tableText(t warren.Table) string {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(t)) {
		text.WriteString(" " + word(key) + "=" + valueText(t[key]))
	}
	return text.String()
}

// valueText returns an argument. Integers are the same whatever their width.
func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case string:
		return strconv.Quote(v)
	case []byte:
		return "bytes:" + strconv.Quote(string(v))
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case warren.Decimal:
		return fmt.Sprintf("%de-%d", v.Value, v.Scale)
	case warren.Table:
		return "{" + strings.TrimPrefix(tableText(v), " ") + "}"
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = valueText(item)
		}
		return "[" + strings.Join(items, " ") + "]"
	}
	return fmt.Sprint(v)
}
