package amqp_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

func TestProtocolHeaderOf091And09StartsAConnection(t *testing.T) {
	for _, header := range []string{"AMQP\x00\x00\x09\x01", "AMQP\x01\x01\x00\x09"} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := brokertest.Serve(t, nil, nil)
			r := dialRaw(t, srv)
			r.write([]byte(header))
			expect[*wire.ConnectionStart](r)
		})
	}
}

func TestAnyOtherProtocolHeaderIsAnsweredWithOurs(t *testing.T) {
	for _, header := range []string{"AMQP\x00\x01\x00\x00", "AMQP\x03\x01\x00\x00", "AMQP\x01\x01\x08\x00", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01"} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := brokertest.Serve(t, nil, nil)
			r := dialRaw(t, srv)
			r.write([]byte(header))
			b := make([]byte, 100)
			n, err := r.conn.Read(b)
			require.NoError(t, err)
			require.Equal(t, wire.ProtocolHeader, string(b[:n]))
			r.over()
		})
	}
}

func TestStartOffersTheNineCapabilities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		r := dialRaw(t, srv)
		r.write([]byte(wire.ProtocolHeader))
		start := expect[*wire.ConnectionStart](r)
		require.Equal(t, uint8(0), start.VersionMajor)
		require.Equal(t, uint8(9), start.VersionMinor)
		require.Equal(t, "PLAIN AMQPLAIN", start.Mechanisms)
		require.Equal(t, "en_US", start.Locales)
		require.Equal(t, wire.Table{
			"publisher_confirms": true, "exchange_exchange_bindings": true, "basic.nack": true,
			"consumer_cancel_notify": true, "connection.blocked": true, "consumer_priorities": true,
			"authentication_failure_close": true, "per_consumer_qos": true, "direct_reply_to": true,
		}, start.ServerProperties["capabilities"])
		for _, property := range []string{"product", "version", "platform", "cluster_name", "copyright", "information"} {
			require.NotEmpty(t, start.ServerProperties[property], property)
			require.IsType(t, "", start.ServerProperties[property])
		}
	})
}

func TestTuneOffersWhatTheOptionsSay(t *testing.T) {
	for name, c := range map[string]struct {
		options *amqp.Options
		want    wire.ConnectionTune
	}{
		"RabbitMQ's values":   {nil, wire.ConnectionTune{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 60}},
		"others":              {&amqp.Options{ChannelMax: 5, FrameMax: 8192, Heartbeat: 7 * time.Second}, wire.ConnectionTune{ChannelMax: 5, FrameMax: 8192, Heartbeat: 7}},
		"no heartbeat":        {&amqp.Options{Heartbeat: -1}, wire.ConnectionTune{ChannelMax: 2047, FrameMax: 131072}},
		"too small a frame":   {&amqp.Options{FrameMax: 1}, wire.ConnectionTune{ChannelMax: 2047, FrameMax: 4096, Heartbeat: 60}},
		"too long a silence":  {&amqp.Options{Heartbeat: 100 * time.Hour}, wire.ConnectionTune{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 65535}},
		"all channels at all": {&amqp.Options{ChannelMax: 65535}, wire.ConnectionTune{ChannelMax: 65535, FrameMax: 131072, Heartbeat: 60}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, srv := brokertest.Serve(t, nil, c.options)
				r := dialRaw(t, srv)
				r.login()
				require.Equal(t, c.want, *expect[*wire.ConnectionTune](r))
			})
		})
	}
}

