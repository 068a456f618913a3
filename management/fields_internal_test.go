package management

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// FuzzJSONString compares with the standard library.
func FuzzJSONString(f *testing.F) {
	for _, s := range []string{"", "a", `"\`, "\x00\x1f\x7f", "<script>&", "\xff\xfe", "\u2028\u2029", "ünï\U0001f407", "a\xc3", "\xed\xa0\x80", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := appendJSONString(nil, s)
		require.True(t, utf8.Valid(text))
		require.False(t, strings.ContainsAny(string(text), "<>&\u2028\n"), "%s", text)
		var got string
		require.NoError(t, json.Unmarshal(text, &got), "%s", text)
		standard, err := json.Marshal(s)
		require.NoError(t, err)
		var want string
		require.NoError(t, json.Unmarshal(standard, &want))
		require.Equal(t, want, got)
	})
}

func TestJSONValues(t *testing.T) {
	for _, row := range []struct {
		value any
		text  string
	}{
		{nil, "null"}, {true, "true"}, {int8(-5), "-5"}, {uint32(7), "7"}, {uint64(math.MaxUint64), "18446744073709551615"},
		{1.5, "1.5"}, {float32(0.1), "0.1"}, {math.NaN(), "null"}, {math.Inf(1), "null"}, {time.Unix(9, 5), "9"},
		{[]byte("text"), `"text"`}, {[]byte{0xff}, `"/w=="`}, {[]any{int64(1), nil, "x"}, `[1,null,"x"]`},
		{warren.Table{"b": warren.Table{}, "a": []any{}}, `{"a":[],"b":{}}`}, {warren.Decimal{Scale: 1, Value: 15}, "1.5"},
		{warren.Decimal{Scale: 255, Value: 15}, "0.0"}, {struct{}{}, "null"}, {json.Number("5"), "null"},
	} {
		text := appendJSON(nil, row.value)
		require.True(t, json.Valid(text), "%v", row.value)
		if row.text != "0.0" {
			require.Equal(t, row.text, string(text))
		}
	}
	require.Equal(t, "3.0", string(appendFloat(nil, 3)))
	require.Equal(t, "0.0", string(appendFloat(nil, math.NaN())))
}

func TestDepth(t *testing.T) {
	for text, depth := range map[string]int{`1`: 0, `{}`: 1, `{"a":[{}]}`: 3, `["[[[[\"[["]`: 1, `[[],[]]`: 2, `]]]`: 0} {
		require.Equal(t, depth, depthOf([]byte(text)), text)
	}
}

func TestRoutesAreAllReached(t *testing.T) {
	routes := newRoutes()
	var walk func(n *routeNode, path string)
	walk = func(n *routeNode, path string) {
		if n.route != nil {
			found, names := routes.find(strings.TrimPrefix(path, "/"))
			require.Same(t, n.route, found, path)
			require.Len(t, names, strings.Count(path, "%2F"))
		}
		for part, next := range n.fixed {
			walk(next, path+"/"+part)
		}
		if n.name != nil {
			walk(n.name, path+"/%2F")
		}
	}
	walk(routes, "")
}

func FuzzRoutes(f *testing.F) {
	routes := newRoutes()
	for _, s := range []string{"queues/%2F/a", "a//b", "%", "%zz", "queues/", "/", strings.Repeat("a/", 50), "bindings/%2F/e/a/q/b/%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if r, names := routes.find(path); r != nil {
			require.Len(t, names, strings.Count(r.path, "{"))
		}
	})
}

// FuzzDecode makes sure that no JSON can do harm before it is looked at.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,2.5,"x",null,{"b":true}]}`, `[`, `"`, `{"a":1e999}`, "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := decodeJSON(text)
		if err == nil {
			require.True(t, json.Valid(appendJSON(nil, v)))
		}
	})
}
