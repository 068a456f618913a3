//go:build !relief

package queue

// pressed reports whether all must go to disk that can.
func (q *Queue) pressed() bool { return q.shared.Relief.On.Load() }
