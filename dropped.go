package warren

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// DroppedError is the error of [Broker.Shutdown] if messages went down with the
// broker: nobody had consumed them, or who had did not settle them in time. What
// streams keep does not count, nor, in a broker from [Open], what is in durable queues
// and durable delayed exchanges: persistent messages of these survive.
type DroppedError struct {
	Messages int            // all of them
	Delayed  int            // of these, those that were kept back by delayed exchanges
	Queues   []DroppedQueue // where the others were, most first
}

// DroppedQueue is a queue that had messages when the broker ended.
type DroppedQueue struct {
	VirtualHost string
	Name        string
	Ready       int // messages that nobody had
	Unacked     int // messages that were delivered and not settled
}

func (q *DroppedQueue) messages() int { return q.Ready + q.Unacked }

// maxNamed is how many queues the text of a DroppedError names.
const maxNamed = 3

// Error tells how many messages were dropped, and the queues that had most.
func (e *DroppedError) Error() string {
	var parts []string
	for i := range e.Queues[:min(maxNamed, len(e.Queues))] {
		q := &e.Queues[i]
		parts = append(parts, fmt.Sprintf("%d of queue '%s' in vhost '%s'", q.messages(), q.Name, q.VirtualHost))
	}
	if more := len(e.Queues) - maxNamed; more > 0 {
		parts = append(parts, fmt.Sprintf("those of %d other queues", more))
	}
	if e.Delayed > 0 {
		parts = append(parts, fmt.Sprintf("%d of delayed exchanges", e.Delayed))
	}
	return fmt.Sprintf("warren: %d messages were dropped with the broker: %s", e.Messages, strings.Join(parts, ", "))
}

// remaining returns what is left in the virtual hosts, or nil if there is nothing.
func (b *Broker) remaining(vhosts []*VirtualHost) *DroppedError {
	var e DroppedError
	for _, v := range vhosts {
		t := v.view()
		for i := range t.exchanges {
			if b.disk != nil && t.exchanges[i].durable {
				continue
			}
			n, _ := t.exchanges[i].delayed()
			e.Delayed += n
		}
		for i := range t.queues {
			q := &t.queues[i]
			if q.queue.IsStream() || b.disk != nil && q.durable && !q.exclusive {
				continue
			}
			s := q.stats()
			if one := (DroppedQueue{v.name, q.name, s.Ready, s.Unacked}); one.messages() > 0 {
				e.Queues = append(e.Queues, one)
				e.Messages += one.messages()
			}
		}
	}
	e.Messages += e.Delayed
	if e.Messages == 0 {
		return nil
	}
	slices.SortStableFunc(e.Queues, func(a, b DroppedQueue) int {
		return cmp.Or(b.messages()-a.messages(), strings.Compare(a.VirtualHost, b.VirtualHost), strings.Compare(a.Name, b.Name))
	})
	return &e
}
