package warren_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestTopicPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"a.b", []string{"a.b"}, []string{"a", "a.b.c", "a.B", "a.", "", "b.a"}},
		{"*", []string{"a", "*", "#"}, []string{"", "a.b", "."}},
		{"a.*", []string{"a.b", "a."}, []string{"a", "a.b.c", "b.a"}},
		{"*.b", []string{"a.b", ".b"}, []string{"b", "a.a.b", "a.c"}},
		{"*.*", []string{"a.b", "."}, []string{"a", "", "a.b.c"}},
		{"a.*.c", []string{"a.b.c", "a..c"}, []string{"a.c", "a.b.b.c"}},
		{"#", []string{"", "a", "a.b", ".", "a.b.c.d"}, nil},
		{"a.#", []string{"a", "a.", "a.b", "a.b.c"}, []string{"", "b", "b.a", "aa"}},
		{"#.a", []string{"a", "b.a", "b.c.a", ".a"}, []string{"", "a.b", "a.b.", "ba"}},
		{"a.#.b", []string{"a.b", "a.x.b", "a.b.b", "a.x.y.b"}, []string{"a", "b", "a.b.c", "x.a.b"}},
		{"#.#", []string{"", "a", "a.b"}, nil},
		{"#.*", []string{"a", "a.b", "."}, []string{""}},
		{"*.#", []string{"a", "a.b", "."}, []string{""}},
		{"*.#.*", []string{"a.b", "a.b.c"}, []string{"", "a"}},
		{"#.a.#", []string{"a", "x.a", "a.x", "x.a.y"}, []string{"", "x", "x.y"}},
		{"#.a.#.a.#", []string{"a.a", "a.x.a", "x.a.y.a.z"}, []string{"a", "a.x", "aa"}},
		{"#.a.*.b", []string{"a.x.b", "a.a.x.b", "a.b.a.b.b"}, []string{"a.b", "a.x.b.c"}},
		// Wildcards are whole words.
		{"a*", []string{"a*"}, []string{"a", "ab"}},
		{"a#", []string{"a#"}, []string{"a", "ab", "a.b"}},
		{"**", []string{"**"}, []string{"a", "a.b"}},
		{"##", []string{"##"}, []string{"", "a"}},
		{"a.b*", []string{"a.b*"}, []string{"a.b", "a.bc"}},
		// The empty key has no words, and a dot stands between two.
		{"", []string{""}, []string{"a", "."}},
		{".", []string{"."}, []string{"", "a", "a.", ".."}},
		{"a.", []string{"a."}, []string{"a", "a.b"}},
		{".a", []string{".a"}, []string{"a"}},
		{"a..b", []string{"a..b"}, []string{"a.b", "a.x.b"}},
		// A key's own wildcards are ordinary words.
		{"a.b", nil, []string{"a.*", "a.#", "#"}},
	} {
		t.Run(c.pattern, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				require.NoError(t, ch.QueueBind("q", c.pattern, "amq.topic", nil))
				for _, key := range c.yes {
					brokertest.Put(t, ch, "amq.topic", key, key)
					require.Equal(t, []string{key}, brokertest.Drain(t, ch, "q"), "key %q", key)
				}
				for _, key := range c.no {
					brokertest.Put(t, ch, "amq.topic", key, key)
					require.Empty(t, brokertest.Drain(t, ch, "q"), "key %q", key)
				}
			})
		})
	}
}

func TestTopicExchangeGivesOneCopyPerQueue(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q", "r")
		for _, pattern := range []string{"#", "a.#", "a.*", "a.b", "*.b", "#.b", "#.#"} {
			require.NoError(t, ch.QueueBind("q", pattern, "amq.topic", nil))
			require.NoError(t, ch.QueueBind("r", pattern, "amq.topic", nil))
		}
		brokertest.Put(t, ch, "amq.topic", "a.b", "m")
		require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, "q"))
		require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, "r"))
	})
}

func TestTopicUnbindLeavesOtherPatternsAlone(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		patterns := []string{"a", "a.b", "a.b.c", "a.*", "a.*.c", "a.#", "a.#.c", "#", "*", "", "#.c"}
		for i, pattern := range patterns {
			q := strconv.Itoa(i)
			brokertest.Queues(t, ch, q)
			require.NoError(t, ch.QueueBind(q, pattern, "amq.topic", nil))
		}
		for gone, pattern := range patterns {
			require.NoError(t, ch.QueueUnbind(strconv.Itoa(gone), pattern, "amq.topic", nil))
			for _, key := range []string{"", "a", "a.b", "a.b.c", "a.x.c", "x.c"} {
				brokertest.Put(t, ch, "amq.topic", key, key)
				for i, p := range patterns {
					want := i > gone && topicMatches(p, key)
					require.Equal(t, want, len(brokertest.Drain(t, ch, strconv.Itoa(i))) == 1, "pattern %q, key %q, %q unbound", p, key, pattern)
				}
			}
		}
	})
}

