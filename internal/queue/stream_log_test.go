package queue

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/mailbox"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/store"
)

// filtered is a message with a filter value; empty: without one.
func filtered(value string) *message.Entry {
	if value == "" {
		return &message.Entry{}
	}
	headers := map[string]any{message.FilterHeader: value}
	return &message.Entry{Content: message.NewPublished(&message.Properties{Headers: headers})}
}

// apart gives n filter values that have marks of their own: other values may
// share one.
func apart(t *testing.T, s *stream, n int) []string {
	t.Helper()
	var values []string
	var marks uint64
	for i := 0; len(values) < n; i++ {
		require.Less(t, i, 5000, "filter values share too few marks")
		v := fmt.Sprint("value ", i)
		if m := store.Mark(v); marks&m == 0 {
			values, marks = append(values, v), marks|m
		}
	}
	return values
}

// logOf makes a log with segments of four messages with these filter values.
func logOf(s *stream, values ...string) {
	for _, v := range values {
		s.append(filtered(v), 1, segmentSize{4, math.MaxInt64, math.MaxInt64})
	}
}

func TestAMarkIsOneBitOfAFilterValue(t *testing.T) {
	require.Equal(t, uint64(1<<63), store.Mark(""), "a message without filter value has a mark of its own")
	var all uint64
	for i := range 5000 {
		m := store.Mark(fmt.Sprint(i))
		if bits.OnesCount64(m) != 1 || m == 1<<63 {
			require.Fail(t, "not one bit, or that of no filter value", "%x", m)
		}
		all |= m
	}
	require.Equal(t, uint64(1<<63-1), all, "all other bits are used")
}

func TestASegmentIsMarkedByAllItsMessages(t *testing.T) {
	s := newStream()
	v := apart(t, s, 4)
	logOf(s,
		v[0], v[0], v[0], v[0],
		v[0], v[1], "", v[2],
		"", "", "", "",
		"", "", "", v[3])
	require.Len(t, s.segments, 4)
	var got []uint64
	for _, g := range s.segments {
		got = append(got, g.marks)
	}
	require.Equal(t, []uint64{
		store.Mark(v[0]),
		store.Mark(v[0]) | store.Mark(v[1]) | store.Mark(v[2]) | 1<<63,
		1 << 63,
		store.Mark(v[3]) | 1<<63,
	}, got)
}

// TestReadersSkipSegmentsByTheirMarks puts what a reader wants into segments
// whose marks deny it: a reader that finds it there has looked.
func TestReadersSkipSegmentsByTheirMarks(t *testing.T) {
	s := newStream()
	v := apart(t, s, 3)
	logOf(s,
		v[0], v[0], v[0], v[0], // 0
		"", "", "", v[0], // 4
		v[1], v[1], v[1], v[1], // 8
		v[1], v[2], v[0], "") // 12
	readAll := func(wanted ...string) (offsets []uint64) {
		r := readerOf(s, wanted...)
		for s.read(r) != nil {
			offsets = append(offsets, r.next)
			r.next++
		}
		require.Equal(t, s.next, r.next, "it is at the end")
		return offsets
	}
	require.Equal(t, []uint64{13}, readAll(v[2]))
	require.Equal(t, []uint64{4, 5, 6, 15}, readAll(""))
	require.Equal(t, []uint64{8, 9, 10, 11, 12, 13}, readAll(v[1], v[2]))

	s.segments[0].filters[1] = v[2]
	s.segments[1].filters[1] = v[2]
	s.segments[2].filters[1] = v[2]
	require.Equal(t, []uint64{13}, readAll(v[2]), "the first three segments are not looked at")
	s.segments[0].filters[2] = ""
	s.segments[2].filters[2] = ""
	require.Equal(t, []uint64{4, 6, 15}, readAll(""), "nor those without a message that has no filter value")
}

// readerOf makes a reader at the beginning of a log, as Queue.attach does.
func readerOf(s *stream, wanted ...string) *Reader {
	filter := map[string]struct{}{}
	for _, v := range wanted {
		filter[v] = struct{}{}
	}
	q := &Queue{stream: s}
	c := &Consumer{queue: q, reader: NewReader(Start{From: FromFirst}, filter)}
	q.attach(c) // it has no room, so it gets nothing
	return c.reader
}

// taker is the sink of a consumer that takes all it gets.
type taker struct{ offsets []uint64 }

func (t *taker) Accepted()                        {}
func (t *taker) Cancelled(error) *mailbox.Mailbox { return nil }
func (t *taker) Deliver(it message.Item) *mailbox.Mailbox {
	t.offsets = append(t.offsets, it.Pos)
	return nil
}

