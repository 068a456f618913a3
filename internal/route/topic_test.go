package route

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// topicSteps matches key in a topic exchange that has the patterns, and counts
// the places behind a # that the match went on from.
func topicSteps(key string, patterns ...string) int {
	m := NewMatcher(Topic, HashOn{})
	for _, p := range patterns {
		m.Add(&Binding{BindingKey: BindingKey{Queue: &Queue{}, Key: p}})
	}
	w := &Walk{}
	m.Match(w, key, nil)
	return len(w.entered)
}

// TestTopicMatchTakesBoundedSteps: a matcher that tries every way to share the
// words among the # would not end in a lifetime.
func TestTopicMatchTakesBoundedSteps(t *testing.T) {
	const hashes, words = 60, 127
	key := strings.Repeat("a.", words-1) + "a"
	for rule, pattern := range map[string]string{
		"words between":              strings.Repeat("#.a.", hashes) + "#",
		"words between and no match": strings.Repeat("#.a.", hashes) + "b",
		"stars between":              strings.Repeat("#.*.", hashes) + "b",
		"nothing between":            strings.Repeat("#.", hashes) + "b",
	} {
		t.Run(rule, func(t *testing.T) {
			steps := topicSteps(key, pattern)
			require.Positive(t, steps)
			require.LessOrEqual(t, steps, (hashes+1)*(words+1), "each # goes on from each word at most once")
		})
	}
	t.Run("many patterns", func(t *testing.T) {
		patterns := []string{}
		for i := range 32 {
			patterns = append(patterns, strings.Repeat("#.a.", i)+"#", strings.Repeat("#.*.", i)+"a", strings.Repeat("*.#.", i)+"b")
		}
		require.LessOrEqual(t, topicSteps(key, patterns...), 3*32*(words+1))
	})
}
