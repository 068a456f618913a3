package queue

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/message"
)

func pushTo(t *testing.T, q *Queue, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		taken, err := q.Push(&message.Publishing{Entry: message.Entry{Body: []byte(body)}})
		require.NoError(t, err)
		require.True(t, taken)
	}
}

func TestReadersStartWhereTheyWant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NoRules()
		r.MaxLength = 8 // one message in a segment
		q := newTestStream(&r)
		defer q.Close(ErrDeleted, Always)
		pushTo(t, q, "0", "1", "2", "3", "4", "5", "6", "7", "8")
		time.Sleep(time.Second)
		now := q.shared.Clock.Now()
		pushTo(t, q, "9", "10")
		for _, tt := range []struct {
			start Start
			first int // offset that is read first; 11: that of the next message
		}{
			{Start{}, 11}, {Start{From: FromFirst}, 3}, {Start{From: FromLast}, 10},
			{Start{From: FromOffset, N: 0}, 3}, {Start{From: FromOffset, N: 5}, 5}, {Start{From: FromOffset, N: 11}, 11},
			{Start{From: FromOffset, N: -1}, 10}, {Start{From: FromOffset, N: -100}, 3},
			{Start{From: FromTime, N: now}, 9}, {Start{From: FromTime, N: 1}, 3}, {Start{From: FromTime, N: now + 1}, 11},
		} {
			sink := &taker{}
			c := NewConsumer(q, sink, &ConsumerOptions{Direct: true, NoAck: true, Reader: NewReader(tt.start, nil)})
			require.NoError(t, q.Add(c))
			var want []uint64
			for offset := tt.first; offset < 11; offset++ {
				want = append(want, uint64(offset))
			}
			require.Equal(t, want, sink.offsets, "%+v", tt.start)
		}
	})
}

// TestStreamsDropWholeSegments covers length, bytes and age, and the memory
// that is given back.
func TestStreamsDropWholeSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name string
			set  func(r *Rules)
			left int
		}{
			{"length", func(r *Rules) { r.MaxLength = 16 }, 16}, // two in a segment
			{"bytes", func(r *Rules) { r.MaxBytes = 80 }, 8},    // one in a segment: 10 bytes
			{"length of less than a segment", func(r *Rules) { r.MaxLength = 0 }, 1},
			{"one segment that is too large", func(r *Rules) { r.MaxBytes, r.SegmentBytes = 1, 1<<20 }, 20},
		} {
			r := NoRules()
			tt.set(&r)
			q := newTestStream(&r)
			for range 20 {
				pushTo(t, q, "0123456789")
			}
			s := q.Stats()
			require.Equal(t, tt.left, s.Ready, tt.name)
			require.Equal(t, uint64(20-tt.left), s.Dropped, tt.name)
			require.Equal(t, int64(tt.left)*(&message.Entry{Body: make([]byte, 10)}).Cost(), s.Bytes, tt.name)
		}
		r := NoRules()
		r.MaxAge = 8 * time.Second
		q := newTestStream(&r)
		pushTo(t, q, "a")
		time.Sleep(999 * time.Millisecond)
		pushTo(t, q, "of the same segment")
		time.Sleep(time.Millisecond)
		pushTo(t, q, "of the next one")
		time.Sleep(7*time.Second + 998*time.Millisecond)
		synctest.Wait()
		require.Equal(t, 3, q.Stats().Ready)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Equal(t, 1, q.Stats().Ready, "a segment goes when its newest message is too old")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Zero(t, q.Stats().Ready, "the last one goes, too")
	})
}
