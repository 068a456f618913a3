package wire_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/wire"
)

func TestContentHeadersOnTheWire(t *testing.T) {
	for _, c := range []struct {
		header wire.ContentHeader
		octets string
	}{
		{wire.ContentHeader{Properties: wire.RawProperties{0, 0}}, "003c 0000 0000000000000000 0000"},
		{wire.ContentHeader{BodySize: 1<<40 + 2, Properties: parseOctets("1000 02")}, "003c 0000 0000010000000002 1000 02"},
	} {
		octets := parseOctets(c.octets)
		require.Equal(t, append([]byte("-"), octets...), c.header.Append([]byte("-")))
		h, err := wire.ParseContentHeader(octets)
		require.NoError(t, err)
		require.Equal(t, c.header, h)
		for n := range octets {
			_, err := wire.ParseContentHeader(octets[:n])
			require.Equal(t, wire.ErrTruncated, err, "%d octets", n)
		}
		_, err = wire.ParseContentHeader(append(octets, 0))
		require.Equal(t, wire.ErrTrailing, err)
	}
	require.Equal(t, parseOctets("003c 0000 0000000000000007 0000"), wire.ContentHeader{BodySize: 7}.Append(nil),
		"nil properties have no property set")
}

func TestBadContentHeaders(t *testing.T) {
	for octets, want := range map[string]error{
		"0032 0000 0000000000000000 0000":                   wire.ClassError(50),
		"003c 0001 0000000000000000 0000":                   wire.ErrWeight,
		"003c 0000 0000000000000000 0001":                   wire.ErrPropertyFlags,
		"003c 0000 0000000000000000 2000 00000003 01'a''?'": wire.TagError('?'),
	} {
		_, err := wire.ParseContentHeader(parseOctets(octets))
		require.Equal(t, want, err, octets)
	}
	require.EqualError(t, wire.ClassError(50), "wire: content header of class 50")
}

func TestMethodsWithContentAsFrames(t *testing.T) {
	props := wire.RawProperties(parseOctets("1000 02"))
	body := []byte("hello")
	content := "02 0007 0000000f 003c 0000 0000000000000005 1000 02 ce 03 0007 00000005 'hello' ce"
	for name, c := range map[string]struct {
		appended []byte
		method   string
	}{
		"publish": {
			wire.AppendPublish([]byte("-"), 7, &wire.BasicPublish{RoutingKey: []byte("k")}, props, body, 4096),
			"01 0007 0000000a 003c 0028 0000 00 01'k' 00 ce",
		},
		"deliver": {
			wire.AppendDeliver([]byte("-"), 7, &wire.BasicDeliver{ConsumerTag: []byte("t"), DeliveryTag: 1, RoutingKey: []byte("k")}, props, body, 4096),
			"01 0007 00000012 003c 003c 01't' 0000000000000001 00 00 01'k' ce",
		},
		"get-ok": {
			wire.AppendGetOk([]byte("-"), 7, &wire.BasicGetOk{DeliveryTag: 1, RoutingKey: []byte("k")}, props, body, 4096),
			"01 0007 00000014 003c 0047 0000000000000001 00 00 01'k' 00000000 ce",
		},
		"return": {
			wire.AppendReturn([]byte("-"), 7, &wire.BasicReturn{ReplyCode: 312, ReplyText: []byte("NO_ROUTE"), RoutingKey: []byte("k")}, props, body, 4096),
			"01 0007 00000012 003c 0032 0138 08'NO_ROUTE' 00 01'k' ce",
		},
	} {
		require.Equal(t, parseOctets("'-'"+c.method+content), c.appended, name)
	}
}

func TestBodiesAreSplitAtFrameMax(t *testing.T) {
	for size, want := range map[int][]int{
		0:        nil, // no body frame at all
		1:        {1},
		4087:     {4087},
		4088:     {4088},
		4089:     {4088, 1},
		2 * 4088: {4088, 4088},
		10000:    {4088, 4088, 10000 - 2*4088},
	} {
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(i)
		}
		for _, frameMax := range []uint32{4096, 0} { // too small a frame_max counts as the smallest
			b := wire.AppendContent(nil, 9, nil, body, frameMax)
			f, n, err := wire.ParseFrame(b, 4096-8) // without the tolerance
			require.NoError(t, err)
			require.Equal(t, wire.FrameHeader, f.Type)
			h, err := wire.ParseContentHeader(f.Payload)
			require.NoError(t, err)
			require.Equal(t, uint64(size), h.BodySize)

			var sizes []int
			var got []byte
			for b = b[n:]; len(b) > 0; b = b[n:] {
				f, n, err = wire.ParseFrame(b, 4096-8)
				require.NoError(t, err)
				require.Equal(t, wire.FrameBody, f.Type)
				require.Equal(t, uint16(9), f.Channel)
				sizes = append(sizes, len(f.Payload))
				got = append(got, f.Payload...)
			}
			require.Equal(t, want, sizes)
			require.True(t, bytes.Equal(body, got))
		}
	}
}

func TestContentGrowsABufferByWhatItNeeds(t *testing.T) {
	for _, size := range []int{0, 1, 4088, 4089, 100000} {
		for _, props := range []wire.RawProperties{nil, parseOctets("1000 02")} {
			want := wire.AppendContent(nil, 1, props, make([]byte, size), 4096)
			exact := make([]byte, 0, len(want))
			got := wire.AppendContent(exact, 1, props, make([]byte, size), 4096)
			require.Equal(t, want, got)
			require.Same(t, &exact[:1][0], &got[0], "a buffer with room is used, %d octets", size)
		}
	}
}
