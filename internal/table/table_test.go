package table_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

type list = []any

// TestNarrowIsWhatWidenChanges covers all types: Check, Narrow and Widen must
// agree on which integers are narrow.
func TestNarrowIsWhatWidenChanges(t *testing.T) {
	for _, tt := range []struct {
		value  any
		narrow bool
		wide   any
	}{
		{int8(-1), true, int64(-1)}, {uint8(255), true, int64(255)}, {int16(-2), true, int64(-2)}, {uint16(65535), true, int64(65535)},
		{int32(-3), true, int64(-3)}, {uint32(1<<32 - 1), true, int64(1<<32 - 1)}, {int(-4), true, int64(-4)},
		{int64(7), false, nil}, {float32(1), false, nil}, {1.5, false, nil}, {true, false, nil}, {"7", false, nil}, {nil, false, nil},
		{[]byte{1}, false, nil}, {time.Unix(7, 0), false, nil}, {wire.Decimal{Scale: 1, Value: 7}, false, nil},
		{table.Table{"a": int64(1)}, false, nil}, {list{"a", int64(1), list{}}, false, nil}, {table.Table{}, false, nil},
		{table.Table{"a": "x", "b": int32(1)}, true, table.Table{"a": "x", "b": int64(1)}},
		{list{"a", int16(1)}, true, list{"a", int64(1)}},
		{list{table.Table{"a": list{uint8(1)}}}, true, list{table.Table{"a": list{int64(1)}}}},
	} {
		in := table.Table{"first": "x", "v": tt.value, "w": int64(1)}
		checked, p := table.Check(in)
		require.Nil(t, p, "%#v", tt.value)
		require.Equal(t, table.Checked{Narrow: tt.narrow, Size: table.Size(in)}, checked, "Check of %#v", tt.value)
		require.Equal(t, tt.narrow, table.Narrow(in), "Narrow of %#v", tt.value)
		out := table.Widen(in)
		require.False(t, table.Narrow(out), "%#v", tt.value)
		require.Equal(t, tt.value, in["v"], "the table that was given does not change")
		out["mark"] = true
		if tt.narrow {
			require.Equal(t, tt.wide, out["v"])
			require.NotContains(t, in, "mark", "it is another table")
		} else {
			require.Equal(t, tt.value, out["v"])
			require.Contains(t, in, "mark", "it is the same table: nothing is copied")
		}
	}
	require.Nil(t, table.Widen(nil))
	require.False(t, table.Narrow(nil))
}

// TestWidenSharesWhatIsWide copies only the levels that lead to a narrow
// integer.
func TestWidenSharesWhatIsWide(t *testing.T) {
	wide := table.Table{"n": int64(1)}
	in := table.Table{"wide": wide, "narrow": table.Table{"n": int8(1)}}
	out := table.Widen(in)
	wide["seen"] = true
	require.Equal(t, table.Table{"wide": wide, "narrow": table.Table{"n": int64(1)}}, out)
	require.Equal(t, table.Table{"n": int8(1)}, in["narrow"])
}

func TestCheckTellsWhatCannotTravel(t *testing.T) {
	nest := func(levels int) table.Table {
		inner := table.Table{}
		for range levels - 1 {
			inner = table.Table{"t": inner}
		}
		return inner
	}
	for _, tt := range []struct {
		t    table.Table
		code uint16
		text string
	}{
		{table.Table{strings.Repeat("k", 255): 1}, 0, ""},
		{table.Table{strings.Repeat("k", 256): 1}, wire.CodeSyntaxError, "table key of 256 bytes exceeds 255"},
		{table.Table{"a": list{table.Table{"\xff": 1}}}, wire.CodeFrameError, `Malformed UTF-8 in table key "\xff"`},
		{table.Table{"n": uint64(1)}, wire.CodeSyntaxError, "table value 'n' has type uint64, which AMQP cannot carry"},
		{table.Table{"l": list{1, []string{}}}, wire.CodeSyntaxError, "table value 'l' has type []string, which AMQP cannot carry"},
		{nest(wire.MaxNesting), 0, ""},
		{nest(wire.MaxNesting + 1), wire.CodeSyntaxError, "table nests deeper than"},
		{table.Table{"l": list{nest(wire.MaxNesting - 2)}}, 0, ""},
		{table.Table{"l": list{nest(wire.MaxNesting - 1)}}, wire.CodeSyntaxError, "table nests deeper than"},
	} {
		checked, p := table.Check(tt.t)
		if tt.code == 0 {
			require.Nil(t, p)
			continue
		}
		require.NotNil(t, p, tt.text)
		require.Zero(t, checked, tt.text)
		require.Equal(t, tt.code, p.Code, tt.text)
		require.Contains(t, p.Text, tt.text)
	}
}

