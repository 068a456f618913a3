package wire_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/wire"
)

// propertyCases has every property on its own: as Go value, flag, octets and
// what Get gives of them.
var propertyCases = []struct {
	flag   wire.Property
	props  wire.Properties
	octets string
	value  string
}{
	{wire.ContentType, wire.Properties{ContentType: "text/plain"}, "8000 0a'text/plain'", "'text/plain'"},
	{wire.ContentEncoding, wire.Properties{ContentEncoding: "gzip"}, "4000 04'gzip'", "'gzip'"},
	{wire.Headers, wire.Properties{Headers: wire.Table{"a": nil}}, "2000 00000003 01'a''V'", "01'a''V'"},
	{wire.Headers, wire.Properties{Headers: wire.Table{}}, "2000 00000000", ""},
	{wire.DeliveryMode, wire.Properties{DeliveryMode: 2}, "1000 02", "02"},
	{wire.Priority, wire.Properties{Priority: 9}, "0800 09", "09"},
	{wire.CorrelationId, wire.Properties{CorrelationId: "42"}, "0400 02'42'", "'42'"},
	{wire.ReplyTo, wire.Properties{ReplyTo: "amq.direct.reply-to"}, "0200 13'amq.direct.reply-to'", "'amq.direct.reply-to'"},
	{wire.Expiration, wire.Properties{Expiration: "60000"}, "0100 05'60000'", "'60000'"},
	{wire.MessageId, wire.Properties{MessageId: "m"}, "0080 01'm'", "'m'"},
	{wire.Timestamp, wire.Properties{Timestamp: time.Unix(258, 0).UTC()}, "0040 0000000000000102", "0000000000000102"},
	{wire.Type, wire.Properties{Type: "t"}, "0020 01't'", "'t'"},
	{wire.UserId, wire.Properties{UserId: "guest"}, "0010 05'guest'", "'guest'"},
	{wire.AppId, wire.Properties{AppId: "app"}, "0008 03'app'", "'app'"},
	{wire.ClusterId, wire.Properties{ClusterId: "c"}, "0004 01'c'", "'c'"},
}

// allProperties has every property set.
var (
	allProperties = wire.Properties{
		ContentType: "text/plain", ContentEncoding: "gzip", Headers: wire.Table{"a": nil}, DeliveryMode: 2, Priority: 9,
		CorrelationId: "42", ReplyTo: "amq.direct.reply-to", Expiration: "60000", MessageId: "m", Timestamp: time.Unix(258, 0).UTC(),
		Type: "t", UserId: "guest", AppId: "app", ClusterId: "c",
	}
	allPropertiesOctets = `fffc 0a'text/plain' 04'gzip' 00000003 01'a''V' 02 09 02'42' 13'amq.direct.reply-to' 05'60000' 01'm'
		0000000000000102 01't' 05'guest' 03'app' 01'c'`
)

func TestPropertiesOnTheWire(t *testing.T) {
	check := func(p wire.Properties, octets string) {
		raw := wire.RawProperties(parseOctets(octets))
		require.Equal(t, append([]byte("-"), raw...), p.Append([]byte("-")))
		require.NoError(t, raw.Check())
		parsed := wire.Properties{AppId: "forgotten"}
		require.NoError(t, parsed.Parse(raw))
		require.Equal(t, p, parsed)

		for n := range raw {
			require.Equal(t, wire.ErrTruncated, raw[:n].Check(), "%s, %d octets", octets, n)
			require.Equal(t, wire.ErrTruncated, parsed.Parse(raw[:n]), "%s, %d octets", octets, n)
		}
		longer := append(raw, 0)
		require.Equal(t, wire.ErrTrailing, longer.Check())
		require.Equal(t, wire.ErrTrailing, parsed.Parse(longer))
		cut, rest, err := wire.CutProperties(append(longer, "rest"...))
		require.NoError(t, err)
		require.Equal(t, raw, cut)
		require.Equal(t, "\x00rest", string(rest))
	}
	check(wire.Properties{}, "0000")
	check(allProperties, allPropertiesOctets)
	for _, c := range propertyCases {
		check(c.props, c.octets)
	}
}

