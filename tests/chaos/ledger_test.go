package chaos_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// name tells messages apart: who published it, which is a channel, and its
// number there.
type name struct{ publisher, number int }

// message is what was published, or tried to be.
type message struct {
	name
	exchange, key string
	headers       map[string]any
	priority      uint8
	body          []byte
	correlation   string
	replyTo       string
	targets       [][]string // see address
	subject       string     // messages of one subject are tries of the same
	sent          bool       // it may be there
	confirmed     bool       // it must be there
}

// fill gives the message a body that tells its name and can be checked.
func (m *message) fill(size int) {
	m.body = fmt.Appendf(nil, "%d %d %d ", m.publisher, m.number, size)
	m.body = append(m.body, bytes.Repeat([]byte{byte('a' + m.number%26)}, size)...)
}

func bodySize(r *rand.Rand) int {
	switch r.IntN(40) {
	case 0:
		return 200_000 // more than a frame
	case 1:
		return 20_000
	case 2:
		return 0
	}
	return r.IntN(300)
}

// place is a message in a queue. What is in dead came there from some queue.
type place struct {
	queue, origin string
	name
}

// state is what the test knows of a place.
type state struct {
	firsts  int    // deliveries that were not redelivered, or needed no ack
	drained int    // how often it was there at the end
	gone    bool   // somebody tried to take it away for good
	since   uint64 // when it was certain to be gone; zero: it is not
	history []string
}

// ledger keeps account of all messages.
type ledger struct {
	clock atomic.Uint64 // orders what the test sees

	mu       sync.Mutex
	messages map[name]*message
	places   map[place]*state
	failures []string
}

func newLedger() *ledger {
	return &ledger{messages: map[name]*message{}, places: map[place]*state{}}
}

// fail notes what is wrong with a message, and all that happened to it. The
// lock is held.
func (l *ledger) fail(p place, format string, args ...any) {
	if len(l.failures) >= 5 {
		return
	}
	text := fmt.Sprintf("message %v in %q: ", p.name, p.queue) + fmt.Sprintf(format, args...)
	if m := l.messages[p.name]; m != nil {
		text += fmt.Sprintf("\n  published to %q %q, headers %v, priority %d, for %v; sent %v, confirmed %v", m.exchange, m.key, m.headers, m.priority, m.targets, m.sent, m.confirmed)
	}
	for other, s := range l.places {
		if other.name == p.name {
			text += fmt.Sprintf("\n  in %s (of %q): %s", other.queue, other.origin, strings.Join(s.history, ", "))
		}
	}
	l.failures = append(l.failures, text)
}

func (l *ledger) failf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, fmt.Sprintf(format, args...))
}

func (l *ledger) add(m *message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages[m.name] = m
}

// mark notes that messages may be there now, or must.
func (l *ledger) mark(confirmed bool, messages ...*message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		m.sent = true
		m.confirmed = m.confirmed || confirmed
	}
}

func (l *ledger) at(p place) *state {
	s := l.places[p]
	if s == nil {
		s = &state{}
		l.places[p] = s
	}
	return s
}

// note writes down what somebody did with a message, and whether that takes it
// away from its queue.
func (l *ledger) note(p place, gone bool, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.at(p)
	s.gone = s.gone || gone
	s.history = append(s.history, fmt.Sprint(l.clock.Add(1), " ", fmt.Sprintf(format, args...)))
}

// certain: the broker has answered something that came after the acks.
func (l *ledger) certain(places []place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range places {
		s := l.at(p)
		s.since = l.clock.Add(1)
		s.history = append(s.history, fmt.Sprint(s.since, " gone for certain"))
	}
}

// seen takes a delivery that a client who opened its channel at some time got,
// and gives its place.
func (l *ledger) seen(d delivery, by string, opened uint64) (p place, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, m := l.identify(d)
	if m == nil {
		l.fail(p, "nobody published this: %.60q", d.body)
		return p, false
	}
	s := l.at(p)
	s.history = append(s.history, fmt.Sprintf("%d to %s as %d, redelivered %v", l.clock.Add(1), by, d.tag, d.redelivered))
	switch {
	case !m.sent:
		l.fail(p, "was never committed")
	case !bytes.Equal(m.body, d.body):
		l.fail(p, "has another body")
	case !m.routedTo(p):
		l.fail(p, "does not belong there")
	case s.since > 0 && s.since < opened:
		l.fail(p, "was settled")
	}
	if !d.redelivered || p.queue == loose {
		if s.firsts++; s.firsts > 1 && p.queue != stream {
			l.fail(p, "came %d times as if it were the first", s.firsts)
		}
	}
	return p, true
}

// identify reads the name from the body. The lock is held.
func (l *ledger) identify(d delivery) (p place, m *message) {
	p.queue = d.queue
	size := 0
	if n, _ := fmt.Sscan(string(d.body[:min(len(d.body), 60)]), &p.publisher, &p.number, &size); n != 3 {
		return p, nil
	}
	if d.queue == dead {
		p.origin, _ = d.headers["x-first-death-queue"].(string)
	}
	return p, l.messages[p.name]
}

func (m *message) routedTo(p place) bool {
	queue := p.queue
	if queue == dead {
		queue = p.origin
		if !losesToDead[queue] {
			return false
		}
	}
	return slices.ContainsFunc(m.targets, func(any []string) bool { return slices.Contains(any, queue) })
}
