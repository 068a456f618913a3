package route

import "strings"

// keyWords are the words of a routing key, to be compared with many patterns. A
// comparison takes as many steps as the pattern has words, times the words of the key
// that are the same; a step for * or # is one for 64 words of the key.
type keyWords struct {
	places map[string][]int32 // of each word
	count  int

	// Bit i of state is set if the pattern so far matches the first i words.
	state, next []uint64
}

func newKeyWords(key string) *keyWords {
	k := &keyWords{places: make(map[string][]int32)}
	if key != "" {
		for word := range strings.SplitSeq(key, ".") {
			k.places[word] = append(k.places[word], int32(k.count))
			k.count++
		}
	}
	k.state, k.next = make([]uint64, k.count/64+1), make([]uint64, k.count/64+1)
	return k
}

// matchAll adds the destinations of the bindings whose patterns match to w.
func (k *keyWords) matchAll(w *Walk, list []*Binding) {
	for i, b := range list {
		if i%betweenLooks == betweenLooks-1 && w.isOver() {
			return
		}
		if k.match(b.Key) {
			w.add(b)
		}
	}
}

// match reports whether a pattern, which is not empty, matches the key.
func (k *keyWords) match(pattern string) bool {
	clear(k.state)
	k.state[0] = 1
	for word := range strings.SplitSeq(pattern, ".") {
		any := false
		switch word {
		case "#":
			any = k.skip()
		case "*":
			any = k.takeOne()
		default:
			any = k.take(word)
		}
		if !any {
			return false
		}
	}
	return k.state[k.count/64]&(1<<(k.count%64)) != 0
}

// skip is #: from a place it leads to all later ones, too.
func (k *keyWords) skip() bool {
	for i, w := range k.state {
		if w != 0 {
			k.state[i] |= -(w & -w) // the lowest bit and all above it
			for i++; i < len(k.state); i++ {
				k.state[i] = ^uint64(0)
			}
			return true
		}
	}
	return false
}

// takeOne is *: from a place it leads to the next.
func (k *keyWords) takeOne() (any bool) {
	carry := uint64(0)
	for i, w := range k.state {
		k.state[i] = w<<1 | carry
		carry = w >> 63
	}
	last := len(k.state) - 1
	k.state[last] &= 1<<(k.count%64)<<1 - 1 // there is no place behind the end
	for _, w := range k.state {
		any = any || w != 0
	}
	return any
}

// take is a word: from a place where the key has it, it leads to the next.
func (k *keyWords) take(word string) (any bool) {
	clear(k.next)
	for _, i := range k.places[word] {
		if k.state[i/64]&(1<<(i%64)) != 0 {
			k.next[(i+1)/64] |= 1 << ((i + 1) % 64)
			any = true
		}
	}
	k.state, k.next = k.next, k.state
	return any
}
