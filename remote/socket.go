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
	failed  atomic.Uint64 // number of the first that has failed; zero: there is none
	partial atomic.Bool   // something of it was taken
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
	if err != nil && s.failed.Load() == 0 { // writes come one at a time
		s.partial.Store(n > 0)
		s.failed.Store(number)
	}
	return n, err
}

// hasNone reports whether nothing was written since there were so many writes. After one
// has failed, amqp091-go writes nothing more.
func (s *socket) hasNone(writes uint64) bool {
	failed := s.failed.Load()
	return failed != 0 && (failed <= writes || failed == writes+1 && !s.partial.Load())
}
