package store_test

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/store"
	"github.com/warrenmq/warren/internal/table"
)

// onDisk is how often a text is in files of the log or in page files.
func (w *world) onDisk(text string) (n int) {
	for _, name := range w.dir.Names() {
		n += bytes.Count(w.dir.Bytes(name), []byte(text))
	}
	return n
}

// pageOut lets all that is in the log become page files.
func (w *world) pageOut() {
	require.True(w.t, w.sync())
	w.s.PageOut()
	time.Sleep(time.Second)
	synctest.Wait()
	require.NoError(w.t, w.s.Err())
}

// put adds a persistent message with a body.
func (q *queue) put(pos uint64, body string) uint64 {
	exchange := "exchange"
	p := message.Publishing{Entry: message.Entry{Body: []byte(body), Exchange: &exchange}}
	q.Lock()
	defer q.Unlock()
	q.k.Add(pos, &p, 0, true)
	return p.Synced
}

func (q *queue) settle(first, last uint64) {
	q.Lock()
	defer q.Unlock()
	q.k.RemoveRange(first, last)
}

func bubble(t *testing.T, o store.Options, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, o)
		f(t, w)
		require.True(t, w.end())
	})
}

func TestAMessageThatIsSettledBeforeItIsWrittenNeverIs(t *testing.T) {
	bubble(t, store.Options{}, func(t *testing.T, w *world) {
		q := w.declare()
		seq := q.put(1, "never")
		q.Lock()
		q.k.Remove(1)
		q.Unlock()
		q.put(2, "always")
		require.NoError(t, w.s.Wait(t.Context(), store.Seq(seq)), "its confirm comes nevertheless")
		require.True(t, w.sync())
		require.Zero(t, w.onDisk("never"))
		require.Equal(t, 1, w.onDisk("always"))
	})
}

func TestTheBodyOfAMessageOfSeveralQueuesIsWrittenOnce(t *testing.T) {
	bubble(t, store.Options{}, func(t *testing.T, w *world) {
		var queues []*queue
		exchange := "x"
		p := message.Publishing{Shared: true, Entry: message.Entry{Body: []byte("shared"), Exchange: &exchange}}
		for range 10 {
			q := w.declare()
			queues = append(queues, q)
			q.Lock()
			q.k.Add(5, &p, 0, true)
			q.Unlock()
		}
		queues[0].settle(5, 5) // others need it
		require.True(t, w.sync())
		require.Equal(t, 1, w.onDisk("shared"))
		w.pageOut()
		require.Equal(t, 9, w.onDisk("shared"))
		for _, q := range queues[1:] {
			items := q.load(0, 10, 1)
			require.Equal(t, "shared", string(items[0].Body))
		}
	})
}

// A generation of the log that ends between two queues of one message must not matter.
func TestASharedBodyIsThereInEachGeneration(t *testing.T) {
	bubble(t, store.Options{}, func(t *testing.T, w *world) {
		a, b := w.declare(), w.declare()
		p := message.Publishing{Shared: true, Entry: message.Entry{Body: []byte("shared"), Exchange: new(string)}}
		a.Lock()
		a.k.Add(5, &p, 0, true)
		a.Unlock()
		w.pageOut()
		a.settle(5, 5)
		b.Lock()
		b.k.Add(6, &p, 0, true)
		b.Unlock()
		w.pageOut()
		require.Equal(t, "shared", string(b.load(0, 10, 1)[0].Body))
	})
}

