package queue

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/message"
)

func inGroup(i int) *message.Publishing {
	p := persistent(fmt.Sprint("0 ", i))
	p.Content = message.NewPublished(&message.Properties{Headers: map[string]any{message.FilterHeader: fmt.Sprint(i / 1000)}})
	return p
}

// readAll returns the offsets that a reader gets.
func (q *diskQueue) readAll(r *Reader) []uint64 {
	sink := &taker{}
	c := NewConsumer(q.Queue, sink, &ConsumerOptions{Direct: true, Prefetch: 100_000, Reader: r})
	require.NoError(q.t, q.Add(c))
	synctest.Wait()
	c.Remove(nil)
	return sink.offsets
}

func offsets(from, to uint64) (list []uint64) {
	for ; from < to; from++ {
		list = append(list, from)
	}
	return list
}

func TestAStreamIsOnDiskButForItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Stream: true}
		q := openOnDisk(t, filestest.New(), o)
		middle := int64(0)
		for i := range 10_000 {
			if i == 5000 {
				time.Sleep(time.Second)
				middle = q.shared.Clock.Now()
			}
			q.push(inGroup(i))
		}
		before := q.Stats().Bytes
		for range 3 {
			q.pageOut()
			require.Less(t, q.Stats().Bytes, before/4)
			require.Equal(t, offsets(0, 10_000), q.readAll(NewReader(Start{From: FromFirst}, nil)))
			require.Less(t, q.Stats().Bytes, before/2, "what was read is not kept")
			require.Equal(t, offsets(5000, 10_000), q.readAll(NewReader(Start{From: FromTime, N: middle}, nil)))
			require.Equal(t, offsets(3000, 4000), q.readAll(NewReader(Start{From: FromFirst}, map[string]struct{}{"3": {}})))
			require.Equal(t, offsets(9_999, 10_000), q.readAll(NewReader(Start{From: FromLast}, nil)))
			at := q.shared.Clock.At(time.Now()) - middle
			q = q.reopen(o)
			middle = q.shared.Clock.Now() - at
			require.Equal(t, 10_000, q.Stats().Ready)
		}
		q.push(inGroup(10_000))
		require.Equal(t, offsets(9_990, 10_001), q.readAll(NewReader(Start{From: FromOffset, N: 9_990}, nil)))

		rules := NoRules()
		rules.MaxLength = 2000
		q.Obey(1, &rules)
		left := q.readAll(NewReader(Start{From: FromFirst}, nil))
		require.LessOrEqual(t, len(left), 2500)
		require.Equal(t, left, q.reopen(o).readAll(NewReader(Start{From: FromFirst}, nil)), "what was evicted does not come back")
	})
}

func TestAReaderFromATimeToComeReadsWhatComesNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openOnDisk(t, filestest.New(), Options{Stream: true})
		q.push(inGroup(0))
		sink := &taker{}
		c := NewConsumer(q.Queue, sink, &ConsumerOptions{
			Direct: true, Prefetch: 10,
			Reader: NewReader(Start{From: FromTime, N: q.shared.Clock.Now() + int64(time.Hour)}, nil),
		})
		require.NoError(t, q.Add(c))
		q.push(inGroup(1))
		synctest.Wait()
		c.Remove(nil)
		require.Equal(t, offsets(1, 2), sink.offsets)
	})
}

// A reader that wants its deliveries once more gets them, though memory has them no more.
func TestDeliveriesOfAStreamOnDiskAreRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openOnDisk(t, filestest.New(), Options{Stream: true})
		for i := range 10_000 {
			q.push(inGroup(i))
		}
		q.pageOut()
		sink := &taker{}
		c := NewConsumer(q.Queue, sink, &ConsumerOptions{Direct: true, Prefetch: 4000, Reader: NewReader(Start{From: FromFirst}, nil)})
		require.NoError(t, q.Add(c))
		synctest.Wait()
		require.Equal(t, offsets(0, 4000), sink.offsets)
		var unsettled []Settling
		for _, o := range sink.offsets {
			unsettled = append(unsettled, Settling{Delivery: Delivered{Item: message.Item{Pos: o}}})
		}
		sink.offsets = nil
		require.True(t, q.Redeliver(c, unsettled, nil))
		require.Equal(t, offsets(0, 4000), sink.offsets)

		sink.offsets = nil
		rules := NoRules()
		rules.MaxLength = 8000
		q.Obey(1, &rules)
		require.True(t, q.Redeliver(c, unsettled, nil))
		synctest.Wait()
		first := sink.offsets[0]
		require.Positive(t, first)
		require.Equal(t, offsets(first, 4000+first), sink.offsets, "for what was evicted it gets others")
		c.Remove(nil)
	})
}
