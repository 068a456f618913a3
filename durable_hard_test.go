//go:build !paged

package warren_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
)

// dirBytes is what all files of a directory hold.
func dirBytes(dir *filestest.Dir) (n int) {
	for _, name := range dir.Names() {
		n += len(dir.Bytes(name))
	}
	return n
}

// longQueue is a broker with a durable queue "q" of n persistent messages, of which all but
// the ends are on disk only, and dead letters go to "dead".
func longQueue(t testing.TB, dir *filestest.Dir, n int, o warren.QueueOptions) (*warren.Broker, *warren.Channel) {
	t.Helper()
	b := openFiles(t, dir, nil)
	ch := channelOf(t, b, "/")
	o.Durable = true
	brokertest.Queue(t, ch, "q", o)
	brokertest.Queue(t, ch, "dead", warren.QueueOptions{Durable: true})
	for i := range n {
		require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: []byte(fmt.Sprint(i)), DeliveryMode: warren.Persistent}, warren.PublishOptions{}))
	}
	warren.PageOut(b)
	require.Less(t, b.Stats().Memory, int64(n*50), "most are on disk only")
	return b, ch
}

// TestDeletionOfALongQueueIsNoWork deletes queues of two lengths: the disk has as much to
// do for either.
func TestDeletionOfALongQueueIsNoWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work := func(n int) int {
			dir := filestest.New()
			b, ch := longQueue(t, dir, n, warren.QueueOptions{})
			time.Sleep(time.Minute)
			before := dir.Ops()
			left, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			require.NoError(t, err)
			require.Equal(t, n, left)
			time.Sleep(time.Minute)
			ops := dir.Ops() - before
			require.NoError(t, b.Close())
			b = openFiles(t, dir, nil)
			require.Zero(t, b.Stats().Ready)
			time.Sleep(time.Minute)
			require.NoError(t, b.Close())
			require.Less(t, dirBytes(dir), 20_000, "its messages are gone from the disk")
			return ops
		}
		require.LessOrEqual(t, work(brokertest.Less(40_000, 4)), work(4_000)+4)
	})
}

// TestALimitOfOneOnALongQueue sets a policy on a queue that is on disk: all but the last
// message go, in order to the dead letter exchange if there is one.
func TestALimitOfOneOnALongQueue(t *testing.T) {
	n := brokertest.Less(10_000, 2)
	for name, o := range map[string]warren.QueueOptions{
		"drop":        {},
		"dead-letter": {DeadLetter: &warren.DeadLetter{RoutingKey: "dead"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filestest.New()
				b, ch := longQueue(t, dir, n, o)
				v := brokertest.VirtualHost(t, b, "/")
				require.NoError(t, v.PolicySet(warren.Policy{Name: "one", Pattern: "^q$", Definition: warren.Table{"max-length": 1}}))
				time.Sleep(time.Minute)
				require.Equal(t, 1, brokertest.Ready(t, ch, "q"))
				for range 2 {
					want := []string{}
					if o.DeadLetter != nil {
						want = brokertest.Numbers(0, n-2)
					}
					require.Equal(t, len(want), brokertest.Ready(t, ch, "dead"))
					unread := dir.Clone()
					b2 := openFiles(t, unread, nil)
					require.Equal(t, want, brokertest.Drain(t, channelOf(t, b2, "/"), "dead"))
					require.Equal(t, []string{fmt.Sprint(n - 1)}, brokertest.Drain(t, channelOf(t, b2, "/"), "q"))
					require.NoError(t, b2.Close())
					b = reopened(t, b, dir)
					ch = channelOf(t, b, "/")
				}
				require.NoError(t, b.Close())
			})
		})
	}
}

// TestAnOldMessageKeepsNoOthers holds one message unsettled while very many pass: the disk
// has not much more than that one in the end.
func TestAnOldMessageKeepsNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, &warren.Options{MemoryLimit: 8 << 20}) // small files
		ch := channelOf(t, b, "/")
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true})
		require.NoError(t, persistently(t, ch, "q", "old"))
		old := brokertest.Take(t, ch, "q")
		body := strings.Repeat("x", 1000)
		most := 0
		for i := range brokertest.Less(60_000, 6) {
			require.NoError(t, persistently(t, ch, "q", body))
			if i%100 == 99 {
				time.Sleep(50 * time.Millisecond) // so that they are on disk
				for range 100 {
					_, ok, err := ch.Get("q", true)
					require.NoError(t, err)
					require.True(t, ok)
				}
				most = max(most, dirBytes(dir))
			}
		}
		require.Less(t, most, 12<<20, "of 60 MB that have passed")
		time.Sleep(time.Minute)
		require.NoError(t, old.Nack(false, true))
		b = reopened(t, b, dir)
		require.Equal(t, []string{"old"}, brokertest.Drain(t, channelOf(t, b, "/"), "q"))
		require.NoError(t, b.Close())
	})
}

