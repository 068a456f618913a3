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
	return func(b []byte) (n int, err error) {
		failed := raw.Write(func(fd uintptr) bool {
			n, err = syscall.Write(int(fd), b)
			return true // it does not wait
		})
		if n = max(0, n); failed != nil {
			return n, failed
		}
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
			err = nil
		}
		return n, err
	}
}
