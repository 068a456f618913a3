package route

import (
	"strings"

	"github.com/warrenmq/warren/internal/message"
)

// topicMatcher keeps binding keys without wildcards in a map, and those with
// wildcards in a trie, word by word. The cost of a message depends on its words and
// on the wildcards that it meets, not on the number of other bindings.
//
// A key of many words can meet the wildcards of a pattern in very many ways. So the
// trie is given up after a number of steps, and the message is compared with one
// pattern after another, without the topology's lock: see keyWords.
//
// As in RabbitMQ, an empty key has no words and "a." has two.
type topicMatcher struct {
	plain    directMatcher
	patterns topicNode
	list     matchList[*Binding] // all bindings in patterns
}

// topicNode is the end of a sequence of words of binding keys.
type topicNode struct {
	star *topicNode    // after *: exactly one word
	hash *topicNode    // after #: any number of words
	here *destinations // of bindings that end here; nil: none do

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
	if n.here == nil {
		n.here = &destinations{}
	}
	n.here.add(b)
	m.list.add(b)
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
	m.list.remove(b)
}

// remove removes b below n. It reports whether n is no longer needed.
func (n *topicNode) remove(b *Binding, rest string, more bool) (empty bool) {
	if !more {
		if n.here.remove(b); n.here.len() == 0 {
			n.here = nil
		}
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
	return n.here == nil && n.bare()
}

// bare reports whether no word follows n.
func (n *topicNode) bare() bool { return n.star == nil && n.hash == nil && len(n.words) == 0 }

// fewSteps is how many steps a match in the trie may take, with twice the number of
// patterns added: about as many as the comparison with each pattern costs.
const fewSteps = 256

// Match implements Matcher.
func (m *topicMatcher) Match(w *Walk, key string, _ message.Content) {
	m.plain.Match(w, key, nil)
	if m.patterns.bare() {
		return
	}
	most := min(fewSteps+2*len(m.list.list), mostSteps)
	t := topicMatch{Walk: w, left: most}
	m.patterns.match(&t, key, key != "")
	w.steps += most - t.left
	if t.left <= 0 {
		list := m.list.lend()
		w.pause()
		newKeyWords(key).matchAll(w, list)
		w.resume()
	}
}

// Exact implements Matcher. It knows the queues if there is no pattern.
func (m *topicMatcher) Exact(key string) ([]*Queue, bool) {
	if !m.patterns.bare() {
		return nil, false
	}
	return m.plain.Exact(key)
}

// topicMatch is a match in the trie.
type topicMatch struct {
	*Walk
	left int // steps; none: the match is given up
}

// match adds the destinations below n that match the words of rest. More is false at
// the end of the key.
func (n *topicNode) match(t *topicMatch, rest string, more bool) {
	if t.left--; t.left <= 0 {
		return
	}
	if n.hash != nil {
		n.hash.matchAny(t, rest, more)
	}
	if !more {
		n.arrive(t)
		return
	}
	word, rest, more := strings.Cut(rest, ".")
	if c := n.words[word]; c != nil {
		c.match(t, rest, more)
	}
	if n.star != nil {
		n.star.match(t, rest, more)
	}
}

// matchAny is match after a #: it tries every rest of the words, from all to none.
func (n *topicNode) matchAny(t *topicMatch, rest string, more bool) {
	if n.bare() {
		n.arrive(t) // # is the last word and matches any rest
		return
	}
	for {
		n.match(t, rest, more)
		if !more || t.left <= 0 {
			return
		}
		_, rest, more = strings.Cut(rest, ".")
	}
}

// arrive adds the destinations of the bindings that end at n.
func (n *topicNode) arrive(t *topicMatch) {
	if n.here != nil {
		t.addAll(n.here)
		t.left -= n.here.len()
	}
}