func TestAllOfAMessageIsKept(t *testing.T) {
	line := &message.Line{}
	line.Add(7)
	props := message.NewPublished(&message.Properties{
		Headers: table.Table{"deep": table.Table{"n": int64(1)}, "list": []any{"a", true}}, ContentType: "t", ContentEncoding: "e",
		DeliveryMode: 2, Priority: 3, CorrelationId: "c", ReplyTo: "r", Expiration: "5", MessageId: "m",
		Timestamp: time.Unix(100, 0), Type: "y", UserId: "u", AppId: "a",
	})
	x := "exchange"
	for name, c := range map[string]message.Content{
		"none": nil, "properties": props, "long": message.NewPublished(&message.Properties{MessageId: strings.Repeat("m", 255), ReplyTo: strings.Repeat("r", 255)}),
		"hidden keys": &message.Blind{Content: props, Keys: []string{"k1", ""}},
		"letter":      &message.Letter{Content: props, Line: line, Deaths: 3},
		"user":        &message.Bounded{Content: props, User: "ann"},
		"all": &message.Blind{Content: &message.Letter{
			Content: &message.Bounded{Content: props, User: "ann"}, Line: line, Deaths: 3,
		}, Keys: []string{"k"}},
	} {
		e := message.Entry{Body: []byte("body"), Key: "key", Exchange: &x, Content: c}
		got, err := store.Decode(store.Encode(&e))
		require.NoError(t, err, name)
		require.Equal(t, e.Body, got.Body)
		require.Equal(t, e.Key, got.Key)
		require.Equal(t, x, *got.Exchange)
		want, have := e.Properties(), got.Properties()
		if !have.Timestamp.IsZero() {
			have.Timestamp = have.Timestamp.Local()
		}
		require.Equal(t, want, have, name)
		if b, ok := c.(*message.Blind); ok {
			require.Equal(t, b.Keys, got.Content.(*message.Blind).Keys)
			c, got.Content = b.Content, got.Content.(*message.Blind).Content
		}
		if l, ok := c.(*message.Letter); ok {
			g := got.Content.(*message.Letter)
			require.Equal(t, l.Deaths, g.Deaths)
			require.Equal(t, int64(7), g.Line.Add(0))
			c, got.Content = l.Content, g.Content
		}
		if u, ok := c.(*message.Bounded); ok {
			require.Equal(t, u.User, got.Content.(*message.Bounded).User)
		}
	}
}

// FuzzDecode reads what no checksum has let through.
func FuzzDecode(f *testing.F) {
	x := "exchange"
	f.Add(store.Encode(&message.Entry{Body: []byte("body"), Exchange: &x, Content: &message.Blind{Content: message.NewPublished(&message.Properties{}), Keys: []string{"k"}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := store.Decode(b); err == nil && e.Content != nil {
			_ = e.Content.Properties()
		}
	})
}

func TestAStreamIsToldWhenItsMessagesCameAndHowTheyAreFiltered(t *testing.T) {
	bubble(t, store.Options{}, func(t *testing.T, w *world) {
		q := w.declare()
		add := func(first, n uint64, filter string) {
			for pos := first; pos < first+n; pos++ {
				time.Sleep(time.Second)
				e := message.Entry{Exchange: new(string), Body: []byte("0123456789")}
				if filter != "" {
					e.Content = message.NewPublished(&message.Properties{Headers: table.Table{message.FilterHeader: filter}})
				}
				q.Lock()
				q.k.AddAt(pos, &message.Publishing{Entry: e}, w.opt.Clock.Now(), true)
				q.Unlock()
			}
		}
		begun := time.Now()
		add(0, 300, "red")
		w.pageOut()
		add(300, 100, "")
		blocks := func() []store.BlockInfo {
			q.Lock()
			defer q.Unlock()
			return slices.Collect(q.k.Blocks(0, 0))
		}
		all := blocks()
		require.Len(t, all, 2, "those in page files")
		q.Lock()
		require.Equal(t, all[1:], slices.Collect(q.k.Blocks(0, 256)))
		q.Unlock()
		require.True(t, w.end())
		time.Sleep(time.Hour)
		w.start()
		q = w.queues[q.id]
		var n uint64
		for _, b := range blocks() {
			require.Equal(t, n, b.First)
			require.Equal(t, store.Count{Len: int(b.Last - b.First + 1), Bytes: 10 * int64(b.Last-b.First+1)}, b.Count)
			require.InDelta(t, w.opt.Clock.At(begun.Add(time.Duration(b.First+1)*time.Second)), b.Oldest, 2e9)
			require.InDelta(t, w.opt.Clock.At(begun.Add(time.Duration(b.Last+1)*time.Second)), b.Newest, 2e9)
			want := store.Mark("red")
			if b.First >= 300 {
				want = store.Mark("")
			}
			require.Equal(t, want, b.Marks)
			n = b.Last + 1
		}
		require.Equal(t, uint64(400), n)
		q.Lock()
		q.k.Load(0, 399)
		q.Unlock()
		b := <-q.loaded
		require.Len(t, b.Items, 256)
		require.InDelta(t, w.opt.Clock.At(begun.Add(time.Second)), b.Times[0], 2e9)
	})
}

// A clock that is set back while nobody looks must not revive messages.
func TestTimeNeverGoesBack(t *testing.T) {
	dir := filestest.New()
	write := func(t *testing.T, deadline time.Duration) {
		c := clock.Start()
		s, err := store.Open(dir, store.Options{Clock: &c}, func(uint32) bool { return true })
		require.NoError(t, err)
		q := &queue{}
		k := s.Queue(1, &q.Mutex, nil)
		q.Lock()
		k.Add(1, &message.Publishing{Entry: message.Entry{Exchange: new(string)}}, c.Now()+int64(deadline), true)
		q.Unlock()
		time.Sleep(5 * time.Hour)
		require.NoError(t, s.Close(t.Context()))
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1000 * time.Hour)
		write(t, 10*time.Hour)
	})
	synctest.Test(t, func(t *testing.T) { // each bubble begins with the same time
		w := &world{t: t, dir: dir, queues: make(map[uint32]*queue)}
		w.lastID = 0
		w.queues[1] = &queue{w: w, id: 1}
		w.start()
		items := w.queues[1].load(0, 10, 1)
		require.InDelta(t, w.opt.Clock.Now()+int64(5*time.Hour), items[0].Deadline, 2e9)
		require.True(t, w.end())
	})
}

