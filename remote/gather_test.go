package remote

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// slowConn takes a second for each write.
type slowConn struct {
	net.Conn
	mu     sync.Mutex
	writes []string
	fails  error
	closed bool
}

func (c *slowConn) Write(b []byte) (int, error) {
	time.Sleep(time.Second)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails != nil {
		return 0, c.fails
	}
	c.writes = append(c.writes, string(b))
	return len(b), nil
}

func (c *slowConn) SetWriteDeadline(time.Time) error { return nil }

func (c *slowConn) Close() error {
	c.closed = true
	return nil
}

func TestWhatIsWrittenMeanwhileGoesOutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &slowConn{}
		g := newGatherer(c)
		began := time.Now()
		for i, s := range []string{"a", "b", "c", "d"} {
			n, err := g.Write([]byte(s))
			require.NoError(t, err)
			require.Equal(t, 1, n)
			if i == 0 {
				synctest.Wait()
			}
		}
		require.Zero(t, time.Since(began), "nobody waits")
		require.NoError(t, g.Close())
		require.Equal(t, []string{"a", "bcd"}, c.writes, "what waits is written before the end")
		require.True(t, c.closed)
		_, err := g.Write([]byte("e"))
		require.ErrorIs(t, err, net.ErrClosed)
		require.NoError(t, g.Close())
	})
}

func TestWhoWritesTooMuchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &slowConn{}
		g := newGatherer(c)
		defer g.Close()
		large := bytes.Repeat([]byte("x"), mostGathered)
		g.Write(large)
		synctest.Wait()
		g.Write(large)
		began := time.Now()
		n, err := g.Write([]byte("y"))
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestAFailedWriteIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		c := &slowConn{fails: broken}
		g := newGatherer(c)
		large := bytes.Repeat([]byte("x"), mostGathered)
		g.Write([]byte("a"))
		synctest.Wait()
		g.Write(large)
		_, err := g.Write([]byte("b")) // which waits
		require.ErrorIs(t, err, broken)
		require.NoError(t, g.Close())
		require.Empty(t, c.writes)
	})
}

// A peer that reads nothing does not hold up the end.
func TestTheEndDoesNotWaitForThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		g := newGatherer(near)
		g.Write([]byte("x"))
		synctest.Wait()
		began := time.Now()
		require.NoError(t, g.Close())
		require.Equal(t, lastWrite, time.Since(began))
		_, err := far.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	})
}
