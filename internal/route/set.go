package route

// set is a list without duplicates that only grows, until it is reset. A long one has
// a map of its items.
type set[T comparable] struct {
	items []T
	known map[T]struct{} // the same as items, once these are manyItems
}

const (
	manyItems = 16   // number of items from which a set uses a map of them
	mostKept  = 4096 // largest number of items for which reset keeps the room
)

// add adds t, unless the set has it.
func (s *set[T]) add(t T) {
	if len(s.items) < manyItems {
		for _, have := range s.items {
			if have == t {
				return
			}
		}
	} else {
		if len(s.known) == 0 {
			if s.known == nil {
				s.known = make(map[T]struct{}, 2*manyItems)
			}
			for _, have := range s.items {
				s.known[have] = struct{}{}
			}
		}
		if _, ok := s.known[t]; ok {
			return
		}
		s.known[t] = struct{}{}
	}
	s.items = append(s.items, t)
}

// reset empties the set. It keeps the room for the next items.
func (s *set[T]) reset() {
	switch n := len(s.items); {
	case n == 0:
		return
	case n > mostKept:
		*s = set[T]{}
		return
	case n >= manyItems:
		clear(s.known)
	}
	clear(s.items)
	s.items = s.items[:0]
}