// topicMatches is the rule of topic exchanges, word by word: matched[i] says
// whether the pattern so far matches the key's first i words.
func topicMatches(pattern, key string) bool {
	words := wordsOf(key)
	matched := make([]bool, len(words)+1)
	matched[0] = true
	for _, p := range wordsOf(pattern) {
		next := make([]bool, len(words)+1)
		for i := range next {
			switch {
			case p == "#":
				next[i] = matched[i] || i > 0 && next[i-1]
			case i > 0:
				next[i] = matched[i-1] && (p == "*" || p == words[i-1])
			}
		}
		matched = next
	}
	return matched[len(words)]
}

func wordsOf(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}

// FuzzTopicMatch compares a topic exchange that has several patterns, parted
// by "|", with the rule.
func FuzzTopicMatch(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""}, {"#", ""}, {"*", ""}, {"a", "a"}, {"a.b", "a.b"}, {"a.*", "a.b"}, {"a.#", "a"}, {"a.#", "a.b.c"},
		{"#.b", "a.b"}, {"*.#.*", "a.b.c"}, {"#.#", "a"}, {"#.a.#.a.#", "a.b.a"}, {"a.", "a."}, {".", "."}, {"..", "."},
		{"a|a.*|a.#|#|*", "a.b"}, {"#.a|#.b|#.a.b", "a.b"}, {"#.*.a|#.a.*", "x.a.a"}, {"a*|*a|#a", "a*"},
		{"#.#.#|#.*.#.*|*.*", "a.b"}, {"a.#.b.#.c|a.#.c|#.b.*", "a.b.b.c"}, {"a|A", "A"}, {"é.*|#.é", "é.é"},
		{"#.a.#.a.#.a.#.b|#.a.#.a.#.a.#", "a.a.a.a.a.a.a.a"}, {"*.#.a.*|#.*.#|#.*.*", "b.a.c"}, {"#.a|#.a|a.#|a.#", "a.a"},
		{"#.#.a|#.a.#.#", "a"}, {"*.*.*|*.*|*||#", ".."}, {"a.#.#.#|a.*.#.*", "a.b.c.d"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, list, key string) {
		patterns := strings.Split(list, "|")
		if len(list) > 255 || len(key) > 255 || len(patterns) > 16 || !utf8.ValidString(list) {
			return
		}
		b := warren.New(nil)
		defer b.Close()
		ch := brokertest.Channel(t, b)
		check := func(from int) {
			brokertest.Put(t, ch, "amq.topic", key, "m")
			for i, p := range patterns {
				want := 0
				if i >= from && topicMatches(p, key) {
					want = 1
				}
				require.Len(t, brokertest.Drain(t, ch, "q"+strconv.Itoa(i)), want, "pattern %q, key %q", p, key)
			}
		}
		for i, p := range patterns {
			q := "q" + strconv.Itoa(i)
			brokertest.Queues(t, ch, q)
			require.NoError(t, ch.QueueBind(q, p, "amq.topic", nil))
		}
		check(0)
		half := len(patterns) / 2
		for i, p := range patterns[:half] {
			require.NoError(t, ch.QueueUnbind("q"+strconv.Itoa(i), p, "amq.topic", nil))
		}
		check(half)
	})
}

func TestTopicMatchIsBounded(t *testing.T) {
	// A matcher that tries every way to share the words among the # would not
	// end in a lifetime.
	hashes, words := brokertest.Less(60, 3), brokertest.Less(127, 3)
	key := strings.Repeat("a.", words-1) + "a"
	for _, c := range []struct {
		rule    string
		pattern string
		matches bool
	}{
		{"words between", strings.Repeat("#.a.", hashes) + "#", true},
		{"words between and no match", strings.Repeat("#.a.", hashes) + "b", false},
		{"stars between", strings.Repeat("#.*.", hashes) + "b", false},
		{"nothing between", strings.Repeat("#.", hashes) + "b", false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				require.NoError(t, ch.QueueBind("q", c.pattern, "amq.topic", nil))
				brokertest.Put(t, ch, "amq.topic", key, "m")
				require.Equal(t, c.matches, len(brokertest.Drain(t, ch, "q")) == 1)
			})
		})
	}
}
