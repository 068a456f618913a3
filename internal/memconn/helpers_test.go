package memconn_test

import (
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/memconn"
)

// withPipe runs f in a bubble, with both ends of a connection, which f may
// leave open.
func withPipe(t *testing.T, size int, f func(t *testing.T, client, server *memconn.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client, server := memconn.Pipe(size)
		defer server.Close()
		defer client.Close()
		f(t, client, server)
	})
}

// ioResult is what a Read or a Write returned.
type ioResult struct {
	n   int
	err error
}

// startCall calls Read or Write in a goroutine and waits until all that is left
// to do waits for something. The result is there, or it will come.
func startCall(call func([]byte) (int, error), p []byte) <-chan ioResult {
	done := make(chan ioResult, 1)
	go func() {
		n, err := call(p)
		done <- ioResult{n, err}
	}()
	synctest.Wait()
	return done
}

func isBlocked(t *testing.T, done <-chan ioResult) {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-done:
		require.Fail(t, "must wait", "but returned %d, %v", r.n, r.err)
	default:
	}
}

// returned is the result of a call that must be through by now.
func returned(t *testing.T, done <-chan ioResult) (int, error) {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-done:
		return r.n, r.err
	default:
		require.Fail(t, "must not wait")
		return 0, nil
	}
}

func mustWrite(t *testing.T, c net.Conn, p []byte) {
	t.Helper()
	n, err := c.Write(p)
	require.NoError(t, err)
	require.Equal(t, len(p), n)
}

func mustRead(t *testing.T, c net.Conn, n int) []byte {
	t.Helper()
	p := make([]byte, n)
	_, err := io.ReadFull(c, p)
	require.NoError(t, err)
	return p
}

// isOpError requires a net.OpError of c's around the cause.
func isOpError(t *testing.T, err error, op string, c net.Conn, cause error) {
	t.Helper()
	require.IsType(t, (*net.OpError)(nil), err)
	require.Equal(t, &net.OpError{Op: op, Net: "mem", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: cause}, err)
}

// someBytes are n bytes of which no 251 in a row repeat.
func someBytes(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i % 251)
	}
	return p
}
