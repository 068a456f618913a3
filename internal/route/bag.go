package route

// bag is a list without doubles that counts how often each item was added. A
// long one has an index, so that a queue of many bindings, or a fanout
// exchange of many queues, comes and goes fast.
type bag[T comparable] struct {
	// items may be read, up to the length it had, after the lock is free:
	// what comes is appended, and what goes leaves a new list.
	items []T
	one   [1]T      // most have one item: it lies here
	count []int32   // per item; nil while each was added once
	index map[T]int // of items, once there are more than bagIndexed
}

const bagIndexed = 16

func (b *bag[T]) find(t T) int {
	if b.index != nil {
		if i, ok := b.index[t]; ok {
			return i
		}
		return -1
	}
	for i, have := range b.items {
		if have == t {
			return i
		}
	}
	return -1
}

func (b *bag[T]) add(t T) {
	if i := b.find(t); i >= 0 {
		if b.count == nil {
			b.count = make([]int32, len(b.items))
			for i := range b.count {
				b.count[i] = 1
			}
		}
		b.count[i]++
		return
	}
	if b.items == nil {
		b.items = b.one[:0]
	}
	b.items = append(b.items, t)
	if b.count != nil {
		b.count = append(b.count, 1)
	}
	if b.index != nil {
		b.index[t] = len(b.items) - 1
	} else if len(b.items) > bagIndexed {
		b.index = make(map[T]int, 2*bagIndexed)
		for i, t := range b.items {
			b.index[t] = i
		}
	}
}

func (b *bag[T]) remove(t T) {
	i := b.find(t)
	last := len(b.items) - 1
	if b.count != nil {
		if b.count[i]--; b.count[i] > 0 {
			return
		}
		b.count[i] = b.count[last]
		b.count = b.count[:last]
	}
	moved := b.items[last]
	items := make([]T, last)
	copy(items, b.items)
	if i < last {
		items[i] = moved
	}
	b.items = items
	if b.index != nil {
		b.index[moved] = i
		delete(b.index, t)
	}
}
