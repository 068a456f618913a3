package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/store"
)

// engine is a queue that several goroutines use.
type engine struct {
	sync.Mutex
	k      *store.Queue
	loaded chan *store.Block
	next   uint64
	living map[uint64]string // bodies by positions
}

func (e *engine) Loaded(b *store.Block) { e.loaded <- b }
func (e *engine) Paged()                {}

// TestManyUseAStoreAtOnce lets goroutines add and settle while the log becomes page files
// all the time. Then all that lives is there, after a crash and after a close.
func TestManyUseAStoreAtOnce(t *testing.T) {
	const queues, steps = 6, 3000
	dir := filestest.New()
	open := func() (*store.Store, []*engine) {
		o := store.Options{FileSize: 4 << 10, Trouble: func(err error) {
			if err != nil {
				t.Error(err)
			}
		}}
		s, err := store.Open(dir, o, func(uint32) bool { return true })
		require.NoError(t, err)
		var all []*engine
		for i := range queues {
			e := &engine{loaded: make(chan *store.Block, 1), living: make(map[uint64]string)}
			e.k = s.Queue(uint32(i+1), &e.Mutex, e)
			all = append(all, e)
		}
		return s, all
	}
	s, all := open()
	var group sync.WaitGroup
	var busy atomic.Int32
	for g := range queues {
		busy.Add(1)
		group.Go(func() {
			defer busy.Add(-1)
			for i := range steps {
				p := message.Publishing{Shared: i%3 == 0, Entry: message.Entry{Body: fmt.Appendf(nil, "message %d of %d", i, g), Exchange: new(string)}}
				for n, e := range all {
					if n != g && !p.Shared {
						continue
					}
					e.Lock()
					e.k.Add(e.next, &p, 0, true)
					e.living[e.next] = string(p.Body)
					if old := e.next - 10; i%5 != 0 && e.next > 10 {
						e.k.Remove(old)
						delete(e.living, old)
					}
					e.next++
					e.Unlock()
				}
				if i%100 == 0 {
					if err := s.Wait(t.Context(), store.Seq(p.Synced)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Go(func() {
		for busy.Load() > 0 {
			s.PageOut()
			e := all[0]
			e.Lock()
			if e.next > 300 && e.k.Load(e.next-300, e.next-1) {
				e.Unlock()
				b := <-e.loaded
				e.Lock()
				e.k.Keep(b)
				for i := range b.Items {
					if body := string(b.Items[i].Body); body != e.living[b.Items[i].Pos] {
						t.Errorf("message %d is %q and not %q", b.Items[i].Pos, body, e.living[b.Items[i].Pos])
					}
				}
			}
			e.Unlock()
		}
	})
	group.Wait()
	require.NoError(t, s.Wait(t.Context(), s.Barrier()))
	require.NoError(t, s.Err())
	for _, closes := range []bool{false, true} {
		if closes {
			require.NoError(t, s.Close(t.Context()))
		} else {
			dir = dir.Clone()
			require.NoError(t, s.Close(t.Context()))
		}
		before := all
		s, all = open()
		require.Equal(t, closes, s.Clean())
		for i, e := range all {
			e.takeAll(t, before[i])
		}
	}
	require.NoError(t, s.Close(t.Context()))
}

// takeAll loads all messages, which must be those of another engine.
func (e *engine) takeAll(t *testing.T, of *engine) {
	e.Lock()
	defer e.Unlock()
	first, last, c := e.k.Out(0)
	require.Equal(t, len(of.living), c.Len)
	for n := 0; n < c.Len; {
		require.True(t, e.k.Load(first, last))
		e.Unlock()
		b := <-e.loaded
		e.Lock()
		e.k.Keep(b)
		for i := range b.Items {
			e.living[b.Items[i].Pos] = string(b.Items[i].Body)
		}
		n += b.Count.Len
		first = b.Last + 1
	}
	require.Equal(t, of.living, e.living)
	e.next = of.next
}
