package warrentest

import (
	"fmt"

	"github.com/warrenmq/warren"
)

// mostPeeked is how many messages are asked for at a time.
const mostPeeked = 1000

// Messages returns the ready messages of a queue of "/", the next one to be delivered
// first, or all messages of a stream, the oldest first. It takes none, and leaves no
// trace; those that are delivered and not settled are not among them. Bodies and headers
// are the queue's, and must not be changed. Of a queue with more than 1000 messages that
// is in use meanwhile, some may be missing or come twice.
func (b *Broker) Messages(queue string) []warren.Peeked {
	b.t.Helper()
	q, err := b.root.Queue(queue)
	if err != nil {
		b.t.Fatalf("warrentest: messages of queue '%s': there is %s", queue, b.noQueue(queue))
	}
	var list []warren.Peeked
	for skip := 0; skip < q.Ready; {
		some, err := b.root.Peek(queue, skip, mostPeeked)
		b.check(err, "look at the messages of queue '"+queue+"'")
		list = append(list, some...)
		n := len(some)
		switch {
		case n == 0:
			skip++ // it has expired, and is still there
		case q.Stream != nil:
			skip = int(some[n-1].Offset - list[0].Offset + 1)
		default:
			skip = int(some[n-1].Offset + 1)
		}
	}
	return list
}

// RequireMessages requires that the ready messages of a queue, or the messages of a
// stream, have these bodies in this order, the next one to be delivered first. No bodies:
// the queue has no ready message. See [Broker.Messages].
func (b *Broker) RequireMessages(queue string, bodies ...string) {
	b.t.Helper()
	var there []string
	for _, m := range b.Messages(queue) {
		there = append(there, string(m.Body))
	}
	if lines := diff(bodies, there, quoted); lines != "" {
		q, _ := b.root.Queue(queue)
		b.t.Fatalf("warrentest: the messages are not as wanted (- wanted, + there) in %s\n%s", queueLine(&q), lines)
	}
}

// quoted shows a body in a line. Of a long one it shows the beginning.
func quoted(body string) string {
	const most = 200
	if len(body) <= most {
		return fmt.Sprintf("%q", body)
	}
	return fmt.Sprintf("%q... (%d bytes)", body[:most], len(body))
}
