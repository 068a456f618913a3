package wire_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/wire"
)

// valueCases has every type of value with its octets. Of what is only read or
// only written the other direction is empty.
var valueCases = []struct {
	read    any // what the octets mean
	written any // what makes the octets
	octets  string
}{
	{nil, nil, "'V'"},
	{true, true, "'t' 01"},
	{false, false, "'t' 00"},
	{true, readOnly, "'t' ff"},
	{int8(-2), int8(-2), "'b' fe"},
	{uint8(254), uint8(254), "'B' fe"},
	{int16(-2), int16(-2), "'s' fffe"},
	{int16(-2), readOnly, "'U' fffe"},
	{uint16(0xfffe), uint16(0xfffe), "'u' fffe"},
	{int32(-2), int32(-2), "'I' fffffffe"},
	{uint32(0xfffffffe), uint32(0xfffffffe), "'i' fffffffe"},
	{int64(-2), int64(-2), "'l' fffffffffffffffe"},
	{int64(-2), int(-2), "'l' fffffffffffffffe"},
	{int64(-2), readOnly, "'L' fffffffffffffffe"},
	{float32(1.5), float32(1.5), "'f' 3fc00000"},
	{float64(-2), float64(-2), "'d' c000000000000000"},
	{math.Inf(1), math.Inf(1), "'d' 7ff0000000000000"},
	{wire.Decimal{Scale: 2, Value: 314}, wire.Decimal{Scale: 2, Value: 314}, "'D' 02 0000013a"},
	{wire.Decimal{Scale: 255, Value: -1}, wire.Decimal{Scale: 255, Value: -1}, "'D' ff ffffffff"},
	{"text", "text", "'S' 00000004 'text'"},
	{"", "", "'S' 00000000"},
	{"\xff", "\xff", "'S' 00000001 ff"},
	{[]byte("text"), []byte("text"), "'x' 00000004 'text'"},
	{[]byte{}, []byte{}, "'x' 00000000"},
	{time.Unix(258, 0).UTC(), time.Unix(258, 999), "'T' 0000000000000102"},
	{time.Unix(-1, 0).UTC(), time.Unix(-1, 0), "'T' ffffffffffffffff"},
	{[]any{}, []any{}, "'A' 00000000"},
	{[]any{true, "a", []any{nil}}, []any{true, "a", []any{nil}}, "'A' 0000000e 't'01 'S'00000001'a' 'A'00000001'V'"},
	{wire.Table{}, wire.Table{}, "'F' 00000000"},
	{wire.Table{}, wire.Table(nil), "'F' 00000000"},
	{wire.Table{"a": nil, "b": wire.Table{"": int8(1)}}, wire.Table{"a": nil, "b": wire.Table{"": int8(1)}},
		"'F' 0000000d 01'a''V' 01'b''F'00000003 00'b'01"},
}

// readOnly stands for what no value is written as.
var readOnly = struct{}{}

func TestFieldValuesOnTheWire(t *testing.T) {
	for _, c := range valueCases {
		t.Run(c.octets, func(t *testing.T) {
			entries := append(parseOctets("03'key'"), parseOctets(c.octets)...)
			require.NoError(t, wire.CheckTable(entries))
			table, err := wire.ParseTable(entries)
			require.NoError(t, err)
			require.Equal(t, wire.Table{"key": c.read}, table)

			if c.written != readOnly {
				want := append([]byte{'-', 0, 0, 0, byte(len(entries))}, entries...)
				require.Equal(t, want, wire.AppendTable([]byte("-"), wire.Table{"key": c.written}))
			}
			for n := 1; n < len(entries); n++ {
				require.Equal(t, wire.ErrTruncated, wire.CheckTable(entries[:n]), "%d octets", n)
				_, err := wire.ParseTable(entries[:n])
				require.Equal(t, wire.ErrTruncated, err, "%d octets", n)
			}
		})
	}
}

func TestAllOtherTagsAreUnknown(t *testing.T) {
	const known = "tbBsuUIilLfdDSxATFV"
	for tag := range 256 {
		entries := append([]byte{1, 'k', byte(tag)}, make([]byte, 8)...)
		_, err := wire.ParseTable(entries)
		if strings.IndexByte(known, byte(tag)) >= 0 {
			require.NotErrorIs(t, err, wire.TagError(tag))
			continue
		}
		require.Equal(t, wire.TagError(tag), err)
		require.Equal(t, wire.TagError(tag), wire.CheckTable(entries))
	}
}

