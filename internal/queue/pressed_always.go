//go:build relief

package queue

// pressed reports whether all must go to disk that can. For tests, it always must.
func (q *Queue) pressed() bool { return true }
