package queue

// turns has consumers by priority, and those of the same priority in the order in
// which they were added. It takes about the same time for any number of consumers.
type turns struct {
	plain   rank // priority zero
	*ranked      // nil: no consumer has another priority
}

// ranked has the ranks of a queue whose consumers have priorities.
type ranked struct {
	heap  []*rank       // those that have consumers: a heap, the highest priority on top
	ranks map[int]*rank // those that have members, but for plain
}

// rank has the consumers of a priority.
type rank struct {
	priority    int
	members     int // consumers of the queue with this priority, added or not
	place       int // in the heap
	first, last *Consumer
}

// join gives c, a new consumer of the queue, its rank.
func (t *turns) join(c *Consumer) {
	r := &t.plain
	if c.priority != 0 {
		if t.ranked == nil {
			t.ranked = &ranked{ranks: make(map[int]*rank)}
			if t.plain.first != nil {
				t.push(&t.plain)
			}
		}
		if r = t.ranks[c.priority]; r == nil {
			r = &rank{priority: c.priority}
			t.ranks[c.priority] = r
		}
	}
	r.members++
	c.rank = r
}

// leave notes that c, which is not added, is no longer a consumer of the queue.
func (t *turns) leave(c *Consumer) {
	if c.rank.members--; c.rank.members == 0 && c.rank != &t.plain {
		if delete(t.ranks, c.priority); len(t.ranks) == 0 {
			t.ranked = nil
		}
	}
}

// isRanked reports whether the queue has consumers with different priorities.
func (t *turns) isRanked() bool {
	return t.ranked != nil && (len(t.ranks) > 1 || t.plain.members > 0)
}

// next returns the consumer with the highest priority that was added first, or nil.
func (t *turns) next() *Consumer {
	switch {
	case t.ranked == nil:
		return t.plain.first
	case len(t.heap) == 0:
		return nil
	}
	return t.heap[0].first
}

// busy returns the ranks that have consumers.
func (t *turns) busy() []*rank {
	switch {
	case t.ranked != nil:
		return t.heap
	case t.plain.first != nil:
		return []*rank{&t.plain}
	}
	return nil
}

// add adds c behind the others of its priority.
func (t *turns) add(c *Consumer) {
	r := c.rank
	if r.first == nil {
		r.first = c
		if t.ranked != nil {
			t.push(r)
		}
	} else {
		c.before, r.last.after = r.last, c
	}
	r.last = c
}

// remove takes c, which was added, out.
func (t *turns) remove(c *Consumer) {
	r := c.rank
	if c.before == nil {
		r.first = c.after
	} else {
		c.before.after = c.after
	}
	if c.after == nil {
		r.last = c.before
	} else {
		c.after.before = c.before
	}
	c.before, c.after = nil, nil
	if r.first == nil && t.ranked != nil {
		t.drop(r)
	}
}

// push puts a rank into the heap.
func (t *ranked) push(r *rank) {
	t.heap = append(t.heap, r)
	t.rise(r, len(t.heap)-1)
}

// drop takes a rank out of the heap.
func (t *ranked) drop(r *rank) {
	last := len(t.heap) - 1
	moved := t.heap[last]
	t.heap[last] = nil
	t.heap = t.heap[:last]
	if moved != r {
		t.rise(moved, r.place)
		t.sink(moved, moved.place)
	}
}

// rise puts r at place i, or higher if it has a higher priority than those there.
func (t *ranked) rise(r *rank, i int) {
	for i > 0 {
		above := (i - 1) / 2
		if t.heap[above].priority > r.priority {
			break
		}
		t.put(t.heap[above], i)
		i = above
	}
	t.put(r, i)
}

// sink puts r at place i, or lower if it has a lower priority than those there.
func (t *ranked) sink(r *rank, i int) {
	for {
		below := 2*i + 1
		if below >= len(t.heap) {
			break
		}
		if below+1 < len(t.heap) && t.heap[below+1].priority > t.heap[below].priority {
			below++
		}
		if r.priority > t.heap[below].priority {
			break
		}
		t.put(t.heap[below], i)
		i = below
	}
	t.put(r, i)
}

func (t *ranked) put(r *rank, i int) { t.heap[i], r.place = r, i }

// roster has the consumers of a queue in the order in which they came.
type roster struct {
	first, last *Consumer
	len         int
}

func (l *roster) add(c *Consumer) {
	if c.older = l.last; c.older == nil {
		l.first = c
	} else {
		l.last.newer = c
	}
	l.last = c
	l.len++
}

func (l *roster) remove(c *Consumer) {
	if c.older == nil {
		l.first = c.newer
	} else {
		c.older.newer = c.newer
	}
	if c.newer == nil {
		l.last = c.older
	} else {
		c.newer.older = c.older
	}
	c.older, c.newer = nil, nil
	l.len--
}
