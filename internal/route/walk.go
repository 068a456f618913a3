package route

import (
	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/message"
)

// Topology is the virtual host that a Walk goes through.
type Topology interface {
	// FindExchange returns the exchange of a name, or nil if there is none.
	FindExchange(name string) *Exchange
	// RLock and RUnlock lock the topology for reading.
	RLock()
	RUnlock()
	// Over reports whether nobody cares for messages any more, because the broker is
	// closed.
	Over() bool
}

// Walk collects the destinations of one message. The message visits each exchange
// once, and each queue gets it once. A Walk can be used again after Reset.
//
// A walk that takes long gives up the topology's lock on its way, so that it holds up
// nobody: see From.
type Walk struct {
	Delays []*delay.Store // stores that are to keep the message back
	Gated  bool           // the walk came to an exchange with a gate

	// Past is an exchange whose gate the message has passed already; nil: none.
	Past *Exchange
	// Shut is set if the message may pass no gate in this walk.
	Shut bool

	topology  Topology
	content   message.Read // of the message
	queues    set[*Queue]
	lists     [][]*Queue // that are still to be added to queues
	replies   set[string]
	exchanges set[*Exchange] // in the order of visits; those that are visited stay in it
	found     bool           // a binding of the exchange at hand matches
	steps     int            // since the lock was taken
	over      bool           // the walk has been given up
}

// NewWalk makes a walk through a virtual host.
func NewWalk(t Topology) *Walk { return &Walk{topology: t} }

const (
	// mostSteps is how many steps a walk takes at a time with the lock held: a few
	// milliseconds.
	mostSteps = 1 << 16
	// visitSteps is how many steps an exchange counts for. Most of what it costs is to
	// find out that it has not been visited.
	visitSteps = 16
	// betweenLooks is how many bindings are compared between two looks at whether the
	// walk is over.
	betweenLooks = 64
	// longList is the length from which a list of queues is added later.
	longList = 8
)

// From adds the destinations of a message that comes to an exchange. The caller
// holds the topology's lock for reading.
//
// Mostly the walk is made with the lock held, so it finds the topology of one moment.
// If it takes many steps, others get the lock in between. Then each exchange routes
// by its bindings of one moment, but not all exchanges by those of the same moment,
// as if the message had come to one after the other.
func (w *Walk) From(first *Exchange, p *message.Publishing) {
	var content message.Content
	if p.Content != nil {
		w.content.Content = p.Content
		content = &w.content
	}
	w.exchanges.add(first)
	for i := 0; i < len(w.exchanges.items) && !w.over; i++ {
		x := w.exchanges.items[i]
		if x.Gate != nil && !w.passGate(x, p) {
			continue
		}
		w.found = false
		w.visit(x, p.Key, content)
		for _, k := range p.Extra {
			w.visit(x, k, content)
		}
		if !w.found && x.Alternate != "" {
			if a := w.topology.FindExchange(x.Alternate); a != nil {
				w.addExchange(a)
			}
		}
	}
}

// passGate takes a message through x's gate. It reports whether x is to route the
// message now, because it is neither a duplicate nor kept back. An immediate message
// is not kept back: it goes nowhere.
func (w *Walk) passGate(x *Exchange, p *message.Publishing) bool {
	w.Gated = true
	switch g := x.Gate; {
	case x == w.Past:
		return true
	case w.Shut, g.Seen != nil && !g.Seen.Add(p.Content):
	case g.Delays == nil || delay.Of(p.Content) == 0:
		return true
	case !p.Immediate:
		w.Delays = append(w.Delays, g.Delays)
	}
	return false
}

// visit adds the destinations that x has for a key.
func (w *Walk) visit(x *Exchange, key string, c message.Content) {
	if w.steps >= mostSteps {
		w.pause()
		w.resume()
	}
	if !w.over {
		w.steps += visitSteps
		x.Matcher.Match(w, key, c)
	}
}

// pause gives up the topology's lock, and resume takes it again.
func (w *Walk) pause() { w.topology.RUnlock() }

func (w *Walk) resume() {
	w.topology.RLock()
	w.steps = 0
	w.isOver()
}

// isOver reports whether the walk is given up: who closes a broker does not wait for
// it.
func (w *Walk) isOver() bool {
	w.over = w.over || w.topology.Over()
	return w.over
}

// GivenUp reports whether From has not found all destinations, because the broker is
// closed.
func (w *Walk) GivenUp() bool { return w.over }

// add adds the destination of b.
func (w *Walk) add(b *Binding) {
	if b.Queue != nil {
		w.AddQueue(b.Queue)
	} else {
		w.addExchange(b.Exchange)
	}
}

// addAll adds destinations.
func (w *Walk) addAll(d *destinations) {
	queues := &d.queues.items
	if len(queues.list) > longList {
		w.found = true
		w.lists = append(w.lists, queues.lend())
	} else {
		for _, q := range queues.list {
			w.AddQueue(q)
		}
	}
	for _, x := range d.exchanges.items.list {
		w.addExchange(x)
	}
	w.steps += len(d.exchanges.items.list)
}

// AddQueue adds a queue as a destination.
func (w *Walk) AddQueue(q *Queue) {
	if !q.Gone.Load() {
		w.found = true
		w.queues.add(q)
	}
}

// addExchange adds an exchange to those to visit.
func (w *Walk) addExchange(x *Exchange) {
	if !x.Gone.Load() {
		w.found = true
		w.exchanges.add(x)
	}
}

// AddReply adds a direct reply-to address as a destination.
func (w *Walk) AddReply(address string) {
	w.found = true
	w.replies.add(address)
}

// Replies returns the direct reply-to addresses that From has found.
func (w *Walk) Replies() []string { return w.replies.items }

// Queues returns the queues that From has found, each once. The list must not be
// written to. It is called without the topology's lock, since it may take long.
func (w *Walk) Queues() []*Queue {
	if len(w.lists) == 1 && len(w.queues.items) == 0 {
		return w.lists[0]
	}
	for _, list := range w.lists {
		for _, q := range list {
			w.queues.add(q)
		}
	}
	clear(w.lists)
	w.lists = w.lists[:0]
	return w.queues.items
}

// Reset clears w for the next message.
func (w *Walk) Reset() {
	w.queues.reset()
	w.exchanges.reset()
	w.replies.reset()
	if len(w.Delays)+len(w.lists) > 0 {
		clear(w.Delays)
		clear(w.lists)
		w.Delays, w.lists = w.Delays[:0], w.lists[:0]
	}
	if w.content.Content != nil {
		w.content = message.Read{}
	}
	if w.Past != nil {
		w.Past = nil
	}
	w.Shut, w.Gated, w.steps, w.over = false, false, 0, false
}