// What many messages cost when they all go at once does not depend on how many they are.
func TestPurgeAndDeletionAreOneStep(t *testing.T) {
	bubble(t, store.Options{FileSize: 1 << 20}, func(t *testing.T, w *world) {
		a, b := w.declare(), w.declare()
		const n = 100_000
		for i := range uint64(n) {
			a.put(i, "x")
			b.put(i, "x")
		}
		w.pageOut()
		written := w.s.Stats().Written
		a.settle(0, n)
		w.remove(b)
		require.True(t, w.sync())
		require.Less(t, w.s.Stats().Written-written, uint64(500))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Zero(t, w.s.Stats().Messages)
		require.Zero(t, w.s.Stats().Pages)
		require.True(t, w.end())
		w.start()
		_, _, c := w.queues[a.id].k.Out(0)
		require.Zero(t, c)
	})
}

// One message that nobody settles keeps itself, and not what came with it.
func TestAnOldMessageDoesNotKeepOthers(t *testing.T) {
	bubble(t, store.Options{FileSize: 16 << 10}, func(t *testing.T, w *world) {
		q := w.declare()
		body := strings.Repeat("x", 100)
		var most int64
		for i := range uint64(40_000) {
			q.put(i, body)
			if i >= 50 {
				q.settle(i-49, i-49) // all but message 0
			}
			if i%50 == 0 {
				require.True(t, w.sync())
				synctest.Wait()
			}
			st := w.s.Stats()
			most = max(most, st.PageBytes+st.LogBytes)
		}
		time.Sleep(time.Minute)
		require.Less(t, most, int64(8*16<<10))
		require.Equal(t, body, string(q.load(0, 1<<20, 1)[0].Body))
	})
}

// Page files in which little lives are written anew.
func TestSettledMessagesGiveTheirRoomBack(t *testing.T) {
	bubble(t, store.Options{FileSize: 64 << 10}, func(t *testing.T, w *world) {
		q := w.declare()
		body := strings.Repeat("x", 100)
		const n = 10_000
		for i := range uint64(n) {
			q.put(i, body)
			if i%100 == 0 {
				require.True(t, w.sync())
			}
		}
		w.pageOut()
		full := w.s.Stats().PageBytes
		for i := range uint64(n) {
			if i%50 > 0 {
				q.settle(i, i)
			}
		}
		time.Sleep(time.Minute)
		require.Less(t, w.s.Stats().PageBytes, full/4)
		for i, it := range q.load(0, n, n/50) {
			require.Equal(t, uint64(50*i), it.Pos)
		}
	})
}

