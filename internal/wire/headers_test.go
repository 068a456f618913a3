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

// rawHeaders are encoded headers, each a name of one octet with a long string of
// one octet.
func rawHeaders(entries ...string) (b []byte) {
	for _, e := range entries {
		b = append(b, 1, e[0], 'S', 0, 0, 0, 1, e[1])
	}
	return append([]byte{0, 0, 0, byte(len(b))}, b...)
}

// TestEditedPropertiesKeepTheirOctets: the order of headers, doubles of them, and
// the fourteenth property.
func TestEditedPropertiesKeepTheirOctets(t *testing.T) {
	props := func(flags uint16, parts ...string) wire.RawProperties {
		b := []byte{byte(flags >> 8), byte(flags)}
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	// content-type, headers, expiration, cluster-id
	all := props(0xA104, "\x01t", string(rawHeaders("z1", "b2", "a3", "b4")), "\x025\x30", "\x02id")
	for name, c := range map[string]struct {
		edit       wire.Edit
		from, want wire.RawProperties
	}{
		"nothing":                  {wire.Edit{}, all, all},
		"a new one is the last":    {wire.Edit{Set: []wire.Header{{Name: "n", Value: "5"}}}, all, props(0xA104, "\x01t", string(rawHeaders("z1", "b2", "a3", "b4", "n5")), "\x025\x30", "\x02id")},
		"an old one has its place": {wire.Edit{Set: []wire.Header{{Name: "a", Value: "5"}, {Name: "n", Value: "6"}}}, all, props(0xA104, "\x01t", string(rawHeaders("z1", "b2", "a5", "b4", "n6")), "\x025\x30", "\x02id")},
		"doubles are one":          {wire.Edit{Set: []wire.Header{{Name: "b", Value: "5"}}}, all, props(0xA104, "\x01t", string(rawHeaders("z1", "b5", "a3")), "\x025\x30", "\x02id")},
		"some go":                  {wire.Edit{Remove: []string{"b", "z", "q"}}, all, props(0xA104, "\x01t", string(rawHeaders("a3")), "\x025\x30", "\x02id")},
		"the expiration goes":      {wire.Edit{WithoutExpiration: true}, all, props(0xA004, "\x01t", string(rawHeaders("z1", "b2", "a3", "b4")), "\x02id")},
		"the first header":         {wire.Edit{Set: []wire.Header{{Name: "n", Value: "5"}}}, props(0x0004, "\x02id"), props(0x2004, string(rawHeaders("n5")), "\x02id")},
		"no properties":            {wire.Edit{Set: []wire.Header{{Name: "n", Value: "5"}}}, nil, props(0x2000, string(rawHeaders("n5")))},
		"nothing of nothing":       {wire.Edit{WithoutExpiration: true}, nil, props(0)},
	} {
		require.Equal(t, c.want, wire.RawProperties(c.from.AppendEdited(nil, &c.edit)), name)
		require.NoError(t, c.want.Check(), name)
		require.Equal(t, append([]byte("before"), c.want...), c.from.AppendEdited([]byte("before"), &c.edit), name)
	}
}