// TestEqualAndCanonicalAgree: two values have the same text if they are equal,
// and only then.
func TestEqualAndCanonicalAgree(t *testing.T) {
	now := time.Unix(7, 1)
	for _, tt := range []struct {
		a, b  any
		equal bool
	}{
		{int8(1), int64(1), true}, {int64(1), 1.0, false}, {float32(0.5), 0.5, true}, {int64(1), "1", false}, {int64(1), true, false},
		{"a", []byte("a"), false}, {[]byte("a"), []byte("a"), true}, {now, time.Unix(7, 2), true}, {now, int64(7), false},
		{nil, "", false}, {nil, nil, true}, {true, "true", false}, {list{"a", "b"}, list{"b", "a"}, false}, {list{"a,b"}, list{"a", "b"}, false},
		{table.Table{"a": "x", "b": "y"}, table.Table{"b": "y", "a": "x"}, true}, {table.Table{"a": nil}, table.Table{}, false},
		{table.Table{"a": nil}, table.Table{"b": nil}, false}, {list{}, table.Table{}, false}, {"a", list{"a"}, false},
		{wire.Decimal{Scale: 1, Value: 2}, wire.Decimal{Scale: 2, Value: 1}, false},
	} {
		require.Equal(t, tt.equal, table.Equal(tt.a, tt.b), "%#v, %#v", tt.a, tt.b)
		require.Equal(t, tt.equal, table.Equal(tt.b, tt.a), "%#v, %#v", tt.b, tt.a)
		require.Equal(t, tt.equal, table.CanonicalValue(tt.a) == table.CanonicalValue(tt.b), "%#v, %#v", tt.a, tt.b)
	}
	require.False(t, table.Equal(list{int8(1)}, list{int64(1)}), "within arrays and tables types count")
	require.Empty(t, table.Canonical(nil))
	require.Empty(t, table.Canonical(table.Table{}))
}

func TestCloneJoinAndSet(t *testing.T) {
	in := table.Table{"a": 1}
	c := table.Clone(in)
	c["b"] = 2
	require.Equal(t, table.Table{"a": 1}, in)
	require.Nil(t, table.Clone(table.Table{}))
	require.Equal(t, table.Table{"a": 2, "b": 2}, table.Join(in, table.Table{"a": 2, "b": 2}), "the second one counts")

	var set table.Table
	table.Set(&set, "no", 1, false)
	require.Nil(t, set)
	table.Set(&set, "yes", 1, true)
	require.Equal(t, table.Table{"yes": 1}, set)
}

// TestTermsAreErlangs compares with texts that RabbitMQ prints.
func TestTermsAreErlangs(t *testing.T) {
	for want, v := range map[string]any{
		"undefined": nil, "<<>>": "", `<<"a">>`: []byte("a"), "7": time.Unix(7, 0), "1.0": 1.0, "0.5": float32(0.5), "true": true, "-3": int8(-3),
		`[{<<"a">>,long,1},{<<"b">>,array,[{bool,true}]}]`: table.Table{"b": list{true}, "a": int64(1)},
	} {
		require.Equal(t, want, table.Term(v))
	}
}