func TestEntriesAreWrittenInTheOrderOfTheirKeys(t *testing.T) {
	table := wire.Table{"c": nil, "a": nil, "": nil, "b": nil, "B": nil}
	for range 10 {
		require.Equal(t, parseOctets("0000000e 00'V' 01'B''V' 01'a''V' 01'b''V' 01'c''V'"), wire.AppendTable(nil, table))
	}
}

func TestOfEntriesWithTheSameKeyTheFirstCounts(t *testing.T) {
	table, err := wire.ParseTable(parseOctets("01'a''b'01 01'b''V' 01'a''b'02"))
	require.NoError(t, err)
	require.Equal(t, wire.Table{"a": int8(1), "b": nil}, table)
}

func TestTablesShareNothingWithTheirOctets(t *testing.T) {
	entries := parseOctets("01'a' 'S' 00000001'1' 01'b' 'x' 00000001'2'")
	table, err := wire.ParseTable(entries)
	require.NoError(t, err)
	clear(entries)
	require.Equal(t, wire.Table{"a": "1", "b": []byte("2")}, table)
}

func TestTablesNestAtMost32Deep(t *testing.T) {
	require.NoError(t, wire.CheckTable(nestedEntries(32)))
	table, err := wire.ParseTable(nestedEntries(32))
	require.NoError(t, err)
	require.Equal(t, nestedEntries(32), wire.AppendTable(nil, table)[4:])

	require.Equal(t, wire.ErrNesting, wire.CheckTable(nestedEntries(33)))
	_, err = wire.ParseTable(nestedEntries(33))
	require.Equal(t, wire.ErrNesting, err)
	require.Equal(t, wire.ErrNesting, wire.CheckTable(nestedEntries(5000)))

	arrays := func(levels int) []byte { // a table that is one level itself
		var v []byte
		for range levels - 1 {
			v = append([]byte{'A', 0, 0, 0, byte(len(v))}, v...)
		}
		return append([]byte{0}, v...)
	}
	require.NoError(t, wire.CheckTable(arrays(32)))
	_, err = wire.ParseTable(arrays(32))
	require.NoError(t, err)
	require.Equal(t, wire.ErrNesting, wire.CheckTable(arrays(33)))
	_, err = wire.ParseTable(arrays(33))
	require.Equal(t, wire.ErrNesting, err)
}

func TestWhatATableCannotCarryBecomesVoid(t *testing.T) {
	type custom int
	require.Equal(t, parseOctets("00000006 01'a''V' 01'b''V'"), wire.AppendTable(nil, wire.Table{"a": custom(1), "b": uint64(1)}))

	long := strings.Repeat("k", 256)
	require.Equal(t, append(parseOctets("00000101 ff"), long[:255]+"V"...), wire.AppendTable(nil, wire.Table{long: nil}))

	loop := wire.Table{}
	loop["k"] = loop
	octets := wire.AppendTable(nil, loop)
	require.NoError(t, wire.CheckTable(octets[4:]))
	array := []any{nil}
	array[0] = array
	octets = wire.AppendTable(nil, wire.Table{"k": array})
	require.NoError(t, wire.CheckTable(octets[4:]))
}

func TestAnnouncedLengthsAllocateNothing(t *testing.T) {
	for _, tag := range "SxAF" {
		entries := parseOctets("01'k'")
		entries = append(entries, byte(tag), 0xff, 0xff, 0xff, 0xff, 'x')
		_, err := wire.ParseTable(entries)
		require.Equal(t, wire.ErrTruncated, err)
		require.Equal(t, wire.ErrTruncated, wire.CheckTable(entries))
	}
}

func TestCheckTableAllocatesNothing(t *testing.T) {
	octets := wire.AppendTable(nil, wire.Table{"a": "text", "b": []any{1, "x", wire.Table{"c": 1.5}}})
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if err := wire.CheckTable(octets[4:]); err != nil {
			t.Fatal(err)
		}
	}))
}
