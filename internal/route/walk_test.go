package route

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
)

// exchangeOf makes an exchange of a type.
func exchangeOf(kind string) *Exchange {
	return &Exchange{Matcher: NewMatcher(kind, HashOn{})}
}

func withHeaders(h table.Table) message.Content {
	return message.NewPublished(&message.Properties{Headers: h})
}

// TestLongComparisonOfHeadersGivesUpTheLock: bindings with many arguments are compared
// without the topology's lock, those of the moment at which the message came.
func TestLongComparisonOfHeadersGivesUpTheLock(t *testing.T) {
	few, many := table.Table{"k": int64(1)}, table.Table{"k": int64(1)}
	for i := range 15_000 {
		many[fmt.Sprint("k", i)] = int64(i)
	}
	for name, c := range map[string]struct {
		args   table.Table
		paused int
	}{"few arguments": {few, 0}, "many arguments": {many, 1}} {
		t.Run(name, func(t *testing.T) {
			x, q, late := exchangeOf(Headers), &Queue{}, &Queue{}
			b := &Binding{BindingKey: BindingKey{Queue: q, Args: table.Canonical(c.args)}, Source: x, Args: c.args}
			Bind(b)
			top := &openTopology{}
			top.onUnlock = func() {
				Unbind(b)
				Bind(&Binding{BindingKey: BindingKey{Queue: late}, Source: x})
			}
			w := NewWalk(top)
			w.From(x, &message.Publishing{Entry: message.Entry{Content: withHeaders(c.args)}})
			require.Equal(t, c.paused, top.paused)
			require.Equal(t, []*Queue{q}, w.Queues())
		})
	}
}

// TestHeadersAreComparedByTheSmallerSide: each mode of x-match, with more arguments
// than headers and with more headers than arguments.
func TestHeadersAreComparedByTheSmallerSide(t *testing.T) {
	grown := func(h table.Table, n int, prefix string) table.Table {
		h = table.Clone(h)
		for i := range n {
			h[fmt.Sprint(prefix, i)] = int64(i)
		}
		return h
	}
	one := table.Table{"a": "1"}
	for _, c := range []struct {
		mode          string
		args, headers table.Table
		want          bool
	}{
		{"all", grown(one, 9, "b"), one, false},
		{"all", one, grown(one, 9, "b"), true},
		{"all", grown(one, 9, "b"), grown(one, 9, "b"), true},
		{"all", grown(one, 9, "x-"), one, true}, // x- does not count
		{"all-with-x", grown(one, 9, "x-"), one, false},
		{"all-with-x", grown(one, 9, "x-"), grown(one, 9, "x-"), true},
		{"any", grown(one, 9, "b"), one, true},
		{"any", one, grown(one, 9, "b"), true},
		{"any", grown(one, 9, "b"), table.Table{"a": "2"}, false},
		{"any", table.Table{"x-0": int64(0), "x-1": int64(1)}, table.Table{"x-0": int64(0)}, false},
		{"any-with-x", table.Table{"x-0": int64(0), "x-1": int64(1)}, table.Table{"x-0": int64(0)}, true},
		{"any", nil, one, false},
		{"all", nil, one, true},
		{"any", table.Table{"a": nil, "b": nil}, one, true}, // a void argument matches any value
		{"all", table.Table{"a": nil}, one, true},
	} {
		args := table.Clone(c.args)
		table.Set(&args, "x-match", c.mode, true)
		b := newHeadersBinding(&Binding{Args: args})
		require.Equal(t, c.want, b.matches(c.headers), "%s %v %v", c.mode, c.args, c.headers)
		require.False(t, newHeadersBinding(&Binding{Args: table.Table{"x-match": "any-with-x"}}).matches(table.Table{"x-match": "any-with-x"}))
	}
}