// A few messages of each file of the log that nobody settles must not mean a page file
// each, for ever.
func TestManySmallPageFilesBecomeOne(t *testing.T) {
	bubble(t, store.Options{FileSize: 64 << 10}, func(t *testing.T, w *world) {
		q := w.declare()
		const n = 200
		for i := range uint64(n) {
			q.put(i, fmt.Sprint("message ", i))
			w.pageOut()
		}
		require.Less(t, w.s.Stats().Pages, 40)
		for i, it := range q.load(0, n, n) {
			require.Equal(t, fmt.Sprint("message ", i), string(it.Body))
		}
	})
}

func TestNobodyRunsWhenThereIsNothingToDo(t *testing.T) {
	bubble(t, store.Options{FileSize: 8 << 10}, func(t *testing.T, w *world) {
		before := runtime.NumGoroutine()
		for range 100 {
			q := w.declare()
			for i := range uint64(20) {
				q.put(i, fmt.Sprint("message ", i))
			}
		}
		w.pageOut()
		w.some().load(0, 100, 20)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.LessOrEqual(t, runtime.NumGoroutine(), before)
	})
}

func TestMessagesOfQueuesThatAreNotKnownAreDropped(t *testing.T) {
	bubble(t, store.Options{}, func(t *testing.T, w *world) {
		a, b := w.declare(), w.declare()
		for i := range uint64(300) {
			a.put(i, "paged")
			b.put(i, "paged")
		}
		w.pageOut()
		for i := range uint64(300) {
			a.put(300+i, "in the log")
			b.put(300+i, "in the log")
		}
		require.True(t, w.end())
		delete(w.queues, a.id)
		w.start()
		w.s.Recovered(func(id uint32) { require.Equal(t, b.id, id) })
		_, _, c := b.k.Out(0)
		require.Equal(t, 600, c.Len)
		w.pageOut()
		b.settle(0, 600)
		w.pageOut()
		time.Sleep(time.Minute)
		require.Zero(t, w.s.Stats().Pages)
	})
}

// SyncNever promises nothing for a power cut, but what was written survives the process.
func TestSyncNeverWaitsForNoSync(t *testing.T) {
	bubble(t, store.Options{Sync: journal.SyncNever}, func(t *testing.T, w *world) {
		q := w.declare()
		before := w.s.Stats().Syncs
		for range 100 {
			w.add(q)
			require.True(t, w.sync())
		}
		require.Equal(t, before, w.s.Stats().Syncs)
		w.crash(w.dir.Clone())
	})
}

func TestWhatHappensWhileABlockIsReadCounts(t *testing.T) {
	bubble(t, store.Options{}, func(t *testing.T, w *world) {
		q := w.declare()
		for i := range uint64(10) {
			q.put(i, fmt.Sprint(i))
		}
		w.pageOut()
		q.Lock()
		require.True(t, q.k.Load(0, 9))
		q.k.Remove(3)
		q.k.RemoveRange(5, 6)
		q.k.Returned(4, 2, true)
		q.Unlock()
		b := <-q.loaded
		q.Lock()
		q.k.Keep(b)
		q.Unlock()
		var bodies []string
		for _, it := range b.Items {
			bodies = append(bodies, string(it.Body))
			require.Equal(t, it.Pos == 4, it.Redelivered)
			require.Equal(t, it.Pos == 4, it.Returns == 2)
		}
		require.Equal(t, []string{"0", "1", "2", "4", "7", "8", "9"}, bodies)
		require.Equal(t, store.Count{Len: 7, Bytes: 7}, b.Count)
		q.Lock()
		require.True(t, q.k.Load(0, 9))
		q.k.Delete()
		q.Unlock()
		b = <-q.loaded
		q.Lock()
		q.k.Keep(b)
		require.Empty(t, b.Items)
		require.Zero(t, b.Count)
		require.False(t, q.k.Load(0, 9))
		q.Unlock()
		delete(w.queues, q.id)
	})
}
