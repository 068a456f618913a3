package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/wire"
)

func TestATextHeaderIsFoundWithoutParsing(t *testing.T) {
	p := wire.Properties{ContentType: "text/plain", Headers: wire.Table{"a": int32(1), "b": "two", "c": wire.Table{"d": "x"}}}
	raw := wire.RawProperties(p.Append(nil))
	text, ok := raw.TextHeader("b")
	require.True(t, ok)
	require.Equal(t, "two", string(text))
	for _, name := range []string{"a", "c", "d", "", "bb"} {
		_, ok := raw.TextHeader(name)
		require.False(t, ok, name)
	}
	for n := range raw {
		_, ok := raw[:n].TextHeader("b")
		require.False(t, ok, "%d octets", n)
	}
	_, ok = wire.RawProperties(nil).TextHeader("b")
	require.False(t, ok)
}

func TestAHeaderIsSetInPlace(t *testing.T) {
	for _, p := range []wire.Properties{
		{},
		{ContentType: "text/plain"},
		{AppId: "app"},
		{Headers: wire.Table{}},
		{Headers: wire.Table{"a": "b"}},
		{Headers: wire.Table{"a": "b", "n": "was a text"}, ContentType: "text/plain", Priority: 3},
		{Headers: wire.Table{"n": int64(1)}, MessageId: "m"},
	} {
		b := p.Append([]byte("before"))
		b = wire.SetHeader(b, len("before"), "n", 7)
		require.Equal(t, "before", string(b[:6]))
		raw := wire.RawProperties(b[6:])
		require.NoError(t, raw.Check())
		want := p
		want.Headers = wire.Table{"n": int64(7)}
		if v, ok := p.Headers["a"]; ok {
			want.Headers["a"] = v
		}
		var got wire.Properties
		require.NoError(t, got.Parse(raw))
		require.Equal(t, want, got)
	}

	b := wire.SetHeader(nil, 0, "n", 7)
	require.Equal(t, parseOctets("2000 0000000b 01'n''l'0000000000000007"), b)
	first := parseOctets("2000 0000000b 01'n''S'00000001'x' 01'a''V'")
	require.Equal(t, parseOctets("2000 0000000e 01'a''V' 01'n''l'0000000000000007"), wire.SetHeader(first, 0, "n", 7))
	twice := parseOctets("2000 00000009 01'n''V' 01'a''V' 01'n''V'")
	require.Equal(t, parseOctets("2000 0000000e 01'a''V' 01'n''l'0000000000000007"), wire.SetHeader(twice, 0, "n", 7))
}

func TestSetHeaderLeavesWhatItCannotReadAlone(t *testing.T) {
	p := wire.Properties{ContentType: "text/plain", Headers: wire.Table{"a": "b"}}
	full := p.Append(nil)
	for n := 1; n < len(full); n++ {
		b := append([]byte(nil), full[:n]...)
		require.Equal(t, full[:n], wire.SetHeader(b, 0, "n", 7), "%d octets", n)
	}
}
