package warren

import "sync"

// store is where a queue keeps its ready messages, in the order of their
// positions: a list of chunks for those that come in order, and a heap for the
// few that came back. It is guarded by the queue's lock. An empty store holds
// one small chunk at most; the others come from a pool and go back there.
//
// A message enters at the tail by push and gets the next position. It leaves
// from the head by shift and is then the consumer's, until requeue brings it
// back to its old place.
type store struct {
	head, tail *chunk
	small      *chunk     // the first one, for a store that is seldom full
	pool       *sync.Pool // of *chunk, the broker's
	first      uint64     // position of the message at the head of the chunks
	next       uint64     // position that the next message gets
	ready      int        // messages in the chunks
	returned   itemHeap
}

// journal is told what must outlive the broker: the place for durable storage.
// It is called with the queue's lock held and must not block.
type journal interface {
	// add keeps a message. An error means that it cannot: the publisher gets
	// a nack.
	add(pos uint64, e entry) error
	// remove says that a message is done with.
	remove(pos uint64)
}

const (
	smallChunk = 8
	bigChunk   = 256
)

// chunk is a run of messages with successive positions.
type chunk struct {
	entries     []entry
	read, write int
	next        *chunk
}

func newChunk(size int) *chunk { return &chunk{entries: make([]entry, size)} }

func (s *store) len() int { return s.ready + len(s.returned) }

// pass gives a position to a message that is handed over without being kept.
// Nothing must be ready.
func (s *store) pass() uint64 {
	s.next++
	return s.next - 1
}

func (s *store) push(e *entry) {
	t := s.tail
	if t == nil || t.write == len(t.entries) {
		t = s.grow()
	}
	if s.ready == 0 {
		s.first = s.next
	}
	t.entries[t.write] = *e
	t.write++
	s.next++
	s.ready++
}

// grow appends a chunk to the list.
func (s *store) grow() *chunk {
	var c *chunk
	if s.tail == nil {
		if s.small == nil {
			s.small = newChunk(smallChunk)
		}
		c = s.small
		s.head = c
	} else {
		var ok bool
		if c, ok = s.pool.Get().(*chunk); !ok {
			c = newChunk(bigChunk)
		}
		s.tail.next = c
	}
	s.tail = c
	return c
}

// shift takes the first message. There must be one.
func (s *store) shift() item {
	// What came back was given out before anything that is still in the
	// chunks, so its positions are the lower ones.
	if len(s.returned) > 0 {
		return s.returned.pop()
	}
	c := s.head
	e := &c.entries[c.read]
	it := item{entry: *e, pos: s.first}
	*e = entry{} // what is gone must not keep its body alive
	c.read++
	s.first++
	s.ready--
	if c.read == c.write && (c.next != nil || c != s.small) {
		s.drop(c)
	} else if c.read == c.write {
		c.read, c.write = 0, 0
	}
	return it
}

// drop takes the head chunk, whose messages are all gone, off the list.
func (s *store) drop(c *chunk) {
	s.head = c.next
	if s.head == nil {
		s.tail = nil
	}
	c.read, c.write, c.next = 0, 0, nil
	if c != s.small {
		s.pool.Put(c)
	}
}

func (s *store) requeue(it *item) { s.returned.push(it) }

// itemHeap is a binary heap with the lowest position on top.
type itemHeap []item

func (h *itemHeap) push(it *item) {
	s := append(*h, *it)
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if s[parent].pos < it.pos {
			break
		}
		s[i] = s[parent]
		i = parent
	}
	s[i] = *it
	*h = s
}

func (h *itemHeap) pop() item {
	s := *h
	top := s[0]
	last := len(s) - 1
	it := s[last]
	s[last] = item{}
	s = s[:last]
	i := 0
	for {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && s[child+1].pos < s[child].pos {
			child++
		}
		if it.pos < s[child].pos {
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
	*h = s
	return top
}