func TestSinglePropertiesAreFoundWithoutParsing(t *testing.T) {
	all := wire.RawProperties(parseOctets(allPropertiesOctets))
	for _, c := range propertyCases {
		raw := wire.RawProperties(parseOctets(c.octets))
		value, ok := raw.Get(c.flag)
		require.True(t, ok, c.octets)
		require.Equal(t, string(parseOctets(c.value)), string(value))
		require.True(t, raw.Has(c.flag))

		if c.value != "" {
			value, ok = all.Get(c.flag)
			require.True(t, ok, c.octets)
			require.Equal(t, string(parseOctets(c.value)), string(value))
		}
		for _, other := range propertyCases {
			if other.flag != c.flag {
				_, ok := raw.Get(other.flag)
				require.False(t, ok)
				require.False(t, raw.Has(other.flag))
			}
		}
		for n := range raw {
			_, ok := raw[:n].Get(c.flag)
			require.False(t, ok, "%s, %d octets", c.octets, n)
		}
	}
	require.Equal(t, uint8(2), all.DeliveryMode())
	require.Zero(t, wire.RawProperties(nil).DeliveryMode())
	require.False(t, wire.RawProperties(nil).Has(wire.ReplyTo))
}

func TestOnePropertyIsReplacedAndTheOthersStay(t *testing.T) {
	all := wire.RawProperties(parseOctets(allPropertiesOctets))
	for _, c := range propertyCases {
		value := append(parseOctets(c.value), " and more"...)
		switch c.flag {
		case wire.Headers:
			value = parseOctets("02'bb''V' 02'cc''V'")
		case wire.DeliveryMode, wire.Priority:
			value = []byte{1}
		case wire.Timestamp:
			value = parseOctets("0000000000000001")
		}
		appended := all.AppendWith([]byte("-"), c.flag, value)
		require.Equal(t, byte('-'), appended[0])
		replaced := wire.RawProperties(appended[1:])
		require.NoError(t, replaced.Check())
		for _, other := range propertyCases {
			want, _ := all.Get(other.flag)
			if other.flag == c.flag {
				want = value
			}
			got, ok := replaced.Get(other.flag)
			require.True(t, ok)
			require.Equal(t, string(want), string(got))
		}
	}
	require.Equal(t, parseOctets(allPropertiesOctets), []byte(all), "the original is as it was")
}

func TestAPropertyThatIsNotSetIsAdded(t *testing.T) {
	for _, c := range propertyCases {
		for _, empty := range []wire.RawProperties{nil, {0, 0}} {
			require.Equal(t, string(parseOctets(c.octets)), string(empty.AppendWith(nil, c.flag, parseOctets(c.value))))
		}
	}
	between := wire.RawProperties(parseOctets("8004 01'a' 01'z'"))
	require.Equal(t, parseOctets("8204 01'a' 02'me' 01'z'"), between.AppendWith(nil, wire.ReplyTo, []byte("me")))
}

func TestAReplacedShortStringIsCut(t *testing.T) {
	raw := wire.RawProperties(nil).AppendWith(nil, wire.ReplyTo, []byte(strings.Repeat("a", 256)))
	require.Equal(t, append(parseOctets("0200 ff"), strings.Repeat("a", 255)...), raw)
}

func TestTheLowestTwoFlagsMustBeClear(t *testing.T) {
	for _, octets := range []string{"0001", "0002", "8003 01'a'", "fffd"} {
		raw := wire.RawProperties(parseOctets(octets))
		require.Equal(t, wire.ErrPropertyFlags, raw.Check(), octets)
		require.Equal(t, wire.ErrPropertyFlags, new(wire.Properties).Parse(raw), octets)
	}
}

func TestBadHeadersMakeBadProperties(t *testing.T) {
	for octets, want := range map[string]error{
		"2000 00000003 01'a''?'":   wire.TagError('?'),
		"2000 00000002 01'a''V'":   wire.ErrTruncated,
		"2000 00000004 01'a''V'":   wire.ErrTruncated,
		"2000 00000004 01'a''V'00": wire.ErrTruncated,
	} {
		raw := wire.RawProperties(parseOctets(octets))
		require.Equal(t, want, raw.Check(), octets)
		require.Equal(t, want, new(wire.Properties).Parse(raw), octets)
	}
	deep := nestedEntries(33)
	raw := append(parseOctets("2000 0000"), byte(len(deep)>>8), byte(len(deep)))
	require.Equal(t, wire.ErrNesting, wire.RawProperties(append(raw, deep...)).Check())
}