// inTime runs f in a bubble, whose clock begins in the year 2000 each time: a second one is
// in the past of the first.
func inTime(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// TestAClockThatJumpsBack closes a broker, and opens it again while the clock shows a much
// earlier time. What the broker knew of the time counts: nothing comes back to life, and
// what was to come comes in its time after that.
func TestAClockThatJumpsBack(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprint("after a crash ", crash), func(t *testing.T) {
			dir := filestest.New()
			var image *filestest.Dir
			var middle time.Time
			inTime(t, func(t *testing.T) {
				time.Sleep(1000 * time.Hour)
				b := openFiles(t, dir, nil)
				ch := channelOf(t, b, "/")
				laterExchange(t, ch)
				brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true, MessageTTL: time.Hour})
				brokertest.Queue(t, ch, "later", warren.QueueOptions{Durable: true})
				brokertest.Stream(t, ch, "s", warren.QueueOptions{MaxAge: 3 * time.Hour})
				require.NoError(t, ch.QueueBind("later", "q", "later", nil))
				require.NoError(t, ch.Confirm())
				require.NoError(t, persistently(t, ch, "s", "0"))
				time.Sleep(time.Hour)
				middle = time.Now()
				require.NoError(t, persistently(t, ch, "q", "hour"))
				putLater(t, ch, "q", "delayed", time.Hour)
				require.NoError(t, persistently(t, ch, "s", "1"))
				time.Sleep(30 * time.Minute)
				require.NoError(t, persistently(t, ch, "s", "2"))
				image = dir.Image(rand.New(rand.NewPCG(1, 2)))
				require.NoError(t, b.Close())
			})
			inTime(t, func(t *testing.T) {
				if crash {
					dir = image
				}
				require.True(t, time.Now().Before(middle))
				b := openFiles(t, dir, nil)
				ch := channelOf(t, b, "/")
				from := warren.ConsumeOptions{Offset: warren.StreamTime(middle), Prefetch: 10}
				require.Equal(t, []int64{1, 2}, offsetsOf(t, brokertest.Read(t, brokertest.Consume(t, ch, "s", from))))
				brokertest.Later(29 * time.Minute)
				require.Equal(t, 1, brokertest.Ready(t, ch, "q"))
				require.Equal(t, 0, brokertest.Ready(t, ch, "later"))
				brokertest.Later(2 * time.Minute)
				require.Equal(t, 0, brokertest.Ready(t, ch, "q"), "its hour is over")
				require.Equal(t, []string{"delayed"}, brokertest.Drain(t, ch, "later"))
				require.Equal(t, 3, brokertest.Ready(t, ch, "s"))
				brokertest.Later(3 * time.Hour)
				require.Zero(t, brokertest.Ready(t, ch, "s"))
				require.NoError(t, b.Close())
			})
		})
	}
}

// manyQueues is a directory with n durable queues, each with a binding and a message.
func manyQueues(t testing.TB, n int) *filestest.Dir {
	t.Helper()
	dir := filestest.New()
	b := openFiles(t, dir, nil)
	var text strings.Builder
	text.WriteString(`{"queues":[`)
	for i := range n {
		fmt.Fprintf(&text, `%s{"name":"queue %d","durable":true}`, comma(i), i)
	}
	text.WriteString(`],"bindings":[`)
	for i := range n {
		fmt.Fprintf(&text, `%s{"source":"amq.direct","destination":"queue %d","destination_type":"queue","routing_key":"%d"}`, comma(i), i, i)
	}
	text.WriteString(`]}`)
	importText(t, b, text.String())
	ch := channelOf(t, b, "/")
	for i := range n {
		require.NoError(t, persistently(t, ch, fmt.Sprint("queue ", i), "x"))
	}
	require.NoError(t, b.Close())
	return dir
}

// TestVeryManyQueuesCostOnlyMemory opens and closes brokers with few and with very many
// queues: the disk has as much to do, no goroutine is there for a queue, and a queue holds
// so many bytes.
func TestVeryManyQueuesCostOnlyMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idle := goroutines(t)
		look := func(n int) (ops int, perQueue int64) {
			dir := manyQueues(t, n)
			before, heap := dir.Ops(), heapInUse()
			b := openFiles(t, dir, nil)
			time.Sleep(time.Minute)
			require.Equal(t, n, b.Stats().Ready)
			require.Equal(t, n, b.Stats().Queues)
			require.Equal(t, idle, goroutines(t))
			perQueue = (heapInUse() - heap) / int64(n)
			require.NoError(t, b.Close())
			return dir.Ops() - before, perQueue
		}
		few, _ := look(100)
		many, perQueue := look(brokertest.Less(20_000, 4))
		require.LessOrEqual(t, many, few+40, "operations of the disk")
		require.Less(t, perQueue, int64(3000), "bytes of memory")
	})
}
