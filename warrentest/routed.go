package warrentest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/warrenmq/warren"
)

// RequireRouted requires that a message which is published to an exchange of "/" with a
// key and headers would go to exactly these queues now, in whatever order they are given.
// No queues: it would go nowhere. It sends nothing: see [warren.VirtualHost.Routes], which
// says what comes of delays and duplicates.
func (b *Broker) RequireRouted(exchange, key string, headers warren.Table, queues ...string) {
	b.t.Helper()
	message := fmt.Sprintf("a message to exchange '%s' with key '%s'", exchange, key)
	if len(headers) > 0 {
		message += " and headers" + tableText(headers)
	}
	there, err := b.root.Routes(exchange, key, headers)
	b.check(err, "route "+message)
	lines := diff(slices.Sorted(slices.Values(queues)), there, word)
	if lines == "" {
		return
	}
	var bindings []string
	for _, binding := range b.root.Bindings() {
		if binding.Source == exchange {
			bindings = append(bindings, bindingLine(&binding))
		}
	}
	bound := "the exchange has no bindings"
	if exchange == "" {
		bound = "each queue is bound to the default exchange by its name"
	} else if len(bindings) > 0 {
		bound = "the exchange's bindings:\n  " + strings.Join(bindings, "\n  ")
	}
	b.t.Fatalf("warrentest: %s is not routed as wanted (- wanted, + there)\n%s\n%s", message, lines, bound)
}
