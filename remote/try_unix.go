//go:build unix

package remote

import (
	"errors"
	"net"
	"syscall"
)

// tryWrite returns a function that writes as much as a connection takes at once. It is nil
// if the connection has no such way.
func tryWrite(c net.Conn) func([]byte) (int, error) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	w := &rawWriter{conn: raw}
	w.once = w.write
	return w.try
}

// rawWriter writes to a connection without a wait. Who uses it writes alone.
type rawWriter struct {
	conn syscall.RawConn
	once func(fd uintptr) bool

	b   []byte
	n   int
	err error
}

func (w *rawWriter) try(b []byte) (n int, err error) {
	w.b = b
	failed := w.conn.Write(w.once)
	w.b = nil
	if failed != nil {
		return 0, failed
	}
	if errors.Is(w.err, syscall.EAGAIN) || errors.Is(w.err, syscall.EINTR) {
		return 0, nil
	}
	return max(0, w.n), w.err
}

// write is called by the connection.
func (w *rawWriter) write(fd uintptr) bool {
	w.n, w.err = syscall.Write(int(fd), w.b)
	return true // it does not wait
}
