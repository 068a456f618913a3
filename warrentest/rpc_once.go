package warrentest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// RequireAnsweredOnce fails the test unless each request that was recorded got exactly one
// reply, with its correlation id, from the server that it was delivered to. A request is a
// message with a ReplyTo; a reply is one that was published to the default exchange with
// that address as the key. A request that was delivered twice, but not as redelivered, may
// have two replies. It does not wait: let WaitIdle come first.
//
// It knows what clients and the program's own channels, scripts and handlers have sent.
// What a fault has done to a reply does not count. That a handler has not answered a Call
// is seen by the Call alone.
func (b *Broker) RequireAnsweredOnce() {
	b.t.Helper()
	var c calls
	for _, e := range b.Recorded(Match{}) {
		c.add(&e)
	}
	if lines := c.wrong(); len(lines) > 0 {
		b.t.Fatalf("warrentest: not every request was answered once:\n  %s\nLet each server publish one reply, with the request's correlation id, to its ReplyTo.",
			strings.Join(lines, "\n  "))
	}
}

// address is where a reply goes.
type address struct{ vhost, replyTo, id string }

// request is one that was delivered to a server.
type request struct {
	body      string
	queue     string
	times     int  // that it was delivered, but not as redelivered
	byHandler bool // a handler has it
}

// calls are requests and replies.
type calls struct {
	requests map[address]*request
	replies  map[address]int
	sent     map[sender]string // bodies
	called   map[string]bool   // correlation ids of Calls that have one
}

// sender is who sent a request.
type sender struct {
	address
	connection string
	channel    uint16
}

// add counts an event, if it is a request or may be a reply.
func (c *calls) add(e *Event) {
	if e.Message == nil {
		return
	}
	m := e.Message
	switch at := (address{e.VirtualHost, m.ReplyTo, m.CorrelationId}); {
	case e.Method == wire.BasicDeliverID.String() || e.Method == wire.BasicGetOkID.String():
		if m.ReplyTo != "" {
			c.deliver(at, e)
		}
	case e.Method == wire.BasicPublishID.String():
		if e.Exchange == "" {
			to := address{e.VirtualHost, e.RoutingKey, m.CorrelationId}
			put(&c.replies, to, c.replies[to]+1)
		}
		if m.ReplyTo != "" {
			put(&c.sent, sender{at, e.Connection, e.Channel}, string(m.Body))
		} else if e.Connection == inProcess {
			put(&c.called, m.CorrelationId, true)
		}
	}
}

// put is an assignment to a map that need not be there yet.
func put[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = make(map[K]V)
	}
	(*m)[k] = v
}

// deliver counts a request that a server gets.
func (c *calls) deliver(at address, e *Event) {
	r := c.requests[at]
	if r == nil {
		r = &request{body: string(e.Message.Body), queue: cmp.Or(e.Queue, e.RoutingKey)}
		put(&c.requests, at, r)
	}
	if !e.Redelivered {
		r.times++
	}
	// A handler has no consumer tag.
	r.byHandler = r.byHandler || e.Connection == inProcess && e.ConsumerTag == "" && e.DeliveryTag == 0
}

// wrong tells of requests that were not answered once.
func (c *calls) wrong() (lines []string) {
	for at, r := range c.requests {
		switch n, want := c.replies[at], max(1, r.times); {
		case n == want || n == 0 && r.byHandler && c.isCall(at):
		case n == 0:
			lines = append(lines, fmt.Sprintf("%s of queue %q: no reply%s", say(r.body, at), r.queue, c.others(at)))
		case want == 1:
			lines = append(lines, fmt.Sprintf("%s of queue %q: %d replies", say(r.body, at), r.queue, n))
		default:
			lines = append(lines, fmt.Sprintf("%s of queue %q: %d replies, and it was delivered %d times", say(r.body, at), r.queue, n, want))
		}
	}
	lines = append(lines, c.undelivered()...)
	slices.Sort(lines)
	return lines
}

// isCall reports whether a request is one of a Call. The error that a handler returns to it
// is not recorded. A Call that is given no correlation id has one from its address.
func (c *calls) isCall(at address) bool {
	return c.called[at.id] || strings.TrimPrefix(at.replyTo, warren.DirectReplyTo+".") == at.id
}

// say describes a request.
func say(body string, at address) string {
	return fmt.Sprintf("request %.100q with correlation id %q", body, at.id)
}

// others tells of replies to an address with another correlation id than a request has.
func (c *calls) others(at address) string {
	var ids []string
	for other := range c.replies {
		if _, ok := c.requests[other]; !ok && other.vhost == at.vhost && other.replyTo == at.replyTo {
			ids = append(ids, fmt.Sprintf("%q", other.id))
		}
	}
	if len(ids) == 0 {
		return ""
	}
	slices.Sort(ids)
	return ", but one with the correlation id " + strings.Join(ids, ", ")
}

// undelivered tells of requests that no server got. Of direct reply-to the address is known
// only when a server gets the request, so that these are counted by their correlation ids.
func (c *calls) undelivered() (lines []string) {
	direct := make(map[address]int) // requests at servers; without what follows the pseudo-queue's name
	for at := range c.requests {
		if isDirect(at.replyTo) {
			at.replyTo = ""
			direct[at]++
		}
	}
	senders := slices.SortedFunc(maps.Keys(c.sent), func(a, b sender) int {
		return cmp.Or(cmp.Compare(a.connection, b.connection), cmp.Compare(a.channel, b.channel), cmp.Compare(a.id, b.id))
	})
	for _, s := range senders {
		at := s.address
		if !isDirect(at.replyTo) {
			if c.requests[at] != nil {
				continue
			}
		} else {
			at.replyTo = ""
			if direct[at]--; direct[at] >= 0 {
				continue
			}
		}
		lines = append(lines, fmt.Sprintf("%s from connection %s: no server got it", say(c.sent[s], at), s.connection))
	}
	return lines
}

// isDirect reports whether a ReplyTo is the direct reply-to pseudo-queue, or an address of
// it.
func isDirect(replyTo string) bool {
	for _, name := range [...]string{warren.DirectReplyTo, "amq.rabbitmq.reply-to", "amq.lavinmq.reply-to"} {
		if rest, ok := strings.CutPrefix(replyTo, name); ok && (rest == "" || rest[0] == '.') {
			return true
		}
	}
	return false
}
