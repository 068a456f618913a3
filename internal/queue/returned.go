package queue

import (
	"iter"

	"github.com/warrenmq/warren/internal/message"
)

// returned has the messages that were requeued, of which the one with the lowest
// position comes first: few in a heap, and many that came together as a run.
type returned struct {
	few   itemHeap
	*many // nil: there is no run
}

// many has the messages in runs.
type many struct {
	runs   []*run // a heap, by the position of the first message
	inRuns int    // messages
	bytes  int64  // of their bodies
}

func (r *returned) len() int {
	if r.many == nil {
		return len(r.few)
	}
	return len(r.few) + r.inRuns
}

// waitingBytes returns the bytes of the bodies in runs.
func (r *returned) waitingBytes() int64 {
	if r.many == nil {
		return 0
	}
	return r.bytes
}

// push adds a message.
func (r *returned) push(it *message.Item) { r.few.push(it) }

// adopt adds a run.
func (r *returned) adopt(one *run) {
	if r.many == nil {
		r.many = &many{}
	}
	r.inRuns += one.len
	r.bytes += one.bytes
	r.runs = append(r.runs, one)
	i := len(r.runs) - 1
	for i > 0 {
		above := (i - 1) / 2
		if r.runs[above].first().Pos < one.first().Pos {
			break
		}
		r.runs[i] = r.runs[above]
		i = above
	}
	r.runs[i] = one
}

// first returns the message that comes first. There must be one.
func (r *returned) first() *message.Item {
	switch {
	case r.many == nil:
		return &r.few[0]
	case len(r.few) == 0 || r.runs[0].first().Pos < r.few[0].Pos:
		return r.runs[0].first()
	}
	return &r.few[0]
}

// pop takes out the message that comes first. There must be one.
func (r *returned) pop() message.Item {
	if r.many == nil || len(r.few) > 0 && r.few[0].Pos < r.runs[0].first().Pos {
		return r.few.pop()
	}
	top := r.runs[0]
	it := top.pop()
	r.inRuns--
	r.bytes -= int64(len(it.Body))
	if top.len == 0 {
		last := len(r.runs) - 1
		top, r.runs[last] = r.runs[last], nil
		if r.runs = r.runs[:last]; last == 0 {
			r.many = nil
			return it
		}
	}
	r.sink(top)
	return it
}

// sink puts a run into the place on top of the heap, or lower.
func (r *many) sink(one *run) {
	i := 0
	for {
		below := 2*i + 1
		if below >= len(r.runs) {
			break
		}
		if below+1 < len(r.runs) && r.runs[below+1].first().Pos < r.runs[below].first().Pos {
			below++
		}
		if one.first().Pos < r.runs[below].first().Pos {
			break
		}
		r.runs[i] = r.runs[below]
		i = below
	}
	r.runs[i] = one
}

// takeUnseen takes out the runs of messages that nobody has had.
func (r *returned) takeUnseen() (unseen []*run) {
	if r.many == nil {
		return nil
	}
	all := r.runs
	r.many = nil
	for _, one := range all {
		if one.unseen {
			unseen = append(unseen, one)
		} else {
			r.adopt(one)
		}
	}
	return unseen
}

// run is a list of messages in the order of their positions. It is made without the
// queue's lock, and a queue that takes it has no work for each message.
type run struct {
	chunks [][]message.Item
	read   int // of the first chunk
	len    int
	bytes  int64 // of the bodies
	timed  int   // number of messages with a deadline, at first
	unseen bool  // nobody has had them, and they are in page files
}

// runChunk is the number of messages in a chunk of a run.
const runChunk = 256

// runOf makes a run of messages that are in order. It keeps the list.
func runOf(items []message.Item) *run {
	r := &run{len: len(items)}
	if r.len > 0 {
		r.chunks = [][]message.Item{items}
	}
	for i := range items {
		r.count(&items[i])
	}
	return r
}

// count adds a message to bytes and timed.
func (r *run) count(it *message.Item) {
	r.bytes += int64(len(it.Body))
	if it.Deadline != 0 {
		r.timed++
	}
}

// add appends a message.
func (r *run) add(it *message.Item) {
	last := len(r.chunks) - 1
	if last < 0 || len(r.chunks[last]) == runChunk {
		r.chunks = append(r.chunks, make([]message.Item, 0, runChunk))
		last++
	}
	r.chunks[last] = append(r.chunks[last], *it)
	r.len++
	r.count(it)
}

func (r *run) first() *message.Item { return &r.chunks[0][r.read] }

// all yields the messages.
func (r *run) all() iter.Seq[*message.Item] {
	return func(yield func(*message.Item) bool) {
		from := r.read
		for _, c := range r.chunks {
			for i := from; i < len(c); i++ {
				if !yield(&c[i]) {
					return
				}
			}
			from = 0
		}
	}
}

// pop takes the first message out.
func (r *run) pop() message.Item {
	it := r.chunks[0][r.read]
	r.chunks[0][r.read] = message.Item{} // the chunk must not keep the body alive
	r.len--
	r.bytes -= int64(len(it.Body))
	if r.read++; r.read == len(r.chunks[0]) {
		r.chunks[0] = nil
		r.chunks, r.read = r.chunks[1:], 0
	}
	return it
}
