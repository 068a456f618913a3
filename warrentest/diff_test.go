package warrentest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/warrentest"
)

func TestADifferenceLeavesOutWhatIsFarFromIt(t *testing.T) {
	fails(t, `warrentest: the messages are not as wanted (- wanted, + there) in queue 'q': 31 ready, 0 unacked, no consumers
  ... 7 alike
  "7"
  "8"
  "9"
+ "x"
  "10"
  "11"
  "12"
  ... 11 alike
  "24"
  "25"
  "26"
- "27"
+ "y"
  "28"
  "29"`,
		func(t testing.TB, b *warrentest.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q")
			brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 9)...)
			brokertest.Fill(t, ch, "q", "x")
			brokertest.Fill(t, ch, "q", brokertest.Numbers(10, 26)...)
			brokertest.Fill(t, ch, "q", "y", "28", "29")
			b.RequireMessages("q", brokertest.Numbers(0, 29)...)
		})
}

func TestLongListsWithNothingInCommonAreCompared(t *testing.T) {
	text := failure(t, func(t testing.TB) {
		b := warrentest.New(t)
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", brokertest.Numbers(1, 3000)...)
		b.RequireMessages("q", brokertest.Numbers(3001, 6000)...)
	})
	require.Contains(t, text, "\n- \"6000\"\n+ \"1\"\n")
}
