package remote

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// socketPair is a gatherer on a connection by TCP, and its other end.
func socketPair(t *testing.T) (*gatherer, net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	far, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { far.Close() })
	require.NoError(t, near.(*net.TCPConn).SetWriteBuffer(64<<10))
	require.NoError(t, far.(*net.TCPConn).SetReadBuffer(64<<10))
	return newGatherer(near), far
}

func (g *gatherer) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waits)
}

// Many write in all ways, and the reader is slow at first: all arrives, and what one has
// written is in its order.
func TestNothingIsLostOnTheWay(t *testing.T) {
	g, far := socketPair(t)
	const writers, each = 8, 3000
	part := bytes.Repeat([]byte("x"), 300)
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for n := range uint32(each) {
				b := binary.BigEndian.AppendUint32([]byte{byte(w)}, n)
				if w%2 == 0 {
					g.hold()
				}
				_, err := g.Write(append(b, part...))
				if w%2 == 0 {
					g.release()
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n%100 == 0 {
					g.mu.Lock()
					g.alone = int(n/100) % (2 * aloneFor)
					g.mu.Unlock()
				}
			}
		})
	}
	for g.waiting() < mostGathered/2 {
		runtime.Gosched() // until the network takes no more
	}
	var next [writers]uint32
	record := make([]byte, 5+len(part))
	for range writers * each {
		_, err := io.ReadFull(far, record)
		require.NoError(t, err)
		w := record[0]
		require.Equal(t, next[w], binary.BigEndian.Uint32(record[1:]))
		require.Equal(t, part, record[5:])
		next[w]++
	}
	writing.Wait()
	require.NoError(t, g.Close())
	_, err := far.Read(record)
	require.ErrorIs(t, err, io.EOF)
	require.True(t, g.hasNone(g.accepted()))
	require.False(t, g.hasNone(g.accepted()-1))
}

// The end comes while others write: nobody hangs, and what is told to be taken has come.
func TestTheEndComesWhileOthersWrite(t *testing.T) {
	for range 30 {
		g, far := socketPair(t)
		var writing sync.WaitGroup
		for range 4 {
			writing.Go(func() {
				for {
					g.hold()
					_, err := g.Write([]byte("some"))
					g.release()
					if err != nil {
						return
					}
				}
			})
		}
		read := make(chan int64)
		go func() {
			n, _ := io.Copy(io.Discard, far)
			read <- n
		}()
		for g.accepted() < 1000 {
			runtime.Gosched()
		}
		require.NoError(t, g.Close())
		writing.Wait()
		require.EqualValues(t, g.accepted(), <-read)
	}
}

// A peer that is gone, or does not read, holds up nobody who writes little.
func TestWhoWritesAtOnceDoesNotWait(t *testing.T) {
	g, far := socketPair(t)
	g.alone = aloneFor
	total := 0
	for g.waiting() == 0 {
		n, err := g.Write(make([]byte, 16<<10))
		require.NoError(t, err)
		total += n
	}
	go far.Close()
	io.Copy(io.Discard, g) // until the peer is gone
	g.Close()
	_, err := g.Write([]byte("more"))
	require.Error(t, err)
	require.False(t, g.hasNone(0))
	require.EqualValues(t, total, g.accepted())
}
