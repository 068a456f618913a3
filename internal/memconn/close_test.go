package memconn_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/memconn"
)

func TestThePeerReadsWhatWasWrittenBeforeTheClose(t *testing.T) {
	for name, end := range map[string]func(*memconn.Conn) error{
		"Close": (*memconn.Conn).Close, "CloseWrite": (*memconn.Conn).CloseWrite,
	} {
		t.Run(name, func(t *testing.T) {
			withPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
				want := someBytes(10_000)
				mustWrite(t, client, want)
				require.NoError(t, end(client))
				require.Equal(t, want, mustRead(t, server, len(want)))
				for range 2 {
					n, err := server.Read(make([]byte, 1))
					require.Zero(t, n)
					require.Equal(t, io.EOF, err)
				}
			})
		})
	}
}

func TestOwnSideClosed(t *testing.T) {
	withPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		mustWrite(t, server, []byte("unread"))
		require.NoError(t, client.Close())
		require.NoError(t, client.Close())

		_, err := client.Read(make([]byte, 1))
		isOpError(t, err, "read", client, net.ErrClosed)
		_, err = client.Read(nil)
		isOpError(t, err, "read", client, net.ErrClosed)
		_, err = client.Write([]byte("a"))
		isOpError(t, err, "write", client, net.ErrClosed)
		_, err = client.Write(nil)
		isOpError(t, err, "write", client, net.ErrClosed)
		isOpError(t, client.CloseWrite(), "close", client, net.ErrClosed)
		for _, at := range []time.Time{{}, time.Now(), time.Now().Add(time.Hour)} {
			isOpError(t, client.SetDeadline(at), "set", client, net.ErrClosed)
			isOpError(t, client.SetReadDeadline(at), "set", client, net.ErrClosed)
			isOpError(t, client.SetWriteDeadline(at), "set", client, net.ErrClosed)
		}
	})
}

func TestWriteToAClosedPeer(t *testing.T) {
	withPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		require.NoError(t, server.Close())
		n, err := client.Write([]byte("a"))
		require.Zero(t, n)
		isOpError(t, err, "write", client, io.ErrClosedPipe)
		require.False(t, errors.Is(err, net.ErrClosed))
		require.NoError(t, client.SetDeadline(time.Now().Add(time.Hour)))
	})
}

func TestHalfClosed(t *testing.T) {
	withPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		require.NoError(t, client.CloseWrite())
		require.NoError(t, client.CloseWrite())
		_, err := client.Write([]byte("a"))
		isOpError(t, err, "write", client, net.ErrClosed)

		mustWrite(t, server, []byte("answer"))
		require.Equal(t, "answer", string(mustRead(t, client, 6)))
		require.NoError(t, client.SetWriteDeadline(time.Now().Add(time.Hour)))
		require.NoError(t, client.SetDeadline(time.Now()))
		_, err = client.Read(make([]byte, 1))
		require.ErrorContains(t, err, "i/o timeout")
	})
}

func TestCloseEndsCallsUnderWay(t *testing.T) {
	tests := map[string]struct {
		end         func(client, server *memconn.Conn) error
		read, write error
	}{
		"of one's own":       {func(c, _ *memconn.Conn) error { return c.Close() }, net.ErrClosed, net.ErrClosed},
		"of the peer":        {func(_, s *memconn.Conn) error { return s.Close() }, io.EOF, io.ErrClosedPipe},
		"CloseWrite of both": {closeWriteBoth, io.EOF, net.ErrClosed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			withPipe(t, 4, func(t *testing.T, client, server *memconn.Conn) {
				var reads, writes []<-chan ioResult
				for range 3 {
					reads = append(reads, startCall(client.Read, make([]byte, 1)))
					writes = append(writes, startCall(client.Write, make([]byte, 6)))
				}
				require.NoError(t, test.end(client, server))
				written := 0
				for i := range 3 {
					n, err := returned(t, reads[i])
					require.Zero(t, n)
					require.ErrorIs(t, err, test.read)
					n, err = returned(t, writes[i])
					written += n
					isOpError(t, err, "write", client, test.write)
				}
				require.Equal(t, 4, written, "what got into the buffer counts")
			})
		})
	}
}

func closeWriteBoth(client, server *memconn.Conn) error {
	return errors.Join(client.CloseWrite(), server.CloseWrite())
}

func TestWhatAnInterruptedWriteGotThroughCanBeRead(t *testing.T) {
	withPipe(t, 4, func(t *testing.T, client, server *memconn.Conn) {
		write := startCall(client.Write, []byte("abcdef"))
		require.NoError(t, client.Close())
		n, err := returned(t, write)
		require.Equal(t, 4, n)
		require.ErrorIs(t, err, net.ErrClosed)
		got, err := io.ReadAll(server)
		require.NoError(t, err)
		require.Equal(t, "abcd", string(got))
	})
}
