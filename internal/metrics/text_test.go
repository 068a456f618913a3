package metrics

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func written(t *testing.T, families ...Family) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, WriteText(&b, families))
	return b.String()
}

func TestTextOfEachKind(t *testing.T) {
	require.Equal(t, `# HELP a_total What is counted.
# TYPE a_total counter
a_total 12345678901
# HELP b How much\nthere is: \\ and ".
# TYPE b gauge
b{x="1",y=""} 0.5
b{x="2",y="z"} -3
# HELP h A histogram.
# TYPE h histogram
h_bucket{q="q",le="0.005"} 1
h_bucket{q="q",le="100.0"} 2
h_bucket{q="q",le="1e+06"} 2
h_bucket{q="q",le="+Inf"} 3
h_sum{q="q"} 1000000000
h_count{q="q"} 3
`, written(t,
		Family{Name: "a_total", Help: "What is counted.", Kind: Counter, Samples: []Sample{{Value: 12345678901}}},
		Family{Name: "b", Help: "How much\nthere is: \\ and \".", Kind: Gauge, Labels: []string{"x", "y"}, Samples: []Sample{
			{Labels: []string{"1", ""}, Value: 0.5}, {Labels: []string{"2", "z"}, Value: -3},
		}},
		Family{Name: "none", Help: "Not there.", Kind: Gauge},
		Family{Name: "h", Help: "A histogram.", Kind: Histogram, Labels: []string{"q"}, Samples: []Sample{{
			Labels: []string{"q"}, Histogram: &Distribution{3, 1e9, []Bucket{{0.005, 1}, {100, 2}, {1e6, 2}}},
		}}},
	))
}

func TestTextEscapesLabelValues(t *testing.T) {
	for value, want := range map[string]string{
		`a"b`:                    `a\"b`,
		"a\nb":                   `a\nb`,
		`a\nb`:                   `a\\nb`,
		"<script>{}#, =":         "<script>{}#, =",
		"\xff\xfe é \xc3":        "\uFFFD é \uFFFD",
		strings.Repeat("x", 255): strings.Repeat("x", 255),
	} {
		require.Contains(t, written(t, one("m", "h", []string{"l"}, []string{value}, 1)), `m{l="`+want+`"} 1`+"\n")
	}
}

func TestTextOfNumbers(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 1: "1", -1: "-1", 1e6: "1000000", 0.25: "0.25", 1 << 60: "1.152921504606847e+18",
		math.Inf(1): "+Inf", math.Inf(-1): "-Inf",
	} {
		require.Equal(t, want, string(appendValue(nil, value)))
	}
	require.Equal(t, "NaN", string(appendValue(nil, math.NaN())))
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestTextTellsThatItCouldNotBeWritten(t *testing.T) {
	require.ErrorIs(t, WriteText(brokenWriter{}, []Family{one("m", "h", nil, nil, 1)}), errBroken)
}
