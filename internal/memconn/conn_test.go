package memconn_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/memconn"
)

func TestBytesArriveInOrderBothWays(t *testing.T) {
	for _, size := range []int{1, 2, 127, 128, 129, 1000, 4096, 5000, 0} {
		withPipe(t, size, func(t *testing.T, client, server *memconn.Conn) {
			want := someBytes(10_000)
			var wg sync.WaitGroup
			for _, c := range []*memconn.Conn{client, server} {
				wg.Go(func() {
					rnd := rand.New(rand.NewPCG(uint64(size), 1))
					for p := want; len(p) > 0; {
						n, err := c.Write(p[:min(len(p), rnd.IntN(3000))])
						if err != nil {
							t.Error(err)
						}
						p = p[n:]
					}
					if err := c.CloseWrite(); err != nil {
						t.Error(err)
					}
				})
				wg.Go(func() {
					rnd := rand.New(rand.NewPCG(uint64(size), 2))
					var got []byte
					for {
						p := make([]byte, 1+rnd.IntN(3000))
						n, err := c.Read(p)
						got = append(got, p[:n]...)
						if err == io.EOF {
							break
						} else if err != nil {
							t.Error(err)
							break
						}
					}
					if !bytes.Equal(want, got) {
						t.Errorf("size %d: what arrived is not what was written", size)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestPingPong(t *testing.T) {
	withPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		var wg sync.WaitGroup
		wg.Go(func() { io.Copy(server, server) })
		for i := range 1000 {
			p := someBytes(i)
			mustWrite(t, client, p)
			require.Equal(t, p, mustRead(t, client, len(p)))
		}
		require.NoError(t, client.CloseWrite())
		wg.Wait()
	})
}

func TestReadWaitsForAWrite(t *testing.T) {
	withPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		p := make([]byte, 10)
		read := startCall(server.Read, p)
		isBlocked(t, read)
		mustWrite(t, client, []byte("abc"))
		n, err := returned(t, read)
		require.NoError(t, err)
		require.Equal(t, "abc", string(p[:n]))
	})
}

func TestWriteWaitsWhileTheBufferIsFull(t *testing.T) {
	for _, size := range []int{1, 100, 4096, 10_000} {
		withPipe(t, size, func(t *testing.T, client, server *memconn.Conn) {
			want := someBytes(size + 3)
			mustWrite(t, client, want[:size])
			write := startCall(client.Write, want[size:])
			got := mustRead(t, server, 1)
			isBlocked(t, write)
			got = append(got, mustRead(t, server, 1)...)
			isBlocked(t, write)
			got = append(got, mustRead(t, server, 1)...)
			n, err := returned(t, write)
			require.NoError(t, err)
			require.Equal(t, 3, n)
			require.Equal(t, want, append(got, mustRead(t, server, size)...))
		})
	}
}

func TestSizeNotPositiveIsTheDefault(t *testing.T) {
	for _, size := range []int{0, -1} {
		withPipe(t, size, func(t *testing.T, client, _ *memconn.Conn) {
			mustWrite(t, client, make([]byte, memconn.DefaultSize))
			isBlocked(t, startCall(client.Write, []byte{1}))
		})
	}
}

func TestWritesOfManyGoroutinesAreNotInterleaved(t *testing.T) {
	const writers, each, length = 8, 20, 300
	withPipe(t, 64, func(t *testing.T, client, server *memconn.Conn) {
		for i := range writers {
			go func() {
				p := bytes.Repeat([]byte{byte(i)}, length)
				for range each {
					client.Write(p)
				}
			}()
		}
		for range writers * each {
			p := mustRead(t, server, length)
			require.Equal(t, bytes.Repeat(p[:1], length), p)
		}
	})
}

func TestEveryWaitingReaderGetsItsPart(t *testing.T) {
	withPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		var reads []<-chan ioResult
		for range 3 {
			reads = append(reads, startCall(server.Read, make([]byte, 2)))
		}
		mustWrite(t, client, []byte("abcdef"))
		for _, r := range reads {
			n, err := returned(t, r)
			require.NoError(t, err)
			require.Equal(t, 2, n)
		}
	})
}

func TestNothingToReadIntoOrToWriteDoesNotWait(t *testing.T) {
	withPipe(t, 1, func(t *testing.T, client, server *memconn.Conn) {
		mustWrite(t, client, []byte("a"))
		n, err := returned(t, startCall(client.Write, nil))
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = returned(t, startCall(client.Read, nil))
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestWrittenBytesAreACopy(t *testing.T) {
	withPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		p := []byte("abc")
		mustWrite(t, client, p)
		p[0] = 'x'
		require.Equal(t, "abc", string(mustRead(t, server, 3)))
	})
}

func TestNetBuffers(t *testing.T) {
	withPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		buffers := net.Buffers{[]byte("ab"), nil, []byte("cde")}
		n, err := buffers.WriteTo(client)
		require.NoError(t, err)
		require.EqualValues(t, 5, n)
		require.Equal(t, "abcde", string(mustRead(t, server, 5)))
	})
}

func TestAddressesOfAPipe(t *testing.T) {
	client, server := memconn.Pipe(0)
	require.Equal(t, "mem", client.LocalAddr().Network())
	require.Equal(t, "client", client.LocalAddr().String())
	require.Equal(t, "server", client.RemoteAddr().String())
	require.Equal(t, client.RemoteAddr(), server.LocalAddr())
	require.Equal(t, client.LocalAddr(), server.RemoteAddr())
}
