package store

// unmarked is the mark of messages without filter value. No filter value has it.
const unmarked = 1 << 63

// Mark returns the mark of a filter value, which is a single bit. Several values may
// have the same mark. It is the same in all processes.
func Mark(filter string) uint64 {
	if filter == "" {
		return unmarked
	}
	h := uint64(14695981039346656037)
	for i := range len(filter) {
		h = (h ^ uint64(filter[i])) * 1099511628211
	}
	return 1 << (h % 63)
}
