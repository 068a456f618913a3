package route

import (
	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/message"
)

// Exchanges finds the exchanges of a virtual host.
type Exchanges interface {
	// FindExchange returns the exchange of a name, or nil if there is none.
	FindExchange(name string) *Exchange
}

// Walk collects the destinations of one message. The message visits each exchange
// once, and each queue gets it once. A Walk can be used again after Reset.
type Walk struct {
	Queues  []*Queue
	Replies []string       // direct reply-to addresses
	Delays  []*delay.Store // stores that are to keep the message back
	Gated   bool           // the walk came to an exchange with a gate

	// Past is an exchange whose gate the message has passed already; nil: none.
	Past *Exchange
	// Shut is set if the message may pass no gate in this walk.
	Shut bool

	names     Exchanges
	exchanges []*Exchange            // in the order of visits; those that are visited stay in the list
	seen      map[*Queue]struct{}    // the same as Queues; used once these are manyQueues
	entered   map[topicStep]struct{} // steps of the topic match at hand
	found     bool                   // a binding of the exchange at hand matches
}

// NewWalk makes a walk through the exchanges of a virtual host.
func NewWalk(names Exchanges) *Walk { return &Walk{names: names} }

// topicStep is a node of a topic exchange's trie and the rest of the key there.
type topicStep struct {
	node *topicNode
	left int  // bytes of the rest
	more bool // the rest has words
}

// manyQueues is the number of queues from which a walk uses a map of them.
const manyQueues = 16

// From adds the destinations of a message that comes to an exchange. The caller
// holds the topology's lock, at least for reading.
func (w *Walk) From(first *Exchange, p *message.Publishing) {
	w.exchanges = append(w.exchanges, first)
	for i := 0; i < len(w.exchanges); i++ {
		x := w.exchanges[i]
		if x.Gate != nil && !w.passGate(x, p) {
			continue
		}
		w.found = false
		w.visit(x, p.Key, p.Content)
		for _, k := range p.Extra {
			w.visit(x, k, p.Content)
		}
		if !w.found && x.Alternate != "" {
			if a := w.names.FindExchange(x.Alternate); a != nil {
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
	x.Matcher.Match(w, key, c)
	if w.entered != nil {
		clear(w.entered)
	}
}

// enter notes a step of a topic match. It reports false if the step was made before.
func (w *Walk) enter(n *topicNode, left int, more bool) bool {
	s := topicStep{n, left, more}
	if _, ok := w.entered[s]; ok {
		return false
	}
	if w.entered == nil {
		w.entered = make(map[topicStep]struct{})
	}
	w.entered[s] = struct{}{}
	return true
}

// add adds the destination of b.
func (w *Walk) add(b *Binding) {
	if b.Queue != nil {
		w.AddQueue(b.Queue)
	} else {
		w.found = true
		w.addExchange(b.Exchange)
	}
}

// addAll adds destinations.
func (w *Walk) addAll(d *destinations) {
	if d.empty() {
		return
	}
	w.found = true
	if len(w.Queues) == 0 {
		w.Queues = append(w.Queues, d.queues.items...)
	} else {
		for _, q := range d.queues.items {
			w.AddQueue(q)
		}
	}
	for _, x := range d.exchanges.items {
		w.addExchange(x)
	}
}

// AddQueue adds a queue as a destination.
func (w *Walk) AddQueue(q *Queue) {
	w.found = true
	if len(w.Queues) < manyQueues {
		for _, have := range w.Queues {
			if have == q {
				return
			}
		}
	} else {
		if w.seen == nil {
			w.seen = make(map[*Queue]struct{}, 2*manyQueues)
		}
		if len(w.seen) == 0 {
			for _, have := range w.Queues {
				w.seen[have] = struct{}{}
			}
		}
		if _, ok := w.seen[q]; ok {
			return
		}
		w.seen[q] = struct{}{}
	}
	w.Queues = append(w.Queues, q)
}

// addExchange adds an exchange to those to visit.
func (w *Walk) addExchange(x *Exchange) {
	for _, have := range w.exchanges {
		if have == x {
			return
		}
	}
	w.exchanges = append(w.exchanges, x)
}

// AddReply adds a direct reply-to address as a destination.
func (w *Walk) AddReply(address string) {
	w.found = true
	for _, have := range w.Replies {
		if have == address {
			return
		}
	}
	w.Replies = append(w.Replies, address)
}

// Reset clears w for the next message.
func (w *Walk) Reset() {
	clear(w.Queues)
	clear(w.exchanges)
	clear(w.Replies)
	clear(w.seen)
	clear(w.Delays)
	w.Queues, w.exchanges, w.Replies, w.Delays = w.Queues[:0], w.exchanges[:0], w.Replies[:0], w.Delays[:0]
	w.Past, w.Shut, w.Gated = nil, false, false
}