func TestTuneOkMustKeepToTheOffer(t *testing.T) {
	for name, c := range map[string]struct {
		ok   wire.ConnectionTuneOk
		text string // empty: accepted
	}{
		"as offered":           {wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 60}, ""},
		"the least":            {wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096}, ""},
		"any heartbeat":        {wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 8192, Heartbeat: 65535}, ""},
		"frame_max too low":    {wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 4095}, "NOT_ALLOWED - negotiated frame_max = 4095 is lower than the minimum allowed value (4096)"},
		"frame_max too high":   {wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 131073}, "NOT_ALLOWED - negotiated frame_max = 131073 is higher than the maximum allowed value (131072)"},
		"frame_max no limit":   {wire.ConnectionTuneOk{ChannelMax: 10}, "NOT_ALLOWED - negotiated frame_max = 0 is higher than the maximum allowed value (131072)"},
		"channel_max too high": {wire.ConnectionTuneOk{ChannelMax: 2048, FrameMax: 4096}, "NOT_ALLOWED - negotiated channel_max = 2048 is higher than the maximum allowed value (2047)"},
		"channel_max no limit": {wire.ConnectionTuneOk{FrameMax: 4096}, "NOT_ALLOWED - negotiated channel_max = 0 is higher than the maximum allowed value (2047)"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, srv := brokertest.Serve(t, nil, nil)
				r := dialRaw(t, srv)
				r.login()
				expect[*wire.ConnectionTune](r)
				r.send(0, &c.ok)
				if c.text != "" {
					r.closed(wire.CodeNotAllowed, c.text)
					return
				}
				r.send(0, &wire.ConnectionOpen{VirtualHost: "/"})
				expect[*wire.ConnectionOpenOk](r)
			})
		})
	}
}

func TestOpenFindsTheVirtualHost(t *testing.T) {
	for name, text := range map[string]string{
		"/": "", "": "", "other": "",
		"nope":                   "NOT_ALLOWED - vhost nope not found",
		strings.Repeat("x", 255): ("NOT_ALLOWED - vhost " + strings.Repeat("x", 255))[:252] + "...",
	} {
		synctest.Test(t, func(t *testing.T) {
			b, srv := brokertest.Serve(t, nil, nil)
			_, err := b.VirtualHostDeclare("other")
			require.NoError(t, err)
			r := dialRaw(t, srv)
			r.login()
			tune := expect[*wire.ConnectionTune](r)
			r.send(0, (*wire.ConnectionTuneOk)(tune), &wire.ConnectionOpen{VirtualHost: name})
			if text == "" {
				expect[*wire.ConnectionOpenOk](r)
				r.hangUp()
				return
			}
			c := r.closed(wire.CodeNotAllowed, text)
			require.Equal(t, wire.ConnectionOpenID, c.Cause)
		})
	}
}

// handshakeStates brings a client to each state of the handshake.
var handshakeStates = map[string]func(r *rawClient){
	"starting": func(r *rawClient) {
		r.write([]byte(wire.ProtocolHeader))
		expect[*wire.ConnectionStart](r)
	},
	"tuning": func(r *rawClient) {
		r.login()
		expect[*wire.ConnectionTune](r)
	},
	"opening": func(r *rawClient) {
		r.login()
		tune := expect[*wire.ConnectionTune](r)
		r.send(0, (*wire.ConnectionTuneOk)(tune))
	},
}

func TestHandshakeTakesNothingElse(t *testing.T) {
	frameMax := map[string]int{"starting": 8192, "tuning": 8192, "opening": 131072}
	for state, arrive := range handshakeStates {
		for name, c := range map[string]struct {
			send func(r *rawClient)
			code uint16
			text string
		}{
			"another method": {func(r *rawClient) { r.send(0, &wire.ConnectionUpdateSecret{}) }, 504, "CHANNEL_ERROR - unexpected method in connection state " + state},
			"an unknown one": {func(r *rawClient) { r.sendFrame(wire.FrameMethod, 0, "\x00\x0a\x00\xff") }, 503, "COMMAND_INVALID - unimplemented method"},
			"a channel's":    {func(r *rawClient) { r.send(1, &wire.ChannelOpen{}) }, 505, `UNEXPECTED_FRAME - type 1, all octets = <<0,20,0,10,0>>`},
			"content":        {func(r *rawClient) { r.sendFrame(wire.FrameBody, 0, "hello") }, 505, `UNEXPECTED_FRAME - type 3, all octets = <<"hello">>`},
			"an octet astray": {func(r *rawClient) { r.write([]byte("\x08\x00\x00\x00\x00\x00\x00\x00")) }, 501,
				"FRAME_ERROR - type 8, all octets = <<>>: {invalid_frame_end_marker,0}"},
			"too large a frame": {func(r *rawClient) { r.write([]byte("\x01\x00\x00\x00\x02\x00\x01")) }, 501,
				fmt.Sprintf("FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,131073,%d}", frameMax[state]-8)},
		} {
			t.Run(state+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					_, srv := brokertest.Serve(t, nil, nil)
					r := dialRaw(t, srv)
					arrive(r)
					c.send(r)
					r.closed(c.code, c.text)
				})
			})
		}
	}
}

