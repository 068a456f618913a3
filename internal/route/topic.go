package route

import (
	"strings"

	"github.com/warrenmq/warren/internal/message"
)

// topicMatcher keeps binding keys without wildcards in a map, and those with
// wildcards in a trie, word by word. The cost of a message depends on its words and
// on the wildcards that it meets, not on the number of other bindings.
//
// As in RabbitMQ, an empty key has no words and "a." has two.
type topicMatcher struct {
	plain    directMatcher
	patterns topicNode
}

// topicNode is the end of a sequence of words of binding keys.
type topicNode struct {
	star *topicNode   // after *: exactly one word
	hash *topicNode   // after #: any number of words
	here destinations // of bindings that end here

	words map[string]*topicNode // after any other word
}

// isPattern reports whether a binding key has a wildcard, which is a whole word.
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

// Add implements Matcher.
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

// child returns the node after word. It makes the node if need be.
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

// Remove implements Matcher.
func (m *topicMatcher) Remove(b *Binding) {
	if !isPattern(b.Key) {
		m.plain.Remove(b)
		return
	}
	m.patterns.remove(b, b.Key, true)
}

// remove removes b below n. It reports whether n is no longer needed.
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

// Match implements Matcher.
func (m *topicMatcher) Match(w *Walk, key string, _ message.Content) {
	m.plain.Match(w, key, nil)
	if !m.patterns.bare() {
		m.patterns.match(w, key, key != "")
	}
}

// Exact implements Matcher. It knows the queues if there is no pattern.
func (m *topicMatcher) Exact(key string) ([]*Queue, bool) {
	if !m.patterns.bare() {
		return nil, false
	}
	return m.plain.Exact(key)
}

// match adds the destinations below n that match the words of rest. More is false at
// the end of the key.
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

// matchAny is match after a #: it tries every rest of the words, from all to none.
func (n *topicNode) matchAny(w *Walk, rest string, more bool) {
	if n.bare() {
		w.addAll(&n.here) // # is the last word and matches any rest
		return
	}
	for {
		// With several # in a pattern, the same node and rest are reached many
		// times. Once is enough, and it keeps the cost bounded.
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
