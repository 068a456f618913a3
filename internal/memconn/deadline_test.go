package memconn_test

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/memconn"
)

// mcSide is a way to be late: a Read with nothing to read, or a Write with no
// room.
type mcSide struct {
	op   string
	set  func(*memconn.Conn, time.Time) error
	call func(*memconn.Conn) func([]byte) (int, error)
	// free lets the call go on.
	free func(t *testing.T, peer *memconn.Conn)
}

// mcSides runs f with a client whose Read or Write waits.
func mcSides(t *testing.T, f func(t *testing.T, side mcSide, client, server *memconn.Conn)) {
	t.Helper()
	sides := []mcSide{
		{"read", (*memconn.Conn).SetReadDeadline,
			func(c *memconn.Conn) func([]byte) (int, error) { return c.Read },
			func(t *testing.T, peer *memconn.Conn) { mcWrite(t, peer, []byte("a")) }},
		{"write", (*memconn.Conn).SetWriteDeadline,
			func(c *memconn.Conn) func([]byte) (int, error) { return c.Write },
			func(t *testing.T, peer *memconn.Conn) { mcReadFull(t, peer, 1) }},
	}
	for _, side := range sides {
		both := side
		both.set = (*memconn.Conn).SetDeadline
		for name, side := range map[string]mcSide{side.op: side, side.op + ", set for both": both} {
			t.Run(name, func(t *testing.T) {
				mcPipe(t, 8, func(t *testing.T, client, server *memconn.Conn) {
					mcWrite(t, client, make([]byte, 8))
					f(t, side, client, server)
				})
			})
		}
	}
}

func mcLate(t *testing.T, side mcSide, c net.Conn, call <-chan mcResult) {
	t.Helper()
	n, err := mcReturned(t, call)
	require.Zero(t, n)
	mcOpError(t, err, side.op, c, os.ErrDeadlineExceeded)
	require.True(t, err.(net.Error).Timeout())
}

func TestDeadlineInTheFuture(t *testing.T) {
	mcSides(t, func(t *testing.T, side mcSide, client, server *memconn.Conn) {
		for range 3 { // the timer is used again
			require.NoError(t, side.set(client, time.Now().Add(time.Minute)))
			calls := []<-chan mcResult{
				mcStart(side.call(client), make([]byte, 1)),
				mcStart(side.call(client), make([]byte, 1)),
			}
			time.Sleep(time.Minute - time.Nanosecond)
			mcBlocked(t, calls[0])
			mcBlocked(t, calls[1])
			time.Sleep(time.Nanosecond)
			mcLate(t, side, client, calls[0])
			mcLate(t, side, client, calls[1])
			mcLate(t, side, client, mcStart(side.call(client), make([]byte, 1)))
		}
	})
}

func TestDeadlineInThePast(t *testing.T) {
	mcSides(t, func(t *testing.T, side mcSide, client, server *memconn.Conn) {
		call := mcStart(side.call(client), make([]byte, 1))
		for _, at := range []time.Time{time.Now(), time.Now().Add(-time.Hour), time.Unix(1, 0)} {
			require.NoError(t, side.set(client, at))
			if call != nil {
				mcLate(t, side, client, call)
				call = nil
			}
			mcLate(t, side, client, mcStart(side.call(client), make([]byte, 1)))
			require.NoError(t, side.set(client, time.Time{}))
		}
	})
}

func TestDeadlineComesBeforeWhatCouldBeDone(t *testing.T) {
	mcSides(t, func(t *testing.T, side mcSide, client, server *memconn.Conn) {
		side.free(t, server)
		require.NoError(t, side.set(client, time.Now()))
		mcLate(t, side, client, mcStart(side.call(client), make([]byte, 1)))
	})
}

