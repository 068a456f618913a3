package queue

import (
	"unsafe"

	"github.com/warrenmq/warren/internal/message"
)

// shelf keeps messages in the order of their positions: new ones, which come in
// order, in a list of chunks, and the few that were requeued in a heap. An empty
// shelf keeps at most one small chunk. The other chunks come from a pool and go back
// there.
type shelf struct {
	head, tail *chunk
	small      *chunk   // the first chunk of an empty shelf; nil until it is used
	shared     *Shared  // has a pool of chunks
	first      uint64   // position of the message at the head of the chunks
	next       uint64   // position that the next message gets
	ready      int      // number of messages in the chunks
	returned   returned // requeued messages, and those that were loaded from outside
	out        *outside // messages that are on disk only; nil: none
}

// bigChunkBytes is what a big chunk takes, however few messages are left in it.
const bigChunkBytes = bigChunk * int64(unsafe.Sizeof(message.Entry{})+8)

// chunk is a run of messages with successive positions.
type chunk struct {
	entries     []message.Entry
	deadlines   []int64 // of the entries; nil: none has one
	read, write int
	next        *chunk
	large       int  // bytes of bodies that are large: see Queue.filled
	spilled     bool // what need not survive a restart is on disk, too: see Queue.spill
	closed      bool // it takes no more, however few messages it has
}

func (c *chunk) isFull() bool { return c.write == len(c.entries) }

// close makes the chunk full.
func (c *chunk) close() { c.entries, c.closed = c.entries[:c.write], true }

// reopen makes a chunk that is empty take messages again.
func (c *chunk) reopen() {
	c.entries = c.entries[:cap(c.entries)]
	c.large, c.spilled, c.closed = 0, false, false
}

func newChunk(size int) *chunk { return &chunk{entries: make([]message.Entry, size)} }

func (s *shelf) len() int {
	if s.out != nil {
		return s.ready + s.returned.len() + s.out.Len
	}
	return s.ready + s.returned.len()
}

// emptied returns a shelf without messages that goes on with the same positions.
func (s *shelf) emptied() shelf { return shelf{shared: s.shared, next: s.next} }

// push appends a message. A deadline of zero is none.
func (s *shelf) push(e *message.Entry, deadline int64) {
	t := s.tail
	if t == nil || t.write == len(t.entries) {
		t = s.grow()
	}
	if s.ready == 0 {
		s.first = s.next
	}
	t.entries[t.write] = *e
	if deadline != 0 {
		t.setDeadline(deadline)
	}
	t.write++
	s.next++
	s.ready++
}

// grow appends a chunk to the list.
func (s *shelf) grow() *chunk {
	var c *chunk
	if s.tail == nil {
		if s.small == nil {
			s.small = newChunk(smallChunk)
		}
		c = s.small
		s.head = c
	} else {
		var ok bool
		if c, ok = s.shared.chunks.Get().(*chunk); !ok {
			c = newChunk(bigChunk)
		}
		s.shared.Memory.Keep(bigChunkBytes)
		s.tail.next = c
	}
	s.tail = c
	return c
}

// shift moves the first message to it, which must be zero. There must be a message, and
// it must not be outside.
func (s *shelf) shift(it *message.Item) {
	// Requeued messages were delivered before those that are still in the chunks
	// could be, so they have the lower positions.
	if s.returned.len() > 0 {
		*it = s.returned.pop()
		return
	}
	c := s.head
	e := &c.entries[c.read]
	it.Entry, it.Pos = *e, s.first
	*e = message.Entry{} // the chunk must not keep the body alive
	if c.deadlines != nil {
		it.Deadline = c.deadlines[c.read]
		c.deadlines[c.read] = 0
	}
	c.read++
	s.first++
	s.ready--
	if c.read == c.write && (c.next != nil || c != s.small) {
		s.removeHead(c)
	} else if c.read == c.write {
		c.read, c.write = 0, 0
		if c.closed {
			c.reopen()
		}
	}
}

// removeHead takes the head chunk off the list, after all its messages have been
// taken out.
func (s *shelf) removeHead(c *chunk) {
	s.head = c.next
	if s.head == nil {
		s.tail = nil
	}
	c.read, c.write, c.next, c.deadlines = 0, 0, nil, nil
	c.reopen()
	if c != s.small {
		s.shared.Memory.Keep(-bigChunkBytes)
		s.shared.chunks.Put(c)
	}
}

// deadline returns the deadline of the first message; zero means none. There must be
// a message, and if it is outside, its deadline must be known.
func (s *shelf) deadline() int64 {
	if s.returned.len() > 0 {
		return s.returned.first().Deadline
	}
	if s.out != nil {
		return s.out.deadline
	}
	return s.chunkDeadline()
}

// chunkDeadline returns the deadline of the first message in the chunks.
func (s *shelf) chunkDeadline() int64 {
	if c := s.head; c.deadlines != nil {
		return c.deadlines[c.read]
	}
	return 0
}

// setDeadline sets the deadline of the message that is being appended.
func (c *chunk) setDeadline(deadline int64) {
	if c.deadlines == nil {
		c.deadlines = make([]int64, len(c.entries))
	}
	c.deadlines[c.write] = deadline
}

// itemHeap is a binary heap with the lowest position on top.
type itemHeap []message.Item

func (h *itemHeap) push(it *message.Item) {
	s := append(*h, *it)
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if s[parent].Pos < it.Pos {
			break
		}
		s[i] = s[parent]
		i = parent
	}
	s[i] = *it
	*h = s
}

func (h *itemHeap) pop() message.Item {
	s := *h
	top := s[0]
	last := len(s) - 1
	it := s[last]
	s[last] = message.Item{}
	s = s[:last]
	i := 0
	for {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && s[child+1].Pos < s[child].Pos {
			child++
		}
		if it.Pos < s[child].Pos {
			break
		}
		s[i] = s[child]
		i = child
	}
	if last > 0 {
		s[i] = it
	} else {
		s = nil
	}
	if cap(s) > smallHeap && last < cap(s)/4 {
		s = append(make(itemHeap, 0, cap(s)/2), s...)
	}
	*h = s
	return top
}

// smallHeap is the capacity above which a heap gives room back when most of its
// messages have gone.
const smallHeap = 256
