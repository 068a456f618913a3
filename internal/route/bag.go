package route

// bag is a list without duplicates that counts how often each item was added. A long
// list has an index, so that items of a queue with many bindings, or of a fanout
// exchange with many queues, are added and removed fast.
type bag[T comparable] struct {
	// items may be read, up to the length that it had under the lock, after the
	// lock is free: add only appends to it, and remove makes a new list.
	items []T
	one   [1]T      // room for items: most bags have one
	count []int32   // per item; nil while each was added once
	index map[T]int // position in items; nil until there are more than bagIndexed
}

// bagIndexed is how many items a bag has at most without an index.
const bagIndexed = 16

// find returns the position of t, or -1.
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

// add adds t, or counts it once more.
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

// remove undoes one add of t.
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
