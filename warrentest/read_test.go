package warrentest_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
	"github.com/warrenmq/warren/warrentest"
)

// loggedIn are the frames of a client up to an open channel.
func loggedIn() (b []byte) {
	b = append(b, wire.ProtocolHeader...)
	for _, m := range []wire.Method{
		&wire.ConnectionStartOk{ClientProperties: wire.Table{}, Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US"},
		&wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 4096},
		&wire.ConnectionOpen{VirtualHost: "/"},
	} {
		b = wire.AppendMethod(b, 0, m)
	}
	return wire.AppendMethod(b, 1, &wire.ChannelOpen{})
}

// TestClientsThatBreakTheProtocolHearWhatTheBrokerSays: the answer is the same with and
// without the tap, and nothing is left of them.
func TestClientsThatBreakTheProtocolHearWhatTheBrokerSays(t *testing.T) {
	publish := wire.AppendMethod(nil, 1, &wire.BasicPublish{RoutingKey: []byte("q")})
	frame := func(kind wire.FrameType, channel uint16, payload string) []byte {
		return wire.AppendFrame(nil, wire.Frame{Type: kind, Channel: channel, Payload: []byte(payload)})
	}
	header := func(size uint64) []byte {
		return frame(wire.FrameHeader, 1, string(wire.ContentHeader{BodySize: size}.Append(nil)))
	}
	join := func(parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	for name, text := range map[string][]byte{
		"a method in a content":              join(publish, header(10), publish),
		"a body without a header":            join(publish, frame(wire.FrameBody, 1, "x")),
		"a header without a method":          header(1),
		"a body without anything":            frame(wire.FrameBody, 1, "x"),
		"a header of another class":          join(publish, frame(wire.FrameHeader, 1, "\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")),
		"a header that is too short":         join(publish, frame(wire.FrameHeader, 1, "\x00")),
		"bad properties":                     join(publish, frame(wire.FrameHeader, 1, "\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01")),
		"a body that is too long":            join(publish, header(1), frame(wire.FrameBody, 1, "xx")),
		"a body that no broker has room":     join(publish, header(1<<62)),
		"a heartbeat on a channel":           frame(wire.FrameHeartbeat, 1, ""),
		"a frame of no type":                 frame(7, 1, "x"),
		"a method that does not exist":       frame(wire.FrameMethod, 1, "\x00\x3c\x03\xe7"),
		"a method that ends early":           frame(wire.FrameMethod, 1, "\x00\x3c\x00\x28\x00"),
		"a frame that is larger than agreed": frame(wire.FrameMethod, 1, string(make([]byte, 5000))),
		"a channel that is not open":         wire.AppendMethod(nil, 3, &wire.BasicQos{}),
		"a half frame":                       publish[:9],
		"nothing":                            nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := warrentest.New(t, warrentest.Options{Quiet: true, NothingLeft: true})
				var answers []string
				for _, dial := range []brokertest.Dialer{b.Server.Dial, b.Dial} {
					conn, err := dial("", "")
					require.NoError(t, err)
					conn.Write(append(loggedIn(), text...))
					conn.SetReadDeadline(time.Now().Add(time.Minute))
					answer, _ := io.ReadAll(conn)
					conn.Close()
					answers = append(answers, string(answer))
				}
				require.Equal(t, answers[0], answers[1])
			})
		})
	}
}
