//go:build paged

package store

import "runtime"

// PageOutNow is PageOut that waits until it is done, for tests. It gives up if that takes
// long.
func (s *Store) PageOutNow() {
	s.PageOut()
	for range 100_000 {
		s.tender.mu.Lock()
		busy := s.tender.running
		s.tender.mu.Unlock()
		if !busy {
			return
		}
		runtime.Gosched()
	}
}
