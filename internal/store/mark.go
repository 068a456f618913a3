package store

// Mark returns the bit of a filter value in [BlockInfo.Marks]. It is the same in all
// processes. An empty value is one, too.
func Mark(filter string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(filter) {
		h = (h ^ uint64(filter[i])) * 1099511628211
	}
	return 1 << (h >> 58)
}
