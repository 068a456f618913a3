package memconn

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// stream is one direction of a connection. Its only waits are those of a sync.Cond,
// which releases mu.
type stream struct {
	mu sync.Mutex
	// Guarded by mu.
	buf     buffer
	reader  end
	writer  end
	writing bool // a Write is under way: others wait
}

// end is the reading or the writing end of a stream. All its users wait for changed
// and fail for the same reasons. So no signal is lost if a user that is woken fails:
// the others fail, too.
type end struct {
	changed  sync.Cond
	deadline time.Time   // zero if the timer has nothing to do
	timer    *time.Timer // nil until the first deadline, then used again
	late     bool        // the deadline has passed
	closed   bool
}

// err returns why the end cannot be used, or nil if it can.
func (e *end) err() error {
	switch {
	case e.closed:
		return net.ErrClosed
	case e.late:
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (s *stream) init(size int) {
	s.buf.init(size)
	s.reader.changed.L = &s.mu
	s.writer.changed.L = &s.mu
}

// Read waits until there is something to read: see Conn.Read.
func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	for {
		var err error
		switch {
		case s.reader.closed:
			err = net.ErrClosed
		case len(p) == 0:
		case s.reader.late:
			err = os.ErrDeadlineExceeded
		case s.buf.n > 0:
			n := s.buf.get(p)
			more := s.buf.n > 0
			s.mu.Unlock()
			s.writer.changed.Broadcast()
			if more {
				s.reader.changed.Signal()
			}
			return n, nil
		case s.writer.closed:
			err = io.EOF
		default:
			s.reader.changed.Wait()
			continue
		}
		s.mu.Unlock()
		return 0, err
	}
}

// Write waits until all of p is in the buffer: see Conn.Write.
func (s *stream) Write(p []byte) (n int, err error) {
	s.mu.Lock()
	for s.writing && s.writeErr() == nil {
		s.writer.changed.Wait()
	}
	if err = s.writeErr(); err != nil {
		s.mu.Unlock()
		return 0, err
	}
	s.writing = true
	for {
		n += s.buf.put(p[n:])
		if n == len(p) {
			break
		}
		s.reader.changed.Signal()
		s.writer.changed.Wait()
		if err = s.writeErr(); err != nil {
			break
		}
	}
	s.writing = false
	s.mu.Unlock()
	s.writer.changed.Broadcast()
	s.reader.changed.Signal()
	return n, err
}

// writeErr returns why nothing can be written, or nil. It is called with mu held.
func (s *stream) writeErr() error {
	if err := s.writer.err(); err != nil {
		return err
	}
	if s.reader.closed {
		return io.ErrClosedPipe
	}
	return nil
}

func (s *stream) closeRead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reader.closed = true
	s.reader.stopDeadline()
	s.buf.reset()
	s.wakeAll()
}

func (s *stream) closeWrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writer.closed = true
	s.writer.stopDeadline()
	s.wakeAll()
}

// wakeAll wakes the calls at both ends.
func (s *stream) wakeAll() {
	s.reader.changed.Broadcast()
	s.writer.changed.Broadcast()
}

func (s *stream) isReadClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reader.closed
}
