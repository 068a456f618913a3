package route

import "sync/atomic"

// bag is a list without duplicates that counts how often each item was added. A long
// list has an index, so that items of a queue with many bindings, or of a fanout
// exchange with many queues, are added and removed fast.
type bag[T comparable] struct {
	items lendable[T]
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
	for i, have := range b.items.list {
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
			b.count = make([]int32, len(b.items.list))
			for i := range b.count {
				b.count[i] = 1
			}
		}
		b.count[i]++
		return
	}
	if b.items.list == nil {
		b.items.list = b.one[:0]
	}
	b.items.add(t)
	if b.count != nil {
		b.count = append(b.count, 1)
	}
	if b.index != nil {
		b.index[t] = len(b.items.list) - 1
	} else if len(b.items.list) > bagIndexed {
		b.index = make(map[T]int, 2*bagIndexed)
		for i, t := range b.items.list {
			b.index[t] = i
		}
	}
}

// remove undoes one add of t.
func (b *bag[T]) remove(t T) {
	i := b.find(t)
	last := len(b.items.list) - 1
	if b.count != nil {
		if b.count[i]--; b.count[i] > 0 {
			return
		}
		b.count[i] = b.count[last]
		b.count = b.count[:last]
	}
	moved := b.items.remove(i)
	if b.index != nil {
		b.index[moved] = i
		delete(b.index, t)
	}
}

// lendable is a list that can be lent to a reader, who reads it when the lock is
// free: what is lent is not written to any more. So a list that many are taken out of
// is copied at most once for each time that it was read, which costs more.
type lendable[T any] struct {
	list []T
	lent atomic.Bool // set with the lock held for reading, at least
}

// lend returns the list for a reader without the lock, who must not write to it.
func (l *lendable[T]) lend() []T {
	if !l.lent.Load() {
		l.lent.Store(true)
	}
	return l.list
}

// add appends t. Who has been lent the list does not see it.
func (l *lendable[T]) add(t T) { l.list = append(l.list, t) }

// smallList is the capacity below which a list is not made smaller.
const smallList = 64

// remove takes out the item at a position. The last item takes its place, and is
// returned.
func (l *lendable[T]) remove(i int) (moved T) {
	last := len(l.list) - 1
	moved = l.list[last]
	if size := cap(l.list); l.lent.Load() || size > smallList && last < size/4 {
		list := make([]T, last, max(last, min(2*last, size)))
		copy(list, l.list)
		l.list = list
		l.lent.Store(false)
	} else {
		l.list[i] = moved
		clear(l.list[last:])
		l.list = l.list[:last]
		return moved
	}
	if i < last {
		l.list[i] = moved
	}
	return moved
}
