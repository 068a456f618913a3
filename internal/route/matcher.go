package route

import "github.com/warrenmq/warren/internal/message"

// Matcher finds the bindings that a message matches: what makes an exchange
// of its type. Its owner guards it by the
// topology's lock.
type Matcher interface {
	Add(b *Binding)
	Remove(b *Binding)
	// Match adds the destinations of matching bindings to w.
	Match(w *Walk, key string, c message.Content)
	// Exact gives the queues of a message whose destinations are these and no
	// others, if that takes no more than a look; most messages are such.
	// Their list can be read after the lock is free.
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

// NewMatcher makes the matcher of an exchange type, or nil if the type is
// unknown. What to hash on counts for exchanges that hash.
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

// directMatcher has the destinations of each binding key.
type directMatcher map[string]*destinations

func (m directMatcher) Add(b *Binding) {
	d := m[b.Key]
	if d == nil {
		d = &destinations{}
		m[b.Key] = d
	}
	d.add(b)
}

func (m directMatcher) Remove(b *Binding) {
	d := m[b.Key]
	if d.remove(b); d.empty() {
		delete(m, b.Key)
	}
}

func (m directMatcher) Match(w *Walk, key string, _ message.Content) {
	if d := m[key]; d != nil {
		w.addAll(d)
	}
}

func (m directMatcher) Exact(key string) ([]*Queue, bool) { return m[key].exact() }

// fanoutMatcher has the destinations of all bindings.
type fanoutMatcher struct{ all destinations }

func (m *fanoutMatcher) Add(b *Binding)                             { m.all.add(b) }
func (m *fanoutMatcher) Remove(b *Binding)                          { m.all.remove(b) }
func (m *fanoutMatcher) Match(w *Walk, _ string, _ message.Content) { w.addAll(&m.all) }
func (m *fanoutMatcher) Exact(string) ([]*Queue, bool)              { return m.all.exact() }
