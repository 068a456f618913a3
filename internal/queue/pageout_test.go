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

// openPressed is openOnDisk for a queue whose broker is at its memory limit, and makes
// room, until let is called.
func openPressed(t *testing.T, o Options) (q *diskQueue, let func()) {
	q = openOnDisk(t, filestest.New(), o)
	m := &q.shared.Memory
	const limit = 1 << 40
	m.Init(limit, false, nil)
	q.memory.Open(m)
	m.Add(limit)
	q.shared.Relief.On.Store(true)
	return q, func() {
		q.shared.Relief.On.Store(false)
		m.Add(-limit)
	}
}

// mixed is numbered with every third message transient, and some awaited by a call.
func mixed(n int, lost *int) (list []*message.Publishing, bodies []string) {
	list, bodies = numbered(n)
	for i, p := range list {
		switch {
		case i%3 == 0:
			p.Content = nil
		case i%10 == 0:
			p.Content = awaitedContent{p.Content, lost}
		}
	}
	return list, bodies
}

// While publishers wait for memory, everything goes to disk, however little it is, and what
// was loaded goes back there.
func TestNothingStaysInMemoryWhilePublishersWait(t *testing.T) {
	for _, n := range []int{1, 5, 300, 3000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lost := 0
				list, bodies := mixed(n, &lost)
				q, let := openPressed(t, Options{})
				q.push(list...)
				for range 2 {
					q.PageOut()
					q.pageOut()
					require.Zero(t, q.inMemory())
					require.Zero(t, q.Stats().Bytes)
					require.Equal(t, n, q.Stats().Ready)
				}
				for i := range n / 2 {
					d, _, ok, err := q.Get(true, nil)
					require.NoError(t, err)
					require.True(t, ok)
					require.Equal(t, bodies[i], string(d.Body))
					require.Equal(t, i%10 == 0 && i%3 > 0, d.Awaited(), i)
					if i%100 == 0 {
						q.PageOut()
						require.Zero(t, q.inMemory())
					}
				}
				more, last := numbered(10)
				q.push(more...)
				q.pageOut()
				let()
				require.Equal(t, append(bodies[n/2:], last...), q.drain())
				require.Zero(t, lost)
				require.Equal(t, []any{0, int64(0), 0, int64(0)}, []any{q.store.len(), q.store.bytes, q.store.timed, q.Stats().Bytes})
				require.Empty(t, q.disk.awaited)
				require.Empty(t, q.reopen(Options{}).drain())
			})
		})
	}
}

// Messages that were requeued come before those that went back to disk.
func TestRequeuedMessagesKeepTheirPlaceWhenOthersGoBackToDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{MaxPriority: 1}
		q, let := openPressed(t, o)
		list, bodies := numbered(2000)
		q.push(list...)
		q.pageOut()
		for _, n := range []int{1, 700} { // as one, and as many
			var unacked []Settling
			for range n {
				d, _, ok, err := q.Get(false, nil)
				require.NoError(t, err)
				require.True(t, ok)
				unacked = append(unacked, Settling{Delivery: d})
			}
			q.PageOut()
			q.Requeue(nil, unacked, true)
			q.PageOut()
			require.Equal(t, n, q.store.levels.shelves[0].returned.len())
		}
		let()
		require.Equal(t, bodies, q.drain())
	})
}

// While memory is short, messages are loaded for consumers that have room only.
func TestConsumersGetWhatWentToDiskWhileMemoryIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, let := openPressed(t, Options{})
		defer let()
		q.shared.Memory.Add(-1 << 38) // short, but not full
		list, _ := numbered(3000)
		q.push(list...)
		q.pageOut()
		require.Zero(t, q.inMemory())
		sink := &taker{}
		c := NewConsumer(q.Queue, sink, &ConsumerOptions{Direct: true, Prefetch: 10})
		require.NoError(t, q.Add(c))
		synctest.Wait()
		for got := 10; ; got++ {
			require.Len(t, sink.offsets, min(got, 3000))
			if got == 3010 {
				break
			}
			q.Settle(c, []Settling{Unsettled(message.Item{Pos: sink.offsets[got-10]})}, true)
			synctest.Wait()
		}
		require.IsIncreasing(t, sink.offsets)
	})
}

// The first message expires in time, though memory has it no more, and limits hold.
func TestExpiryAndLimitsWhileMemoryIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := NoRules()
		rules.TTL = 60e9
		q, let := openPressed(t, Options{Rules: &rules})
		list, _ := numbered(1000)
		q.push(list...)
		q.pageOut()
		time.Sleep(30 * time.Second)
		q.push(list[0])
		q.pageOut()
		synctest.Wait()
		require.Zero(t, q.inMemory(), "nothing is loaded before its time")
		require.Equal(t, 1001, q.Stats().Ready)
		time.Sleep(29 * time.Second)
		synctest.Wait()
		require.Equal(t, 1, q.Stats().Ready)

		rules.MaxLength = 50
		for i := range 1000 {
			q.push(list[i])
			if i%10 == 0 {
				q.pageOut()
			}
			require.LessOrEqual(t, q.Stats().Ready, 50+10)
		}
		synctest.Wait()
		require.Equal(t, 50, q.Stats().Ready)
		let()
	})
}

// A chunk is full when it holds much, so that few messages that are large go to disk, too.
func TestFewLargeMessagesAreOnDiskButForTheEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openOnDisk(t, filestest.New(), Options{})
		const n, size = 100, 300 << 10
		for i := range n {
			q.push(persistent(fmt.Sprintf("0%*d", size, i)))
		}
		q.pageOut()
		require.Less(t, q.inMemory(), 20)
		require.Less(t, q.Stats().Bytes, int64(20*size))
		for i, body := range q.drain() {
			require.Equal(t, fmt.Sprintf("0%*d", size, i), body)
		}
		require.Zero(t, q.Stats().Bytes)
	})
}

func TestAStreamLeavesMemoryWhilePublishersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, let := openPressed(t, Options{Stream: true})
		for i := range 1000 {
			q.push(inGroup(i))
		}
		q.pageOut()
		require.Zero(t, q.Stats().Bytes)
		require.Equal(t, offsets(0, 1000), q.readAll(NewReader(Start{From: FromFirst}, nil)))
		q.push(inGroup(1000))
		q.pageOut()
		require.Zero(t, q.Stats().Bytes, "nor does it keep what was read")
		let()
		require.Equal(t, offsets(999, 1001), q.readAll(NewReader(Start{From: FromOffset, N: 999}, nil)))
	})
}

// While memory is full, a consumer that holds messages gets no others from the disk, until
// it settles them or others give memory back.
func TestAConsumerWaitsWhileMemoryIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, let := openPressed(t, Options{})
		list, _ := numbered(3000)
		q.push(list...)
		q.pageOut()
		sink := &taker{}
		c := NewConsumer(q.Queue, sink, &ConsumerOptions{Direct: true, Prefetch: 10_000})
		require.NoError(t, q.Add(c))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, offsets(0, 256), sink.offsets, "a block, so that it has something to do")
		var held []Settling
		for _, pos := range sink.offsets {
			held = append(held, Unsettled(message.Item{Pos: pos}))
		}
		q.Settle(c, held[:100], true)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, offsets(0, 256), sink.offsets)
		q.Settle(c, held[100:], true)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, offsets(0, 512), sink.offsets)
		let()
		time.Sleep(2 * lookAgain)
		synctest.Wait()
		require.Equal(t, offsets(0, 3000), sink.offsets)
	})
}
