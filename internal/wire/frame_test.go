package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/wire"
)

func TestFramesAreTypeChannelSizePayloadAndEndOctet(t *testing.T) {
	for name, c := range map[string]struct {
		frame  wire.Frame
		octets string
	}{
		"method":    {wire.Frame{Type: wire.FrameMethod, Channel: 0x1234, Payload: []byte("\x00\x0a\x00\x33")}, "01 1234 00000004 000a0033 ce"},
		"header":    {wire.Frame{Type: wire.FrameHeader, Channel: 1, Payload: []byte("head")}, "02 0001 00000004 'head' ce"},
		"body":      {wire.Frame{Type: wire.FrameBody, Channel: 65535, Payload: []byte("\xce")}, "03 ffff 00000001 ce ce"},
		"heartbeat": {wire.Frame{Type: wire.FrameHeartbeat, Payload: []byte{}}, "08 0000 00000000 ce"},
	} {
		t.Run(name, func(t *testing.T) {
			octets := parseOctets(c.octets)
			require.Equal(t, octets, wire.AppendFrame(nil, c.frame))
			require.Equal(t, append([]byte("before"), octets...), wire.AppendFrame([]byte("before"), c.frame))

			f, size, err := wire.ParseFrame(append(octets, "behind"...), wire.FrameMinMax)
			require.NoError(t, err)
			require.Equal(t, len(octets), size)
			require.Equal(t, c.frame, f)

			for n := range octets {
				_, size, err := wire.ParseFrame(octets[:n], wire.FrameMinMax)
				require.NoError(t, err, "%d octets", n)
				require.Zero(t, size, "%d octets", n)
			}
		})
	}
}

func TestHeartbeatIsAnEmptyFrameOnChannelZero(t *testing.T) {
	require.Equal(t, parseOctets("08 0000 00000000 ce"), wire.AppendHeartbeat(nil))
}

func TestAPayloadCannotGrowIntoTheNextFrame(t *testing.T) {
	b := wire.AppendHeartbeat(wire.AppendFrame(nil, wire.Frame{Type: wire.FrameBody, Channel: 1, Payload: []byte("x")}))
	f, size, err := wire.ParseFrame(b, wire.FrameMinMax)
	require.NoError(t, err)
	_ = append(f.Payload, "overwritten"...)
	require.Equal(t, wire.AppendHeartbeat(nil), b[size:])
}

func TestFramesMayBeEightOctetsLargerThanFrameMax(t *testing.T) {
	largest := wire.AppendFrame(nil, wire.Frame{Type: wire.FrameBody, Channel: 1, Payload: make([]byte, 4096)})
	f, size, err := wire.ParseFrame(largest, 4096)
	require.NoError(t, err)
	require.Equal(t, 4096+8, size)
	require.Len(t, f.Payload, 4096)

	_, _, err = wire.ParseFrame(parseOctets("03 0001 00001001"), 4096)
	require.Equal(t, &wire.FrameError{
		Problem: wire.FrameTooLarge, Type: wire.FrameBody, Channel: 1, Size: 4097, Max: 4088,
	}, err, "known before any of the payload is there")

	_, _, err = wire.ParseFrame(parseOctets("03 0001 ffffffff"), 131072)
	require.ErrorContains(t, err, "{frame_too_large,4294967295,131064}")
}

func TestFrameErrorsSpeakAsRabbitMQ(t *testing.T) {
	for name, c := range map[string]struct {
		octets  string
		problem wire.FrameProblem
		text    string
	}{
		"too large": {
			"01 0002 00020001", wire.FrameTooLarge,
			"type 1, all octets = <<>>: {frame_too_large,131073,4088}",
		},
		"wrong end octet": {
			"01 0002 00000004 000a0033 cd", wire.FrameEndWrong,
			"type 1, all octets = <<0,10,0,51>>: {invalid_frame_end_marker,205}",
		},
		"wrong end octet of a text": {
			"03 0002 00000005 'hello' 00", wire.FrameEndWrong,
			`type 3, all octets = <<"hello">>: {invalid_frame_end_marker,0}`,
		},
		"unknown type": {
			"04 0002 00000000 ce", wire.FrameTypeUnknown,
			"type 4, all octets = <<>>: unknown_frame",
		},
		"unknown type with sixteen octets": {
			"00 0002 00000010 '0123456789abcdef' ce", wire.FrameTypeUnknown,
			`type 0, all octets = <<"0123456789abcdef">>: unknown_frame`,
		},
		"unknown type with many octets": {
			"ff 0002 00000011 '0123456789abcdefg' ce", wire.FrameTypeUnknown,
			`type 255, first 16 octets = <<"0123456789abcdef">>: unknown_frame`,
		},
		"unknown type and a quote": {
			"04 0002 00000003 615c22 ce", wire.FrameTypeUnknown,
			`type 4, all octets = <<"a\\\"">>: unknown_frame`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			octets := parseOctets(c.octets)
			_, size, err := wire.ParseFrame(octets, wire.FrameMinMax)
			require.Zero(t, size)
			var bad *wire.FrameError
			require.ErrorAs(t, err, &bad)
			require.Equal(t, c.problem, bad.Problem)
			require.Equal(t, uint16(2), bad.Channel)

			clear(octets) // the error must not show the buffer, which is used again
			require.Equal(t, c.text, bad.Text())
			require.Equal(t, "wire: bad frame on channel 2: "+c.text, bad.Error())
		})
	}
}

func TestTheEndOctetIsCheckedBeforeTheType(t *testing.T) {
	_, _, err := wire.ParseFrame(parseOctets("09 0000 00000000 00"), wire.FrameMinMax)
	var bad *wire.FrameError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, wire.FrameEndWrong, bad.Problem)
}

func TestProtocolHeadersOfAMQP091(t *testing.T) {
	require.Equal(t, parseOctets("'AMQP' 00 00 09 01"), []byte(wire.ProtocolHeader))
	for header, accepted := range map[string]bool{
		"AMQP\x00\x00\x09\x01": true,
		"AMQP\x01\x01\x00\x09": true, // 0-9
		"AMQP\x03\x01\x00\x00": false,
		"AMQP\x00\x01\x00\x00": false,
		"AMQP\x01\x01\x08\x00": false,
		"AMQP\x00\x00\x09":     false,
		"GET / HT":             false,
		"":                     false,
	} {
		require.Equal(t, accepted, wire.AcceptProtocol([]byte(header)), "%q", header)
	}
}