// TestLongWalkGivesUpTheLock: a walk through very many exchanges holds nobody up, and
// ends when nobody cares any more.
func TestLongWalkGivesUpTheLock(t *testing.T) {
	const many = 2*mostSteps/visitSteps + 10
	first, q := exchangeOf(Fanout), &Queue{}
	for range many {
		x := exchangeOf(Fanout)
		Bind(&Binding{BindingKey: BindingKey{Exchange: x}, Source: first})
		Bind(&Binding{BindingKey: BindingKey{Queue: q}, Source: x})
	}
	top := &openTopology{}
	w := NewWalk(top)
	w.From(first, &message.Publishing{})
	require.Equal(t, []*Queue{q}, w.Queues())
	require.GreaterOrEqual(t, top.paused, 2)
	require.LessOrEqual(t, top.paused, 4)

	top = &openTopology{over: true}
	w = NewWalk(top)
	w.From(first, &message.Publishing{})
	require.Equal(t, 1, top.paused, "it is given up at the first look")
}

// TestWalkFindsEachDestinationOnce: queues and addresses that are found many times, in
// short lists and long ones.
func TestWalkFindsEachDestinationOnce(t *testing.T) {
	first := exchangeOf(Fanout)
	var queues []*Queue
	for range 3 * longList {
		queues = append(queues, &Queue{})
	}
	for i := range 5 {
		x := exchangeOf(Direct)
		Bind(&Binding{BindingKey: BindingKey{Exchange: x}, Source: first})
		for _, q := range queues[i*i:] {
			Bind(&Binding{BindingKey: BindingKey{Queue: q, Key: "k"}, Source: x})
		}
	}
	w := NewWalk(&openTopology{})
	for range 2 { // the second time after a Reset
		w.From(first, &message.Publishing{Entry: message.Entry{Key: "k"}, Extra: []string{"k", "other"}})
		require.ElementsMatch(t, queues, w.Queues())
		for i := range 100 {
			w.AddReply(strings.Repeat("r", i%50))
		}
		require.Len(t, w.Replies(), 50)
		w.Reset()
		require.Empty(t, w.Queues())
		require.Empty(t, w.Replies())
	}
}

// TestMessagesPassByBindingsToWhatIsGone: a deleted queue whose bindings have not been
// removed yet counts as no destination.
func TestMessagesPassByBindingsToWhatIsGone(t *testing.T) {
	for kind, key := range map[string]string{Direct: "1", Fanout: "1", Topic: "1.#", Headers: "1", ConsistentHash: "1"} {
		t.Run(kind, func(t *testing.T) {
			x, gone, stays := exchangeOf(kind), &Queue{}, &Queue{}
			for _, q := range []*Queue{gone, stays} {
				Bind(&Binding{BindingKey: BindingKey{Queue: q, Key: key}, Source: x})
			}
			gone.Gone.Store(true)
			for i := range 20 {
				p := message.Publishing{Entry: message.Entry{Key: "1"}}
				if kind == ConsistentHash {
					p.Key = fmt.Sprint(i)
				}
				w := NewWalk(&openTopology{})
				w.From(x, &p)
				require.Equal(t, []*Queue{stays}, w.Queues())
			}
			stays.Gone.Store(true)
			w := NewWalk(&openTopology{})
			w.From(x, &message.Publishing{Entry: message.Entry{Key: "1"}})
			require.Empty(t, w.Queues())
			require.False(t, w.found, "the alternate exchange gets the message")
		})
	}
}

// TestHashKeepsTheOldestBindingOfMany removes the bindings of a queue in any order: its
// weight is that of the oldest one that is left.
func TestHashKeepsTheOldestBindingOfMany(t *testing.T) {
	const many = 1000
	x, q := exchangeOf(ConsistentHash), &Queue{}
	m := x.Matcher.(*hashMatcher)
	var all []*Binding
	for i := range many {
		b := &Binding{BindingKey: BindingKey{Queue: q, Key: fmt.Sprint(i + 1)}, Source: x}
		all = append(all, b)
		Bind(b)
	}
	removed := make([]bool, many)
	for i := range many {
		n := (i * 617) % many
		removed[n] = true
		Unbind(all[n])
		oldest := 0
		for oldest < many && removed[oldest] {
			oldest++
		}
		if oldest < many {
			require.Same(t, all[oldest], m.nodes[0].binding())
			require.InDelta(t, 1/float64(oldest+1), m.nodes[0].scale, 1e-12)
		}
	}
	require.Empty(t, m.nodes)
}