func TestNoDeadlineAfterTheZeroTime(t *testing.T) {
	mcSides(t, func(t *testing.T, side mcSide, client, server *memconn.Conn) {
		require.NoError(t, side.set(client, time.Now().Add(time.Minute)))
		call := mcStart(side.call(client), make([]byte, 1))
		require.NoError(t, side.set(client, time.Time{}))
		time.Sleep(time.Hour)
		mcBlocked(t, call)
		side.free(t, server)
		n, err := mcReturned(t, call)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

func TestAPassedDeadlineCanBeTakenBack(t *testing.T) {
	mcSides(t, func(t *testing.T, side mcSide, client, server *memconn.Conn) {
		for _, at := range []time.Time{{}, time.Now().Add(time.Hour)} {
			require.NoError(t, side.set(client, time.Now()))
			mcLate(t, side, client, mcStart(side.call(client), make([]byte, 1)))
			require.NoError(t, side.set(client, at))
			call := mcStart(side.call(client), make([]byte, 1))
			mcBlocked(t, call)
			side.free(t, server)
			n, err := mcReturned(t, call)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
	})
}

func TestDeadlineChangedWhileWaiting(t *testing.T) {
	mcSides(t, func(t *testing.T, side mcSide, client, server *memconn.Conn) {
		start := time.Now()
		require.NoError(t, side.set(client, start.Add(time.Minute)))
		call := mcStart(side.call(client), make([]byte, 1))
		for i := range 10 { // later and later, as heartbeats have it
			time.Sleep(30 * time.Second)
			mcBlocked(t, call)
			require.NoError(t, side.set(client, time.Now().Add(time.Minute+time.Duration(i))))
		}
		require.NoError(t, side.set(client, time.Now().Add(time.Second))) // sooner
		time.Sleep(time.Second)
		mcLate(t, side, client, call)
	})
}

func TestDeadlineWithoutMonotonicClock(t *testing.T) {
	mcSides(t, func(t *testing.T, side mcSide, client, server *memconn.Conn) {
		require.NoError(t, side.set(client, time.Now().Add(time.Minute).Round(0)))
		call := mcStart(side.call(client), make([]byte, 1))
		time.Sleep(time.Minute)
		mcLate(t, side, client, call)
	})
}

func TestDeadlineTooFarForADuration(t *testing.T) {
	mcSides(t, func(t *testing.T, side mcSide, client, server *memconn.Conn) {
		require.NoError(t, side.set(client, time.Now().AddDate(5000, 0, 0)))
		call := mcStart(side.call(client), make([]byte, 1))
		time.Sleep(24 * time.Hour)
		mcBlocked(t, call)
		side.free(t, server)
		_, err := mcReturned(t, call)
		require.NoError(t, err)
	})
}

func TestADeadlineIsForItsEndAndDirectionOnly(t *testing.T) {
	mcSides(t, func(t *testing.T, side mcSide, client, server *memconn.Conn) {
		require.NoError(t, client.SetDeadline(time.Time{}))
		other, peer := client.SetWriteDeadline, server.SetWriteDeadline
		if side.op == "write" {
			other, peer = client.SetReadDeadline, server.SetReadDeadline
		}
		require.NoError(t, other(time.Now()))
		require.NoError(t, peer(time.Time{}))
		call := mcStart(side.call(client), make([]byte, 1))
		mcBlocked(t, call)
		require.NoError(t, server.SetDeadline(time.Now()))
		mcBlocked(t, call)
		require.NoError(t, server.SetDeadline(time.Time{}))
		side.free(t, server)
		_, err := mcReturned(t, call)
		require.NoError(t, err)
	})
}

func TestALateWriteSaysHowMuchIsInTheBuffer(t *testing.T) {
	mcPipe(t, 8, func(t *testing.T, client, server *memconn.Conn) {
		require.NoError(t, client.SetWriteDeadline(time.Now().Add(time.Second)))
		n, err := client.Write([]byte("0123456789"))
		require.Equal(t, 8, n)
		mcOpError(t, err, "write", client, os.ErrDeadlineExceeded)
		require.Equal(t, "01234567", string(mcReadFull(t, server, 8)))
		require.NoError(t, client.SetWriteDeadline(time.Time{}))
		mcWrite(t, client, []byte("89"))
		require.Equal(t, "89", string(mcReadFull(t, server, 2)))
	})
}

func TestTimersRunOnlyForADeadlineInTheFuture(t *testing.T) {
	mcPipe(t, 0, func(t *testing.T, client, server *memconn.Conn) {
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
	mcSides(t, func(t *testing.T, side mcSide, client, server *memconn.Conn) {
		call := mcStart(side.call(client), make([]byte, 1))
		for _, at := range []time.Time{time.Now().Add(time.Minute), {}} {
			require.NoError(t, side.set(client, at))
			memconn.LateTimers(client)
			mcBlocked(t, call)
		}
		side.free(t, server)
		_, err := mcReturned(t, call)
		require.NoError(t, err)
	})
}
