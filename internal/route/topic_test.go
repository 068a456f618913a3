package route

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// openTopology is a topology whose lock nobody else wants. It counts how often the
// lock was given up, and calls onUnlock then.
type openTopology struct {
	paused   int
	over     bool
	onUnlock func()
}

func (*openTopology) FindExchange(string) *Exchange { return nil }
func (*openTopology) RLock()                        {}
func (t *openTopology) Over() bool                  { return t.over }

func (t *openTopology) RUnlock() {
	t.paused++
	if t.onUnlock != nil {
		t.onUnlock()
	}
}

// topicWith makes the matcher of a topic exchange with bindings to a queue each.
func topicWith(patterns ...string) (*topicMatcher, []*Queue) {
	m := NewMatcher(Topic, HashOn{}).(*topicMatcher)
	var queues []*Queue
	for _, p := range patterns {
		q := &Queue{}
		queues = append(queues, q)
		m.Add(&Binding{BindingKey: BindingKey{Queue: q, Key: p}})
	}
	return m, queues
}

// TestTopicMatchTakesBoundedSteps: a matcher that tries every way to share the
// words among the # would not end in a lifetime.
func TestTopicMatchTakesBoundedSteps(t *testing.T) {
	const hashes, words = 60, 127
	key := strings.Repeat("a.", words-1) + "a"
	for _, c := range []struct {
		name, pattern string
		matches       bool
	}{
		{"words between", strings.Repeat("#.a.", hashes) + "#", true},
		{"words between and no match", strings.Repeat("#.a.", hashes) + "b", false},
		{"stars between", strings.Repeat("#.*.", hashes) + "b", false},
		{"stars and empty words", "*....#.a.#.a", false},
		{"stars and a match", strings.Repeat("*.#.", hashes) + "a", true},
		{"nothing between", strings.Repeat("#.", hashes) + "b", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, queues := topicWith(c.pattern)
			top := &openTopology{}
			w := NewWalk(top)
			m.Match(w, key, nil)
			require.Equal(t, c.matches, len(w.Queues()) == 1)
			if c.matches {
				require.Equal(t, queues, w.Queues())
			}
			require.LessOrEqual(t, w.steps, 2*fewSteps, "steps with the lock held")
		})
	}
	t.Run("many patterns", func(t *testing.T) {
		patterns := []string{}
		for i := range 32 {
			patterns = append(patterns, strings.Repeat("#.a.", i)+"#", strings.Repeat("#.*.", i)+"a", strings.Repeat("*.#.", i)+"b")
		}
		m, _ := topicWith(patterns...)
		top := &openTopology{}
		w := NewWalk(top)
		m.Match(w, key, nil)
		require.Equal(t, 1, top.paused, "the patterns are compared without the lock")
		require.Len(t, w.Queues(), 32+31)
	})
}

// TestBothWaysToMatchFollowTheRule tries random keys and patterns in the trie and
// word by word.
func TestBothWaysToMatchFollowTheRule(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	random := func(longest int, words ...string) string {
		var some []string
		for range rng.IntN(longest) {
			some = append(some, words[rng.IntN(len(words))])
		}
		return strings.Join(some, ".")
	}
	matched := 0
	for range 20_000 {
		longest := 6
		if rng.IntN(20) == 0 {
			longest = 140 // more than two words of the state
		}
		pattern, key := random(min(longest, 9), "a", "b", "", "*", "#", "#"), random(longest, "a", "b", "")
		if !isPattern(pattern) {
			continue
		}
		want := ruleMatches(wordsOf(pattern), wordsOf(key))
		require.Equal(t, want, newKeyWords(key).match(pattern), "pattern %q, key %q", pattern, key)
		m, _ := topicWith(pattern)
		w := NewWalk(&openTopology{})
		m.Match(w, key, nil)
		require.Equal(t, want, len(w.Queues()) == 1, "pattern %q, key %q", pattern, key)
		if want {
			matched++
		}
	}
	require.Greater(t, matched, 1000)
}

func wordsOf(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ".")
}

// ruleMatches is the rule of topic exchanges, with a table of which beginning of the
// pattern matches which beginning of the key.
func ruleMatches(pattern, key []string) bool {
	table := make([][]bool, len(pattern)+1)
	for p := range table {
		table[p] = make([]bool, len(key)+1)
		for k := range table[p] {
			switch {
			case p == 0:
				table[p][k] = k == 0
			case pattern[p-1] == "#":
				table[p][k] = table[p-1][k] || k > 0 && table[p][k-1]
			default:
				table[p][k] = k > 0 && table[p-1][k-1] && (pattern[p-1] == "*" || pattern[p-1] == key[k-1])
			}
		}
	}
	return table[len(pattern)][len(key)]
}
