package remote

import (
	"net"
	"sync/atomic"
)

// socket is a network connection that is closed when nothing comes from it any more. So
// who writes to a peer that is gone does not wait for ever. It counts what is written, to
// tell what cannot have been sent.
type socket struct {
	net.Conn
	writes  atomic.Uint64 // that were begun
	refused atomic.Uint64 // number of the first of which nothing was taken; zero: there is none
}

func (s *socket) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if err != nil {
		s.Conn.Close()
	}
	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	number := s.writes.Add(1)
	n, err := s.Conn.Write(p)
	if err != nil && n == 0 {
		s.refused.CompareAndSwap(0, number)
	}
	return n, err
}

// hasNone reports whether nothing was written since there were so many writes.
func (s *socket) hasNone(writes uint64) bool {
	refused := s.refused.Load()
	return refused != 0 && refused <= writes+1
}
