package route

import (
	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/message"
)

// Exchanges finds the exchanges of a virtual host by name; nil: there is none.
type Exchanges interface {
	FindExchange(name string) *Exchange
}

// Walk collects where one message goes. A message visits each exchange once, and
// each queue gets it once. It can be used again after Reset.
type Walk struct {
	Queues  []*Queue
	Replies []string       // direct reply-to addresses
	Delays  []*delay.Store // that are to keep the message back
	Gated   bool           // there was a gate

	// Past is an exchange whose gate the message has passed before.
	Past *Exchange
	// Shut lets the message pass no gate yet.
	Shut bool

	names     Exchanges
	exchanges []*Exchange         // to visit; visited ones stay at the front
	seen      map[*Queue]struct{} // of Queues, once they are many
	entered   map[topicStep]struct{}
	found     bool // the exchange at hand had a match
}

// NewWalk makes a walk among the exchanges of a virtual host.
func NewWalk(names Exchanges) *Walk { return &Walk{names: names} }

// topicStep is a place in a topic exchange's trie with what is left of the key.
type topicStep struct {
	node *topicNode
	left int
	more bool
}

const manyQueues = 16

// From finds the destinations of a message that comes to an exchange. The
// caller holds the topology's lock, at least for reading.
func (w *Walk) From(first *Exchange, p *message.Publishing) {
	w.exchanges = append(w.exchanges, first)
	for i := 0; i < len(w.exchanges); i++ {
		x := w.exchanges[i]
		if x.Gate != nil && !w.pass(x, p) {
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

// pass takes a message to x's gate, and tells whether x is to route it now: it
// is no duplicate, nor kept back. One that wants to be delivered at once is not
// kept: it goes nowhere.
func (w *Walk) pass(x *Exchange, p *message.Publishing) bool {
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

func (w *Walk) visit(x *Exchange, key string, c message.Content) {
	x.Matcher.Match(w, key, c)
	if w.entered != nil {
		clear(w.entered)
	}
}

// enter reports whether a step of a topic match is new.
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

// addAll adds destinations that hold no doubles among themselves.
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

// Reset makes w ready for the next message, and forgets the last one's.
func (w *Walk) Reset() {
	clear(w.Queues)
	clear(w.exchanges)
	clear(w.Replies)
	clear(w.seen)
	clear(w.Delays)
	w.Queues, w.exchanges, w.Replies, w.Delays = w.Queues[:0], w.exchanges[:0], w.Replies[:0], w.Delays[:0]
	w.Past, w.Shut, w.Gated = nil, false, false
}
