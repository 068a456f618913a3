package route

import "github.com/warrenmq/warren/internal/message"

// Matcher finds the bindings that a message matches. Each type of exchange has its
// own Matcher. The topology's lock guards it.
type Matcher interface {
	// Add adds a binding.
	Add(b *Binding)
	// Remove removes a binding that was added.
	Remove(b *Binding)
	// Match adds the destinations of the bindings that match to w. What takes long
	// is done with w.pause and w.resume around it, with a list that was lent before:
	// the bindings are those of one moment.
	Match(w *Walk, key string, c message.Content)
	// Exact returns the queues of a message with this key, if they are all of its
	// destinations and can be found without a Walk. This is so for most messages.
	// The list can be read after the lock is free.
	Exact(key string) ([]*Queue, bool)
}

// Types of exchanges.
const (
	Direct         = "direct"
	Fanout         = "fanout"
	Topic          = "topic"
	Headers        = "headers"
	ConsistentHash = "x-consistent-hash"
)

// NewMatcher makes the matcher of an exchange type. It returns nil if the type is
// unknown. On is used by exchanges that hash.
func NewMatcher(kind string, on HashOn) Matcher {
	switch kind {
	case Direct:
		return directMatcher{}
	case Fanout:
		return &fanoutMatcher{}
	case Topic:
		return &topicMatcher{plain: directMatcher{}}
	case Headers:
		return &headersMatcher{}
	case ConsistentHash:
		return newHashMatcher(on)
	}
	return nil
}

// directMatcher maps each binding key to its destinations.
type directMatcher map[string]*destinations

// Add implements Matcher.
func (m directMatcher) Add(b *Binding) {
	d := m[b.Key]
	if d == nil {
		d = &destinations{}
		m[b.Key] = d
	}
	d.add(b)
}

// Remove implements Matcher.
func (m directMatcher) Remove(b *Binding) {
	d := m[b.Key]
	if d.remove(b); d.len() == 0 {
		delete(m, b.Key)
	}
}

// Match implements Matcher.
func (m directMatcher) Match(w *Walk, key string, _ message.Content) {
	if d := m[key]; d != nil {
		w.addAll(d)
	}
}

// Exact implements Matcher.
func (m directMatcher) Exact(key string) ([]*Queue, bool) { return m[key].exact() }

// fanoutMatcher keeps the destinations of all bindings.
type fanoutMatcher struct{ all destinations }

// Add implements Matcher.
func (m *fanoutMatcher) Add(b *Binding) { m.all.add(b) }

// Remove implements Matcher.
func (m *fanoutMatcher) Remove(b *Binding) { m.all.remove(b) }

// Match implements Matcher.
func (m *fanoutMatcher) Match(w *Walk, _ string, _ message.Content) { w.addAll(&m.all) }

// Exact implements Matcher.
func (m *fanoutMatcher) Exact(string) ([]*Queue, bool) { return m.all.exact() }
