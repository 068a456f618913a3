package memconn_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/memconn"
)

// TestManyReadersAndWritersUnderPassingDeadlines counts: what was written
// arrives, and nothing else.
func TestManyReadersAndWritersUnderPassingDeadlines(t *testing.T) {
	withPipe(t, 300, func(t *testing.T, client, server *memconn.Conn) {
		var written, read [4]int
		var writers, readers sync.WaitGroup
		for i := range written {
			writers.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(i), 1))
				p := make([]byte, 1024)
				for range 200 {
					client.SetWriteDeadline(time.Now().Add(time.Duration(rnd.IntN(3)) * time.Millisecond))
					n, err := client.Write(p[:rnd.IntN(len(p))])
					written[i] += n
					if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Error(err)
					}
				}
			})
			readers.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(i), 2))
				p := make([]byte, 1024)
				for {
					server.SetReadDeadline(time.Now().Add(time.Duration(rnd.IntN(3)) * time.Millisecond))
					n, err := server.Read(p[:rnd.IntN(len(p))])
					read[i] += n
					if err == io.EOF {
						return
					}
					if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Error(err)
					}
				}
			})
		}
		writers.Wait()
		client.CloseWrite()
		readers.Wait()
		sum := func(a [4]int) int { return a[0] + a[1] + a[2] + a[3] }
		require.NotZero(t, sum(read))
		require.Equal(t, sum(written), sum(read))
	})
}

// TestAllMethodsAtOnce is for the race detector, and to see that every call
// returns after the Close.
func TestAllMethodsAtOnce(t *testing.T) {
	for round := range 20 {
		withPipe(t, 64, func(t *testing.T, client, server *memconn.Conn) {
			var wg sync.WaitGroup
			for i, c := range []*memconn.Conn{client, server} {
				for j := range 3 {
					wg.Go(func() { io.Copy(io.Discard, c) })
					wg.Go(func() { c.Write(make([]byte, 1000*j)) })
					wg.Go(func() { c.SetDeadline(time.Now().Add(time.Duration(round*j) * time.Millisecond)) })
					wg.Go(func() { c.SetReadDeadline(time.Time{}) })
					wg.Go(func() { c.SetWriteDeadline(time.Now()) })
					wg.Go(func() { c.LocalAddr(); c.RemoteAddr() })
				}
				wg.Go(func() {
					time.Sleep(time.Duration(round*(1+i)) * time.Millisecond)
					if round%2 == 0 {
						c.CloseWrite()
					}
					c.Close()
				})
			}
			wg.Wait()
		})
	}
}

func TestClosedByManyAtOnce(t *testing.T) {
	withPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		read := startCall(client.Read, make([]byte, 1))
		for range 10 {
			go client.Close()
			go server.Close()
		}
		_, err := returned(t, read)
		require.Error(t, err)
	})
}
