package memory

// Reservation is what a part of the topology holds of a budget, such as a queue or a
// binding. The zero value holds nothing. Whatever guards the part guards it.
type Reservation struct {
	budget *Budget
	bytes  int64
}

// Take is Reserve that remembers what it has counted. It reports false, and takes
// nothing, if topology has its share of the memory.
func (r *Reservation) Take(b *Budget, n int64) bool {
	if !b.Reserve(n) {
		return false
	}
	r.budget, r.bytes = b, r.bytes+n
	return true
}

// Hold is Take that does not fail, for what exists already: topology may then hold more
// than its share.
func (r *Reservation) Hold(b *Budget, n int64) {
	b.Hold(n)
	r.budget, r.bytes = b, r.bytes+n
}

// Bytes returns how many bytes are taken.
func (r *Reservation) Bytes() int64 { return r.bytes }

// Release gives back all that was taken.
func (r *Reservation) Release() {
	if r.bytes != 0 {
		r.budget.Release(r.bytes)
		r.bytes = 0
	}
}
