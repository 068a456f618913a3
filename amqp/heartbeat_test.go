package amqp_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/wire"
)

// lcBeating is a connection with a heartbeat of so many seconds.
func lcBeating(t *testing.T, seconds uint16) *lcRaw {
	_, srv := lcServer(t, nil)
	r := lcDial(t, srv)
	r.open(seconds)
	return r
}

// lcEnd reads until the end and returns when it came, and how many heartbeats.
func lcEnd(r *lcRaw) (after time.Duration, heartbeats int) {
	start := time.Now()
	for {
		f, err := r.frames.Next()
		if err != nil {
			require.Equal(r.t, io.EOF, err)
			return time.Since(start), heartbeats
		}
		require.Equal(r.t, wire.Frame{Type: wire.FrameHeartbeat, Payload: []byte{}}, f)
		heartbeats++
	}
}

func TestASilentClientIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after, heartbeats := lcEnd(lcBeating(t, 10))
		require.GreaterOrEqual(t, after, 20*time.Second)
		require.LessOrEqual(t, after, 30*time.Second)
		require.GreaterOrEqual(t, heartbeats, 2, "one each half interval")
	})
}

func TestAClientThatFallsSilentIsCutOffAfterTwoToThreeIntervals(t *testing.T) {
	for _, talk := range []time.Duration{time.Second, 9 * time.Second, 11 * time.Second, 5 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			r := lcBeating(t, 10)
			for range talk / time.Second {
				time.Sleep(time.Second)
				r.write(wire.AppendHeartbeat(nil))
			}
			after, _ := lcEnd(r)
			require.GreaterOrEqual(t, after, 20*time.Second)
			require.LessOrEqual(t, after, 30*time.Second)
		})
	}
}

func TestAnyFrameCountsAsHeartbeat(t *testing.T) {
	for name, say := range map[string]func(r *lcRaw){
		"heartbeats": func(r *lcRaw) { r.write(wire.AppendHeartbeat(nil)) },
		"methods":    func(r *lcRaw) { r.send(1, &wire.BasicAck{Multiple: true}) },
		"messages":   func(r *lcRaw) { r.publish(1, "nowhere", "x") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := lcBeating(t, 10)
				r.send(1, &wire.ChannelOpen{})
				lcNext[*wire.ChannelOpenOk](r)
				for range 100 {
					time.Sleep(9 * time.Second)
					say(r)
				}
				r.hangUp()
			})
		})
	}
}

func TestTheServerSendsHeartbeatsOnlyWhenItIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := lcBeating(t, 10)
		start := time.Now()
		for n := range 60 {
			f, err := r.frames.Next()
			require.NoError(t, err)
			require.Equal(t, wire.FrameHeartbeat, f.Type)
			if n > 0 {
				require.Equal(t, 5*time.Second, time.Since(start), "each half interval")
			}
			start = time.Now()
			r.write(wire.AppendHeartbeat(nil))
		}
		for range 60 { // a server that answers need not send them
			time.Sleep(4 * time.Second)
			r.send(0, &wire.ConnectionUpdateSecret{})
			f, err := r.frames.Next()
			require.NoError(t, err)
			require.Equal(t, wire.FrameMethod, f.Type)
		}
		r.hangUp()
	})
}

func TestTheClientsHeartbeatCounts(t *testing.T) {
	for _, seconds := range []uint16{1, 600} {
		synctest.Test(t, func(t *testing.T) {
			after, _ := lcEnd(lcBeating(t, seconds))
			interval := time.Duration(seconds) * time.Second
			require.GreaterOrEqual(t, after, 2*interval)
			require.LessOrEqual(t, after, 3*interval)
		})
	}
}

func TestNoHeartbeatMeansNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := lcBeating(t, 0)
		r.quiet(24 * time.Hour)
		r.hangUp()
	})
}

func TestHeartbeatsBelongToChannelZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := lcServer(t, nil)
		r := lcChannel(t, srv)
		r.frame(wire.FrameHeartbeat, 1, "")
		r.closed(505, "UNEXPECTED_FRAME - type 8, all octets = <<>>")
	})
}
