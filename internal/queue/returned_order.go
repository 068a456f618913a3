package queue

import (
	"iter"

	"github.com/warrenmq/warren/internal/message"
)

// all yields the messages in order and leaves them where they are. The first ones cost
// little, however many there are.
func (r *returned) all() iter.Seq[*message.Item] {
	return func(yield func(*message.Item) bool) {
		var next nextReturned
		next.addFew(r, 0)
		next.addRun(r, 0)
		for len(next) > 0 {
			one := next.pop()
			if !yield(one.it) {
				return
			}
			switch {
			case one.run == nil: // what is below it in its heap comes behind it
				next.addFew(r, 2*one.at+1)
				next.addFew(r, 2*one.at+2)
				continue
			case one.chunk == 0 && one.i == one.run.read:
				next.addRun(r, 2*one.at+1)
				next.addRun(r, 2*one.at+2)
			}
			if one.advance() {
				next.push(one)
			}
		}
	}
}

// oneReturned is a message of the heap returned.few, or of a run.
type oneReturned struct {
	it       *message.Item
	at       int // of the message in its heap, or of the run
	run      *run
	chunk, i int // of the message in the run
}

// advance goes to the next message of the run. It reports false if there is none.
func (o *oneReturned) advance() bool {
	if o.i++; o.i == len(o.run.chunks[o.chunk]) {
		o.chunk, o.i = o.chunk+1, 0
	}
	if o.chunk == len(o.run.chunks) {
		return false
	}
	o.it = &o.run.chunks[o.chunk][o.i]
	return true
}

// nextReturned is a heap of the messages one of which comes next.
type nextReturned []oneReturned

// addFew adds a message of the heap few, if there is one in this place.
func (n *nextReturned) addFew(r *returned, at int) {
	if at < len(r.few) {
		n.push(oneReturned{it: &r.few[at], at: at})
	}
}

// addRun adds the first message of a run, if there is a run in this place.
func (n *nextReturned) addRun(r *returned, at int) {
	if r.many != nil && at < len(r.runs) {
		one := r.runs[at]
		n.push(oneReturned{it: one.first(), at: at, run: one, i: one.read})
	}
}

func (n *nextReturned) push(one oneReturned) {
	s := append(*n, one)
	i := len(s) - 1
	for above := (i - 1) / 2; i > 0 && one.it.Pos < s[above].it.Pos; above = (i - 1) / 2 {
		s[i] = s[above]
		i = above
	}
	s[i] = one
	*n = s
}

func (n *nextReturned) pop() oneReturned {
	s := *n
	top, last := s[0], len(s)-1
	one := s[last]
	s = s[:last]
	i := 0
	for {
		below := 2*i + 1
		if below+1 < last && s[below+1].it.Pos < s[below].it.Pos {
			below++
		}
		if below >= last || one.it.Pos < s[below].it.Pos {
			break
		}
		s[i] = s[below]
		i = below
	}
	if last > 0 {
		s[i] = one
	}
	*n = s
	return top
}
