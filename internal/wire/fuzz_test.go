package wire_test

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/wire"
)

// seedTraffic gives the frames of one type of all that clients have said.
func seedTraffic(f *testing.F, kind wire.FrameType, add func(payload []byte)) {
	for _, said := range recordedTraffic(f) {
		for _, frame := range framesOf(f, said) {
			if frame.Type == kind {
				add(frame.Payload)
			}
		}
	}
}

// FuzzFrames: a reader and ParseFrame find the same frames in any octets, and
// these make the same octets again.
func FuzzFrames(f *testing.F) {
	f.Add(frameOctets(bodyFrame(1, 0), bodyFrame(2, 5)))
	f.Add(wire.AppendHeartbeat(nil))
	f.Add(wire.AppendDeliver(nil, 1, &wire.BasicDeliver{RoutingKey: []byte("k")}, nil, []byte("body"), 4096))
	f.Add(parseOctets("01 0001 ffffffff"))
	f.Add(parseOctets("01 0001 00000001 00 cd"))
	f.Add(parseOctets("04 0001 00000000 ce"))
	for _, said := range recordedTraffic(f) {
		f.Add(said[8:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewFrameReader(iotest.HalfReader(bytes.NewReader(b)), make([]byte, 16))
		r.SetFrameMax(wire.FrameMinMax)
		for {
			want, size, wantErr := wire.ParseFrame(b, wire.FrameMinMax)
			got, err := r.Next()
			switch {
			case wantErr != nil:
				require.Equal(t, wantErr, err)
				return
			case size == 0:
				if len(b) == 0 {
					require.Equal(t, io.EOF, err)
				} else {
					require.Equal(t, io.ErrUnexpectedEOF, err)
				}
				return
			}
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Equal(t, b[:size], wire.AppendFrame(nil, got))
			b = b[size:]
		}
	})
}

// FuzzMethods: what can be parsed makes octets that mean the same.
func FuzzMethods(f *testing.F) {
	for _, c := range methodCases {
		f.Add(c.method.Append(nil))
	}
	seedTraffic(f, wire.FrameMethod, func(payload []byte) { f.Add(payload) })
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMethod(b)
		if err != nil {
			require.Nil(t, m)
			require.ErrorAs(t, err, new(*wire.MethodError))
			return
		}
		again := m.Append(nil)
		m, err = parseMethod(again)
		require.NoError(t, err)
		require.Equal(t, again, m.Append(nil))
	})
}

// FuzzTables: checking and parsing agree, and what can be parsed makes octets
// that mean the same.
func FuzzTables(f *testing.F) {
	for _, c := range valueCases {
		f.Add(append([]byte{1, 'k'}, parseOctets(c.octets)...))
	}
	f.Add(nestedEntries(32))
	f.Add(nestedEntries(33))
	seedTraffic(f, wire.FrameHeader, func(payload []byte) {
		h, err := wire.ParseContentHeader(payload)
		require.NoError(f, err)
		if headers, ok := h.Properties.Get(wire.Headers); ok {
			f.Add(headers)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := wire.ParseTable(b)
		require.Equal(t, err, wire.CheckTable(b))
		if err != nil {
			require.Nil(t, table)
			return
		}
		again := wire.AppendTable(nil, table)
		table, err = wire.ParseTable(again[4:])
		require.NoError(t, err)
		require.Equal(t, again, wire.AppendTable(nil, table))
	})
}

// FuzzProperties: checking and parsing agree; every property that is set can
// be got and replaced.
func FuzzProperties(f *testing.F) {
	for _, c := range propertyCases {
		f.Add(c.props.Append(nil), "new")
	}
	f.Add(allProperties.Append(nil), "")
	seedTraffic(f, wire.FrameHeader, func(payload []byte) { f.Add(payload[12:], "amq.rabbitmq.reply-to") })
	f.Fuzz(func(t *testing.T, b []byte, value string) {
		raw := wire.RawProperties(b)
		var p wire.Properties
		err := p.Parse(raw)
		require.Equal(t, err, raw.Check())
		for flag := wire.ContentType; flag >= wire.ClusterId; flag >>= 1 {
			_, ok := raw.Get(flag)
			require.True(t, !ok || raw.Has(flag))
			require.True(t, err != nil || ok == raw.Has(flag))
		}
		replaced := raw.AppendWith(nil, wire.ReplyTo, []byte(value))
		if err != nil {
			return
		}
		require.Equal(t, b, []byte(raw.AppendEdited(nil, &wire.Edit{})), "nothing is changed")
		var edited wire.Properties
		require.NoError(t, edited.Parse(raw.AppendEdited(nil, &wire.Edit{Set: []wire.Header{{Name: "n", Value: value}}, Remove: []string{"a"}, WithoutExpiration: true})))
		require.Equal(t, value, edited.Headers["n"])
		require.NotContains(t, edited.Headers, "a")
		require.Empty(t, edited.Expiration)
		var q wire.Properties
		require.NoError(t, q.Parse(replaced))
		require.Equal(t, value[:len(q.ReplyTo)], q.ReplyTo)
		p.ReplyTo = q.ReplyTo
		require.Equal(t, p.Append(nil), q.Append(nil))
	})
}

// FuzzContentHeaders: what can be parsed makes the same octets again, and has
// properties that can be parsed, too.
func FuzzContentHeaders(f *testing.F) {
	for _, c := range propertyCases {
		f.Add(wire.ContentHeader{BodySize: 5, Properties: c.props.Append(nil)}.Append(nil))
	}
	f.Add(parseOctets("0032 0000 0000000000000000 0000"))
	seedTraffic(f, wire.FrameHeader, func(payload []byte) { f.Add(payload) })
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := wire.ParseContentHeader(b)
		if err != nil {
			require.Zero(t, h)
			return
		}
		require.Equal(t, b, h.Append(nil))
		require.NoError(t, new(wire.Properties).Parse(h.Properties))
	})
}
