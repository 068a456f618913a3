package memconn_test

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/memconn"
)

// lateSide is a way to be late: a Read with nothing to read, or a Write with no
// room.
type lateSide struct {
	op   string
	set  func(*memconn.Conn, time.Time) error
	call func(*memconn.Conn) func([]byte) (int, error)
	// free lets the call go on.
	free func(t *testing.T, peer *memconn.Conn)
}

// eachSide runs f with a client whose Read or Write waits.
func eachSide(t *testing.T, f func(t *testing.T, side lateSide, client, server *memconn.Conn)) {
	t.Helper()
	sides := []lateSide{
		{"read", (*memconn.Conn).SetReadDeadline,
			func(c *memconn.Conn) func([]byte) (int, error) { return c.Read },
			func(t *testing.T, peer *memconn.Conn) { mustWrite(t, peer, []byte("a")) }},
		{"write", (*memconn.Conn).SetWriteDeadline,
			func(c *memconn.Conn) func([]byte) (int, error) { return c.Write },
			func(t *testing.T, peer *memconn.Conn) { mustRead(t, peer, 1) }},
	}
	for _, side := range sides {
		both := side
		both.set = (*memconn.Conn).SetDeadline
		for name, side := range map[string]lateSide{side.op: side, side.op + ", set for both": both} {
			t.Run(name, func(t *testing.T) {
				withPipe(t, 8, func(t *testing.T, client, server *memconn.Conn) {
					mustWrite(t, client, make([]byte, 8))
					f(t, side, client, server)
				})
			})
		}
	}
}

func isLate(t *testing.T, side lateSide, c net.Conn, call <-chan ioResult) {
	t.Helper()
	n, err := returned(t, call)
	require.Zero(t, n)
	isOpError(t, err, side.op, c, os.ErrDeadlineExceeded)
	require.True(t, err.(net.Error).Timeout())
}

func TestDeadlineInTheFuture(t *testing.T) {
	eachSide(t, func(t *testing.T, side lateSide, client, server *memconn.Conn) {
		for range 3 { // the timer is used again
			require.NoError(t, side.set(client, time.Now().Add(time.Minute)))
			calls := []<-chan ioResult{
				startCall(side.call(client), make([]byte, 1)),
				startCall(side.call(client), make([]byte, 1)),
			}
			time.Sleep(time.Minute - time.Nanosecond)
			isBlocked(t, calls[0])
			isBlocked(t, calls[1])
			time.Sleep(time.Nanosecond)
			isLate(t, side, client, calls[0])
			isLate(t, side, client, calls[1])
			isLate(t, side, client, startCall(side.call(client), make([]byte, 1)))
		}
	})
}

func TestDeadlineInThePast(t *testing.T) {
	eachSide(t, func(t *testing.T, side lateSide, client, server *memconn.Conn) {
		call := startCall(side.call(client), make([]byte, 1))
		for _, at := range []time.Time{time.Now(), time.Now().Add(-time.Hour), time.Unix(1, 0)} {
			require.NoError(t, side.set(client, at))
			if call != nil {
				isLate(t, side, client, call)
				call = nil
			}
			isLate(t, side, client, startCall(side.call(client), make([]byte, 1)))
			require.NoError(t, side.set(client, time.Time{}))
		}
	})
}

func TestDeadlineComesBeforeWhatCouldBeDone(t *testing.T) {
	eachSide(t, func(t *testing.T, side lateSide, client, server *memconn.Conn) {
		side.free(t, server)
		require.NoError(t, side.set(client, time.Now()))
		isLate(t, side, client, startCall(side.call(client), make([]byte, 1)))
	})
}