type noHost struct{}

func (noHost) DeadLetter(*Queue, *Lost, *Letters) bool { return true }
func (noHost) Expired(*Queue)                          {}
func (noHost) WhenDeclared(f func())                   { f() }

// newTestStream makes a stream with rules, or without for nil.
func newTestStream(r *Rules) *Queue {
	shared := &Shared{Clock: clock.Start()}
	shared.Memory.Init(-1, false, nil)
	q := &Queue{}
	q.Init("stream", noHost{}, shared, &Options{Stream: true, Rules: r})
	return q
}

// TestNoWantedMessageIsSkipped compares what readers get with what they want,
// of random filter values, more than there are marks.
func TestNoWantedMessageIsSkipped(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		r := NoRules()
		r.SegmentBytes = minSegmentBytes
		q := newTestStream(&r)
		value := func(kinds int) string {
			if n := rng.IntN(kinds); n > 0 {
				return fmt.Sprint("value ", n)
			}
			return ""
		}
		filter := map[string]struct{}{}
		for range 1 + rng.IntN(3) {
			filter[value(20)] = struct{}{}
		}
		read := func() *taker {
			sink := &taker{}
			c := NewConsumer(q, sink, &ConsumerOptions{Direct: true, NoAck: true, Reader: NewReader(Start{From: FromFirst}, filter)})
			require.NoError(t, q.Add(c))
			return sink
		}
		early := read() // it gets the messages as they come
		var want []uint64
		run := ""
		for i := range uint64(500) {
			if rng.IntN(8) == 0 { // runs, so that segments differ
				run = value(100)
			}
			if _, ok := filter[run]; ok {
				want = append(want, i)
			}
			e := filtered(run)
			e.Body = make([]byte, 200)
			taken, err := q.Push(&message.Publishing{Entry: *e})
			require.NoError(t, err)
			require.True(t, taken)
		}
		require.Greater(t, len(q.stream.segments), 50)
		require.Equal(t, want, early.offsets, "seed %d", seed)
		require.Equal(t, want, read().offsets, "seed %d", seed)
	}
}

func TestSizeOfSegmentsFollowsTheLimits(t *testing.T) {
	rules := func(set func(r *Rules)) *Rules {
		r := NoRules()
		set(&r)
		return &r
	}
	usual := segmentSize{256, 1 << 20, math.MaxInt64}
	for _, tt := range []struct {
		rules *Rules
		want  segmentSize
	}{
		{nil, usual},
		{rules(func(*Rules) {}), usual},
		{rules(func(r *Rules) { r.MaxLength = 0 }), segmentSize{1, 1 << 20, math.MaxInt64}},
		{rules(func(r *Rules) { r.MaxLength = 80 }), segmentSize{10, 1 << 20, math.MaxInt64}},
		{rules(func(r *Rules) { r.MaxLength = 1 << 40 }), usual},
		{rules(func(r *Rules) { r.MaxBytes = 800 }), segmentSize{256, 100, math.MaxInt64}},
		{rules(func(r *Rules) { r.MaxBytes, r.SegmentBytes = 800, 1 }), segmentSize{256, 1 << 10, math.MaxInt64}},
		{rules(func(r *Rules) { r.SegmentBytes = 1 << 30 }), segmentSize{256, 1 << 30, math.MaxInt64}},
		{rules(func(r *Rules) { r.MaxAge = 8 * time.Second }), segmentSize{256, 1 << 20, int64(time.Second)}},
	} {
		require.Equal(t, tt.want, tt.rules.segmentSize(), "%+v", tt.rules)
	}
}

// TestLogFindsOffsetsAndTimes compares both searches with a look at all records.
func TestLogFindsOffsetsAndTimes(t *testing.T) {
	s := newStream()
	for i := range int64(50) {
		s.append(&message.Entry{}, 10+i/3*10, segmentSize{7, math.MaxInt64, math.MaxInt64})
	}
	s.shift()
	require.Equal(t, uint64(7), s.first())
	for offset := s.first(); offset < s.next; offset++ {
		g := s.segments[s.segmentOf(offset)]
		require.True(t, g.first <= offset && offset < g.first+uint64(len(g.records)), offset)
	}
	for at := range int64(200) {
		want := s.next
		for _, g := range slices.Backward(s.segments) {
			for i := range slices.Backward(g.records) {
				if g.records[i].at >= at {
					want = g.first + uint64(i)
				}
			}
		}
		require.Equal(t, want, s.since(at), at)
	}
}