func TestHandshakeTakesHeartbeatsAndClose(t *testing.T) {
	for state, arrive := range handshakeStates {
		t.Run(state, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, srv := brokertest.Serve(t, nil, nil)
				r := dialRaw(t, srv)
				arrive(r)
				r.write(wire.AppendHeartbeat(nil))
				r.hangUp()
			})
		})
	}
}

func TestHandshakeHasADeadline(t *testing.T) {
	say := map[string]func(r *rawClient){
		"nothing": func(*rawClient) {},
		"one octet a second": func(r *rawClient) {
			for _, octet := range []byte(wire.ProtocolHeader + "\x01\x00\x00\x00\x00\x00\x00") {
				time.Sleep(time.Second)
				if _, err := r.conn.Write([]byte{octet}); err != nil {
					return
				}
			}
		},
		"heartbeats": func(r *rawClient) {
			handshakeStates["starting"](r)
			for range 20 {
				time.Sleep(time.Second)
				if _, err := r.conn.Write(wire.AppendHeartbeat(nil)); err != nil {
					return
				}
			}
		},
	}
	for state, arrive := range handshakeStates {
		say["nothing when "+state] = arrive
	}
	for name, say := range say {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, srv := brokertest.Serve(t, nil, nil)
				r := dialRaw(t, srv)
				start := time.Now()
				var said sync.WaitGroup
				said.Go(func() { say(r) })
				time.Sleep(10*time.Second - time.Millisecond)
				_, err := r.conn.Write(nil)
				require.NoError(t, err, "not before its time")
				for err == nil {
					_, err = r.frames.Next()
				}
				require.Equal(t, 10*time.Second, time.Since(start))
				said.Wait()
			})
		})
	}
}

func TestAFinishedHandshakeHasNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, &amqp.Options{HandshakeTimeout: time.Second})
		r := openRaw(t, srv)
		r.quiet(time.Hour)
		r.hangUp()
	})
}

func TestClientsThatVanishInTheHandshakeLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		for range 1000 / len(handshakeStates) {
			for _, arrive := range handshakeStates {
				r := dialRaw(t, srv)
				arrive(r)
				r.conn.Close()
			}
		}
		start := time.Now()
		require.NoError(t, srv.Shutdown(t.Context()), "nobody is there")
		require.Zero(t, time.Since(start))
	})
}

// TestClientPropertiesAreNotKept: a table takes many times the memory of its octets.
func TestClientPropertiesAreNotKept(t *testing.T) {
	large := wire.Table{}
	for i := range 1000 {
		large[fmt.Sprintf("%04d", i)] = true
	}
	heap := func(properties wire.Table) int {
		const clients = 64
		_, srv := brokertest.Serve(t, nil, nil)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range clients {
			r := dialRaw(t, srv)
			r.write([]byte(wire.ProtocolHeader))
			expect[*wire.ConnectionStart](r)
			r.send(0, &wire.ConnectionStartOk{ClientProperties: properties, Mechanism: "PLAIN", Response: "\x00guest\x00guest"})
			expect[*wire.ConnectionTune](r)
			runtime.KeepAlive(r)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		return (int(after.HeapAlloc) - int(before.HeapAlloc)) / clients
	}
	plain := heap(wire.Table{})
	for name, properties := range map[string]wire.Table{
		"properties": large, "capabilities": {"capabilities": large}, "name": {"connection_name": strings.Repeat("x", 7000)},
	} {
		require.Less(t, heap(properties), plain+10<<10, name)
	}
}