func TestNoDeadlineAfterTheZeroTime(t *testing.T) {
	eachSide(t, func(t *testing.T, side lateSide, client, server *memconn.Conn) {
		require.NoError(t, side.set(client, time.Now().Add(time.Minute)))
		call := startCall(side.call(client), make([]byte, 1))
		require.NoError(t, side.set(client, time.Time{}))
		time.Sleep(time.Hour)
		isBlocked(t, call)
		side.free(t, server)
		n, err := returned(t, call)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

func TestAPassedDeadlineCanBeTakenBack(t *testing.T) {
	eachSide(t, func(t *testing.T, side lateSide, client, server *memconn.Conn) {
		for _, at := range []time.Time{{}, time.Now().Add(time.Hour)} {
			require.NoError(t, side.set(client, time.Now()))
			isLate(t, side, client, startCall(side.call(client), make([]byte, 1)))
			require.NoError(t, side.set(client, at))
			call := startCall(side.call(client), make([]byte, 1))
			isBlocked(t, call)
			side.free(t, server)
			n, err := returned(t, call)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
	})
}

func TestDeadlineChangedWhileWaiting(t *testing.T) {
	eachSide(t, func(t *testing.T, side lateSide, client, server *memconn.Conn) {
		start := time.Now()
		require.NoError(t, side.set(client, start.Add(time.Minute)))
		call := startCall(side.call(client), make([]byte, 1))
		for i := range 10 { // later and later, as heartbeats have it
			time.Sleep(30 * time.Second)
			isBlocked(t, call)
			require.NoError(t, side.set(client, time.Now().Add(time.Minute+time.Duration(i))))
		}
		require.NoError(t, side.set(client, time.Now().Add(time.Second))) // sooner
		time.Sleep(time.Second)
		isLate(t, side, client, call)
	})
}

func TestDeadlineWithoutMonotonicClock(t *testing.T) {
	eachSide(t, func(t *testing.T, side lateSide, client, server *memconn.Conn) {
		require.NoError(t, side.set(client, time.Now().Add(time.Minute).Round(0)))
		call := startCall(side.call(client), make([]byte, 1))
		time.Sleep(time.Minute)
		isLate(t, side, client, call)
	})
}

func TestDeadlineTooFarForADuration(t *testing.T) {
	eachSide(t, func(t *testing.T, side lateSide, client, server *memconn.Conn) {
		require.NoError(t, side.set(client, time.Now().AddDate(5000, 0, 0)))
		call := startCall(side.call(client), make([]byte, 1))
		time.Sleep(24 * time.Hour)
		isBlocked(t, call)
		side.free(t, server)
		_, err := returned(t, call)
		require.NoError(t, err)
	})
}

func TestADeadlineIsForItsEndAndDirectionOnly(t *testing.T) {
	eachSide(t, func(t *testing.T, side lateSide, client, server *memconn.Conn) {
		require.NoError(t, client.SetDeadline(time.Time{}))
		other, peer := client.SetWriteDeadline, server.SetWriteDeadline
		if side.op == "write" {
			other, peer = client.SetReadDeadline, server.SetReadDeadline
		}
		require.NoError(t, other(time.Now()))
		require.NoError(t, peer(time.Time{}))
		call := startCall(side.call(client), make([]byte, 1))
		isBlocked(t, call)
		require.NoError(t, server.SetDeadline(time.Now()))
		isBlocked(t, call)
		require.NoError(t, server.SetDeadline(time.Time{}))
		side.free(t, server)
		_, err := returned(t, call)
		require.NoError(t, err)
	})
}

func TestALateWriteSaysHowMuchIsInTheBuffer(t *testing.T) {
	withPipe(t, 8, func(t *testing.T, client, server *memconn.Conn) {
		require.NoError(t, client.SetWriteDeadline(time.Now().Add(time.Second)))
		n, err := client.Write([]byte("0123456789"))
		require.Equal(t, 8, n)
		isOpError(t, err, "write", client, os.ErrDeadlineExceeded)
		require.Equal(t, "01234567", string(mustRead(t, server, 8)))
		require.NoError(t, client.SetWriteDeadline(time.Time{}))
		mustWrite(t, client, []byte("89"))
		require.Equal(t, "89", string(mustRead(t, server, 2)))
	})
}

func TestTimersRunOnlyForADeadlineInTheFuture(t *testing.T) {
	withPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
		set := func(left time.Duration) {
			require.NoError(t, client.SetDeadline(time.Now().Add(left)))
		}
		require.Zero(t, memconn.StopTimers(client))
		set(time.Minute)
		set(2 * time.Minute)
		require.Equal(t, 2, memconn.StopTimers(client))

		set(time.Minute)
		require.NoError(t, client.SetDeadline(time.Time{}))
		require.Zero(t, memconn.StopTimers(client))
		set(time.Minute)
		set(0)
		require.Zero(t, memconn.StopTimers(client))

		set(time.Minute)
		require.NoError(t, client.CloseWrite())
		set(time.Minute)
		require.Equal(t, 1, memconn.StopTimers(client))
		set(time.Minute)
		require.NoError(t, client.Close())
		require.Zero(t, memconn.StopTimers(client))
		require.Error(t, client.SetDeadline(time.Now().Add(time.Minute)))
		require.Zero(t, memconn.StopTimers(client))
	})
}

func TestATimerThatComesLateIsOfNoConsequence(t *testing.T) {
	eachSide(t, func(t *testing.T, side lateSide, client, server *memconn.Conn) {
		call := startCall(side.call(client), make([]byte, 1))
		for _, at := range []time.Time{time.Now().Add(time.Minute), {}} {
			require.NoError(t, side.set(client, at))
			memconn.LateTimers(client)
			isBlocked(t, call)
		}
		side.free(t, server)
		_, err := returned(t, call)
		require.NoError(t, err)
	})
}
