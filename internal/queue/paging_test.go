package queue

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/store"
)

// diskQueue is a store with one durable queue.
type diskQueue struct {
	*Queue
	t   *testing.T
	dir *filestest.Dir
	all *store.Store
}

func openOnDisk(t *testing.T, dir *filestest.Dir, o Options) *diskQueue {
	shared := &Shared{Clock: clock.StartEarlier(time.Hour)}
	shared.Memory.Init(-1, false, nil)
	s, err := store.Open(dir, store.Options{Clock: &shared.Clock}, func(uint32) bool { return true })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	q := &Queue{}
	o.Disk, o.Durable = s.Queue(1, &q.mu, q), true
	q.Init("q", noHost{}, shared, &o)
	return &diskQueue{q, t, dir, s}
}

// pageOut lets the store page out what there is.
func (q *diskQueue) pageOut() {
	time.Sleep(time.Second) // all is written
	q.all.PageOut()
	time.Sleep(time.Second)
	q.Paged()
}

// reopen ends the broker and begins a new one.
func (q *diskQueue) reopen(o Options) *diskQueue {
	rest, _, _ := q.Close(ErrDeleted, Ends)
	rest.Drop()
	require.NoError(q.t, q.all.Close(context.Background()))
	return openOnDisk(q.t, q.dir, o)
}

func persistent(body string) *message.Publishing {
	x := ""
	return &message.Publishing{Entry: message.Entry{
		Body: []byte(body), Exchange: &x, Content: message.NewPublished(&message.Properties{DeliveryMode: 2, Priority: body[0] - '0'}),
	}}
}

func (q *diskQueue) push(list ...*message.Publishing) {
	for _, p := range list {
		taken, err := q.Push(p)
		require.NoError(q.t, err)
		require.True(q.t, taken)
	}
}

// get takes messages, without ack, until there are no more.
func (q *diskQueue) drain() (bodies []string) {
	for {
		d, _, ok, err := q.Get(true, nil)
		require.NoError(q.t, err)
		if !ok {
			return bodies
		}
		bodies = append(bodies, string(d.Body))
	}
}

func numbered(n int) (list []*message.Publishing, bodies []string) {
	for i := range n {
		b := fmt.Sprintf("0 %d", i)
		list, bodies = append(list, persistent(b)), append(bodies, b)
	}
	return list, bodies
}

// inMemory returns how many ready messages memory has.
func (q *diskQueue) inMemory() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.store.shelf.ready + q.store.returned.len()
}

func TestMessagesThatWereSettledDoNotComeBackAndOthersKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openOnDisk(t, filestest.New(), Options{})
		list, bodies := numbered(3000)
		q.push(list...)
		q.push(&message.Publishing{Entry: message.Entry{Body: []byte("transient"), Exchange: new(string)}})
		for range 100 {
			_, _, ok, err := q.Get(true, nil)
			require.True(t, ok)
			require.NoError(t, err)
		}
		unacked, _, _, err := q.Get(false, nil)
		require.NoError(t, err)
		require.Equal(t, bodies[100], string(unacked.Body))

		q = q.reopen(Options{})
		ready, _ := q.Inspect()
		require.Equal(t, 2900, ready, "persistent messages that were not settled")
		require.Equal(t, bodies[100:], q.drain())
		q = q.reopen(Options{})
		require.Empty(t, q.drain())
	})
}

func TestALongQueueIsOnDiskButForItsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openOnDisk(t, filestest.New(), Options{})
		list, bodies := numbered(20_000)
		q.push(list...)
		before := q.Stats().Bytes
		q.pageOut()
		require.Less(t, q.inMemory(), 2000)
		require.Less(t, q.Stats().Bytes, before/10, "what is on disk does not count as memory")
		require.Equal(t, 20_000, q.Stats().Ready)
		require.Equal(t, bodies, q.drain())
		require.Zero(t, q.Stats().Bytes)
		require.Equal(t, []any{0, int64(0), 0}, []any{q.store.len(), q.store.bytes, q.store.timed})
	})
}

// A message that is requeued comes before those on disk, and those that are published
// meanwhile after them.
func TestWhatIsOnDiskKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openOnDisk(t, filestest.New(), Options{})
		list, bodies := numbered(10_000)
		q.push(list[:9_000]...)
		var unacked []Settling
		for range 700 { // more than stay in memory
			d, _, ok, err := q.Get(false, nil)
			require.NoError(t, err)
			require.True(t, ok)
			unacked = append(unacked, Settling{Delivery: d})
			q.pageOut()
		}
		q.push(list[9_000:]...)
		q.pageOut()
		q.Requeue(nil, unacked, true)
		require.Equal(t, bodies, q.drain())
	})
}

func TestPurgeAndLimitsReachWhatIsOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		q := openOnDisk(t, dir, Options{})
		list, bodies := numbered(20_000)
		q.push(list...)
		q.pageOut()
		require.Equal(t, 20_000, q.Purge())
		require.Empty(t, q.drain())
		require.Zero(t, q.Stats().Bytes)

		q.push(list...)
		q.pageOut()
		rules := NoRules()
		rules.MaxLength = 1
		q.Obey(1, &rules)
		synctest.Wait()
		require.Equal(t, 1, q.Stats().Ready)
		require.Equal(t, bodies[19_999:], q.drain())
		require.Empty(t, q.reopen(Options{}).drain())
	})
}

func TestPrioritiesOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{MaxPriority: 3}
		q := openOnDisk(t, filestest.New(), o)
		var want [4][]string
		for i := range 12_000 {
			p := i * 7 % 4
			body := fmt.Sprint(p, " ", i)
			q.push(persistent(body))
			want[p] = append(want[p], body)
			if i%1000 == 0 {
				q.pageOut()
			}
		}
		q.pageOut()
		q = q.reopen(o)
		q.push(persistent("2 late"))
		all := append(append(append(append(append([]string(nil), want[3]...), want[2]...), "2 late"), want[1]...), want[0]...)
		require.Equal(t, all, q.drain())
		require.Equal(t, []any{0, int64(0), 0}, []any{q.store.len(), q.store.bytes, q.store.timed})
	})
}

func TestMessagesOnDiskExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := NoRules()
		rules.TTL = 1e10
		o := Options{Rules: &rules}
		q := openOnDisk(t, filestest.New(), o)
		list, _ := numbered(5_000)
		q.push(list...)
		q.pageOut()
		q = q.reopen(o)
		synctest.Wait()
		require.Equal(t, 5_000, q.Stats().Ready)
		time.Sleep(11 * time.Second)
		synctest.Wait()
		require.Zero(t, q.Stats().Ready)
		require.Equal(t, uint64(5_000), q.Stats().Dropped)
	})
}

func TestConsumersGetWhatIsOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openOnDisk(t, filestest.New(), Options{})
		list, bodies := numbered(6_000)
		q.push(list...)
		q = q.reopen(Options{})
		sink := &taker{}
		require.NoError(t, q.Add(NewConsumer(q.Queue, sink, &ConsumerOptions{Direct: true, NoAck: true})))
		synctest.Wait()
		require.Len(t, sink.offsets, len(bodies))
		require.IsIncreasing(t, sink.offsets)
	})
}

// awaitedContent is the content of a request in this process.
type awaitedContent struct {
	message.Content
	lost *int
}

func (r awaitedContent) Lost(n int)                 { *r.lost += n }
func (r awaitedContent) Unawaited() message.Content { return r.Content }

// The call of a request that is on disk is told when the request is lost, and whoever gets
// the request has the call's content.
func TestARequestOnDiskKeepsItsCall(t *testing.T) {
	for name, lose := range map[string]func(q *diskQueue){
		"purge": func(q *diskQueue) { q.Purge() },
		"limit": func(q *diskQueue) {
			rules := NoRules()
			rules.MaxLength = 1
			q.Obey(1, &rules)
		},
		"delete": func(q *diskQueue) {
			rest, _, _ := q.Close(ErrDeleted, Always)
			rest.Drop()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := openOnDisk(t, filestest.New(), Options{})
				list, _ := numbered(10_000)
				lost := 0
				for i := range list {
					if i%10 == 0 {
						list[i].Content = awaitedContent{list[i].Content, &lost}
					}
				}
				q.push(list...)
				q.pageOut()
				require.Less(t, q.inMemory(), 2000)
				for i := range 4000 {
					d, _, ok, err := q.Get(true, nil)
					require.NoError(t, err)
					require.True(t, ok)
					require.Equal(t, i%10 == 0, d.Awaited(), i)
				}
				require.Zero(t, lost)
				lose(q)
				synctest.Wait()
				require.Equal(t, 600, lost)
				require.Empty(t, q.disk.awaited)
			})
		})
	}
}
