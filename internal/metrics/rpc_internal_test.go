package metrics

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

func TestSumsOverHandlersOnlyGrow(t *testing.T) {
	var p past
	a := warren.HandlerInfo{Queue: "q", Tag: "a", Served: 10, Gone: 1, Errors: map[string]uint64{"x": 3}}
	b := warren.HandlerInfo{Queue: "q", Tag: "b", Served: 5, Errors: map[string]uint64{"x": 1, "y": 1}}
	sums := p.sums([]warren.HandlerInfo{a, b})
	require.EqualValues(t, 15, sums.served)
	require.Equal(t, map[string]uint64{"x": 4, "y": 1}, sums.errors)

	b.Served = 7
	sums = p.sums([]warren.HandlerInfo{b})
	require.EqualValues(t, 17, sums.served, "a has ended")
	require.EqualValues(t, 1, sums.gone)
	require.Equal(t, map[string]uint64{"x": 4, "y": 1}, sums.errors)

	sums = p.sums(nil)
	require.EqualValues(t, 17, sums.served)
	c := warren.HandlerInfo{Queue: "q", Tag: "c", Served: 1}
	sums = p.sums([]warren.HandlerInfo{c})
	require.EqualValues(t, 18, sums.served)
	require.Equal(t, map[string]uint64{"x": 4, "y": 1}, sums.errors)
	require.Len(t, p.last, 1, "nothing is kept of those that have ended but their sum")
}

func TestCodesOfErrorsAreBounded(t *testing.T) {
	var h handlerSums
	for i := range 30 {
		errors := make(map[string]uint64)
		for j := range 10 {
			errors[fmt.Sprint(i, "-", j)] = 1
		}
		h.add(&warren.HandlerInfo{Errors: errors})
	}
	require.Len(t, h.errors, maxCodes+1)
	require.EqualValues(t, 200, h.errors[otherCode])
}

func TestNamesOfGroupsStandApart(t *testing.T) {
	require.Equal(t, "rabbitmq_detailed_queue_messages", detailedName("rabbitmq_queue_messages"))
	require.Equal(t, "warren_detailed_rpc_handler_serving", detailedName("warren_rpc_handler_serving"))
	require.Equal(t, "rabbitmq_cluster_vhost_status", detailedName("rabbitmq_cluster_vhost_status"))
}

func TestCountersDoNotGoBack(t *testing.T) {
	s := make(steady)
	after := func(now float64) float64 {
		f := []Family{
			{Name: "c", Kind: Counter, Samples: []Sample{{Value: now}}},
			{Name: "g", Kind: Gauge, Samples: []Sample{{Value: now}}},
		}
		s.apply(f)
		require.InDelta(t, now, f[1].Samples[0].Value, 0, "gauges do")
		return f[0].Samples[0].Value
	}
	require.InDelta(t, 10, after(10), 0)
	require.InDelta(t, 10, after(4), 0, "6 were lost")
	require.InDelta(t, 15, after(9), 0)
	require.InDelta(t, 15, after(0), 0)
}

func TestCountersOfObjectsAreKeptWhileTheseExist(t *testing.T) {
	var s steadyObjects
	show := func(all bool, labels ...string) (values []float64) {
		list := make([][]string, len(labels))
		for i, l := range labels {
			list[i] = []string{"/", l}
		}
		for _, c := range s.of("group", 2, list, all) {
			values = append(values, c[1].next(float64(10-5*len(labels))))
		}
		return values
	}
	require.Equal(t, []float64{5}, show(true, "a"))
	require.Equal(t, []float64{5, 0}, show(true, "a", "b"), "a has lost 5")
	require.Equal(t, []float64{5}, show(false, "c"))
	require.Len(t, s.groups["group"], 3, "only some were looked at")
	require.Equal(t, []float64{10}, show(true, "a"))
	require.Len(t, s.groups["group"], 1)
}
