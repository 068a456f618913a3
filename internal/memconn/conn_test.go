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
		mcPipe(t, size, func(t *testing.T, client, server *memconn.Conn) {
			want := mcBytes(10_000)
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
	mcPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		var wg sync.WaitGroup
		wg.Go(func() { io.Copy(server, server) })
		for i := range 1000 {
			p := mcBytes(i)
			mcWrite(t, client, p)
			require.Equal(t, p, mcReadFull(t, client, len(p)))
		}
		require.NoError(t, client.CloseWrite())
		wg.Wait()
	})
}

func TestReadWaitsForAWrite(t *testing.T) {
	mcPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		p := make([]byte, 10)
		read := mcStart(server.Read, p)
		mcBlocked(t, read)
		mcWrite(t, client, []byte("abc"))
		n, err := mcReturned(t, read)
		require.NoError(t, err)
		require.Equal(t, "abc", string(p[:n]))
	})
}

func TestWriteWaitsWhileTheBufferIsFull(t *testing.T) {
	for _, size := range []int{1, 100, 4096, 10_000} {
		mcPipe(t, size, func(t *testing.T, client, server *memconn.Conn) {
			want := mcBytes(size + 3)
			mcWrite(t, client, want[:size])
			write := mcStart(client.Write, want[size:])
			got := mcReadFull(t, server, 1)
			mcBlocked(t, write)
			got = append(got, mcReadFull(t, server, 1)...)
			mcBlocked(t, write)
			got = append(got, mcReadFull(t, server, 1)...)
			n, err := mcReturned(t, write)
			require.NoError(t, err)
			require.Equal(t, 3, n)
			require.Equal(t, want, append(got, mcReadFull(t, server, size)...))
		})
	}
}

func TestSizeNotPositiveIsTheDefault(t *testing.T) {
	for _, size := range []int{0, -1} {
		mcPipe(t, size, func(t *testing.T, client, _ *memconn.Conn) {
			mcWrite(t, client, make([]byte, memconn.DefaultSize))
			mcBlocked(t, mcStart(client.Write, []byte{1}))
		})
	}
}

func TestWritesOfManyGoroutinesAreNotInterleaved(t *testing.T) {
	const writers, each, length = 8, 20, 300
	mcPipe(t, 64, func(t *testing.T, client, server *memconn.Conn) {
		for i := range writers {
			go func() {
				p := bytes.Repeat([]byte{byte(i)}, length)
				for range each {
					client.Write(p)
				}
			}()
		}
		for range writers * each {
			p := mcReadFull(t, server, length)
			require.Equal(t, bytes.Repeat(p[:1], length), p)
		}
	})
}

func TestEveryWaitingReaderGetsItsPart(t *testing.T) {
	mcPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		var reads []<-chan mcResult
		for range 3 {
			reads = append(reads, mcStart(server.Read, make([]byte, 2)))
		}
		mcWrite(t, client, []byte("abcdef"))
		for _, r := range reads {
			n, err := mcReturned(t, r)
			require.NoError(t, err)
			require.Equal(t, 2, n)
		}
	})
}

func TestNothingToReadIntoOrToWriteDoesNotWait(t *testing.T) {
	mcPipe(t, 1, func(t *testing.T, client, server *memconn.Conn) {
		mcWrite(t, client, []byte("a"))
		n, err := mcReturned(t, mcStart(client.Write, nil))
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = mcReturned(t, mcStart(client.Read, nil))
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestWrittenBytesAreACopy(t *testing.T) {
	mcPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		p := []byte("abc")
		mcWrite(t, client, p)
		p[0] = 'x'
		require.Equal(t, "abc", string(mcReadFull(t, server, 3)))
	})
}

func TestNetBuffers(t *testing.T) {
	mcPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		buffers := net.Buffers{[]byte("ab"), nil, []byte("cde")}
		n, err := buffers.WriteTo(client)
		require.NoError(t, err)
		require.EqualValues(t, 5, n)
		require.Equal(t, "abcde", string(mcReadFull(t, server, 5)))
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
