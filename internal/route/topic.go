package route

import (
	"strings"

	"github.com/warrenmq/warren/internal/message"
)

// topicMatcher has the binding keys without wildcards in a map and those with
// in a trie, word by word. What a message costs depends on its words and on
// the wildcards met, not on the number of bindings beside its way.
//
// As in RabbitMQ, an empty key has no words and "a." has two.
type topicMatcher struct {
	plain    directMatcher
	patterns topicNode
}

type topicNode struct {
	star *topicNode   // after *: exactly one word
	hash *topicNode   // after #: any number of words
	here destinations // of bindings that end here

	words map[string]*topicNode // after any other word
}

// isPattern reports whether a binding key has a wildcard: as a whole word.
func isPattern(key string) bool {
	if !strings.ContainsAny(key, "*#") {
		return false
	}
	for word := range strings.SplitSeq(key, ".") {
		if word == "*" || word == "#" {
			return true
		}
	}
	return false
}

func (m *topicMatcher) Add(b *Binding) {
	if !isPattern(b.Key) {
		m.plain.Add(b)
		return
	}
	n := &m.patterns
	for rest, more := b.Key, b.Key != ""; more; {
		var word string
		word, rest, more = strings.Cut(rest, ".")
		n = n.child(word)
	}
	n.here.add(b)
}

// child finds the node behind word and makes it if need be.
func (n *topicNode) child(word string) *topicNode {
	switch word {
	case "*":
		if n.star == nil {
			n.star = &topicNode{}
		}
		return n.star
	case "#":
		if n.hash == nil {
			n.hash = &topicNode{}
		}
		return n.hash
	}
	c := n.words[word]
	if c == nil {
		if n.words == nil {
			n.words = make(map[string]*topicNode)
		}
		c = &topicNode{}
		n.words[word] = c
	}
	return c
}

func (m *topicMatcher) Remove(b *Binding) {
	if !isPattern(b.Key) {
		m.plain.Remove(b)
		return
	}
	m.patterns.remove(b, b.Key, true)
}

// remove takes b out below n and reports whether n is of no more use.
func (n *topicNode) remove(b *Binding, rest string, more bool) (empty bool) {
	if !more {
		n.here.remove(b)
	} else {
		word, rest, more := strings.Cut(rest, ".")
		if n.child(word).remove(b, rest, more) {
			switch word {
			case "*":
				n.star = nil
			case "#":
				n.hash = nil
			default:
				delete(n.words, word)
			}
		}
	}
	return n.here.empty() && n.bare()
}

// bare reports whether no word follows n.
func (n *topicNode) bare() bool { return n.star == nil && n.hash == nil && len(n.words) == 0 }

func (m *topicMatcher) Match(w *Walk, key string, _ message.Content) {
	m.plain.Match(w, key, nil)
	if !m.patterns.bare() {
		m.patterns.match(w, key, key != "")
	}
}

func (m *topicMatcher) Exact(key string) ([]*Queue, bool) {
	if !m.patterns.bare() {
		return nil, false
	}
	return m.plain.Exact(key)
}

// match walks down from n with the words of rest; more is false at the end.
func (n *topicNode) match(w *Walk, rest string, more bool) {
	if n.hash != nil {
		n.hash.matchAny(w, rest, more)
	}
	if !more {
		w.addAll(&n.here)
		return
	}
	word, rest, more := strings.Cut(rest, ".")
	if c := n.words[word]; c != nil {
		c.match(w, rest, more)
	}
	if n.star != nil {
		n.star.match(w, rest, more)
	}
}

// matchAny continues behind a # with every rest of the words, from all to
// none.
func (n *topicNode) matchAny(w *Walk, rest string, more bool) {
	if n.bare() {
		w.addAll(&n.here) // # is the last word: it takes the rest, whatever it is
		return
	}
	for {
		// Several # on the way lead to the same node and rest many times
		// over; once is enough, and keeps the cost bounded.
		if !w.enter(n, len(rest), more) {
			return
		}
		n.match(w, rest, more)
		if !more {
			return
		}
		_, rest, more = strings.Cut(rest, ".")
	}
}
