package warrentest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/warrenmq/warren/internal/wire"
)

const (
	maxEvents     = 10_000   // that are kept, the last ones
	maxEventBytes = 16 << 20 // of the bodies of their messages together
	shownEvents   = 100      // in the log of a test that failed
	shownBody     = 60       // bytes of a body in a transcript
)

// recorder keeps the events of a broker.
type recorder struct {
	mu sync.Mutex
	// Guarded by mu.
	events    []Event
	bytes     int // of bodies
	forgotten int // events that are not kept
}

// add keeps an event.
func (r *recorder) add(e *Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, *e)
	r.bytes += e.size()
	for len(r.events) > maxEvents || r.bytes > maxEventBytes && len(r.events) > 1 {
		r.bytes -= r.events[0].size()
		r.events[0] = Event{}
		r.events = r.events[1:]
		r.forgotten++
	}
}

func (e *Event) size() int {
	if e.Message == nil {
		return 0
	}
	return len(e.Message.Body)
}

// note records an op. It sees where a message is going to go.
func (t *tap) note(o *op) {
	if o.id == wire.BasicPublishID && o.From == Client {
		if v, err := t.broker.VirtualHost(o.VirtualHost); err == nil {
			o.Routed, _ = v.Routes(o.Exchange, o.RoutingKey, o.Message.Headers) // an unknown exchange routes nowhere
		}
	}
	t.broker.log.add(&o.Event)
}

// Recorded returns what clients, the broker and the program itself have sent so far, of
// what m means: Skip and Times do not count. The zero Match means all. Of very many
// events the last 10,000 are kept.
func (b *Broker) Recorded(m Match) (events []Event) {
	b.log.mu.Lock()
	defer b.log.mu.Unlock()
	for i := range b.log.events {
		if e := &b.log.events[i]; m.matches(e) {
			events = append(events, *e)
		}
	}
	return events
}

// Published returns the messages that were published so far, by clients and by the
// program itself, of what m means but for its Method.
func (b *Broker) Published(m Match) []Event {
	m.Method, m.From = wire.BasicPublishID.String(), Client
	return b.Recorded(m)
}

// Transcript returns what was recorded, of what m means, as text with a line for each.
func (b *Broker) Transcript(m Match) string {
	var s strings.Builder
	b.log.mu.Lock()
	if n := b.log.forgotten; n > 0 {
		fmt.Fprintf(&s, "... %d before\n", n)
	}
	b.log.mu.Unlock()
	for _, e := range b.Recorded(m) {
		s.WriteString(e.String())
		s.WriteByte('\n')
	}
	return s.String()
}

// recentEvents returns the end of the transcript without heartbeats, for a test that
// failed.
func (b *Broker) recentEvents() string {
	var lines []string
	for _, e := range b.Recorded(Match{}) {
		if e.Method != Heartbeat {
			lines = append(lines, e.String())
		}
	}
	text := ""
	if n := len(lines) - shownEvents; n > 0 {
		text = fmt.Sprintf("... %d before\n", n)
		lines = lines[n:]
	}
	return text + strings.Join(lines, "\n")
}

// String is the event as a line of a transcript, such as
//
//	15:04:05.000 worker/1 -> basic.publish #1 exchange orders key paid "42" routed to [audit billing]
func (e Event) String() string {
	var s strings.Builder
	arrow := "->"
	if e.From == Server {
		arrow = "<-"
	}
	fmt.Fprintf(&s, "%s %s", e.At.Format("15:04:05.000"), e.Connection)
	if e.Channel != 0 {
		fmt.Fprintf(&s, "/%d", e.Channel)
	}
	fmt.Fprintf(&s, " %s %s", arrow, e.Method)
	if e.DeliveryTag != 0 {
		fmt.Fprintf(&s, " #%d", e.DeliveryTag)
	}
	for _, f := range [...]struct {
		name, value string
		shown       bool
	}{
		{"exchange", e.Exchange, e.Exchange != ""}, {"key", e.RoutingKey, e.RoutingKey != ""}, {"queue", e.Queue, e.Queue != ""},
		{"consumer", e.ConsumerTag, e.ConsumerTag != ""}, {"code", fmt.Sprint(e.Code), e.Code != 0},
	} {
		if f.shown {
			fmt.Fprintf(&s, " %s %s", f.name, f.value)
		}
	}
	e.writeFlags(&s)
	if e.Text != "" {
		fmt.Fprintf(&s, " (%s)", e.Text)
	}
	if e.Message != nil {
		e.writeMessage(&s)
	}
	if e.Fault != "" {
		fmt.Fprintf(&s, " FAULT %s", e.Fault)
	}
	return s.String()
}

func (e *Event) writeFlags(s *strings.Builder) {
	for _, f := range [...]struct {
		name string
		set  bool
	}{{"multiple", e.Multiple}, {"requeue", e.Requeue}, {"redelivered", e.Redelivered}, {"mandatory", e.Mandatory}} {
		if f.set {
			s.WriteString(" " + f.name)
		}
	}
}

func (e *Event) writeMessage(s *strings.Builder) {
	m := e.Message
	for _, f := range [...]struct{ name, value string }{
		{"id", m.MessageId}, {"correlation", m.CorrelationId}, {"reply-to", m.ReplyTo}, {"expires", m.Expiration},
	} {
		if f.value != "" {
			fmt.Fprintf(s, " %s %s", f.name, f.value)
		}
	}
	if body := m.Body; len(body) > shownBody {
		fmt.Fprintf(s, " %q... (%d bytes)", body[:shownBody], len(body))
	} else {
		fmt.Fprintf(s, " %q", body)
	}
	if e.Method == wire.BasicPublishID.String() && e.Connection != inProcess {
		fmt.Fprintf(s, " routed to %v", e.Routed)
	}
}
