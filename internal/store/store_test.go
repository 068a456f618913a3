package store_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/store"
)

// taker is the engine of a queue.
type taker struct {
	sync.Mutex
	k      *store.Queue
	loaded chan *store.Block
}

func (t *taker) Loaded(b *store.Block) { t.loaded <- b }
func (t *taker) Paged()                {}

func all(uint32) bool { return true }

func open(t *testing.T, dir *filestest.Dir, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(dir, o, all)
	require.NoError(t, err)
	return s
}

func engine(s *store.Store, id uint32) *taker {
	k := &taker{loaded: make(chan *store.Block, 1)}
	k.k = s.Queue(id, &k.Mutex, k)
	return k
}

// add adds a persistent message.
func (t *taker) add(pos uint64, body string) uint64 {
	t.Lock()
	defer t.Unlock()
	exchange := "x"
	p := message.Publishing{Entry: message.Entry{Body: []byte(body), Key: "key", Exchange: &exchange}}
	t.k.Add(pos, &p, 0, true)
	return p.Synced
}

// bodies loads all messages of a level.
func (t *taker) bodies(level uint8) (bodies []string) {
	t.Lock()
	defer t.Unlock()
	first, last, c := t.k.Out(level)
	for n := 0; n < c.Len; {
		if !t.k.Load(first, last) {
			break
		}
		t.Unlock()
		b := <-t.loaded
		t.Lock()
		t.k.Keep(b)
		for _, it := range b.Items {
			bodies = append(bodies, string(it.Body))
		}
		n += b.Count.Len
		first = b.Last + 1
	}
	return bodies
}

func TestWhatLivesIsThereAfterARestart(t *testing.T) {
	dir := filestest.New()
	s := open(t, dir, store.Options{})
	q := engine(s, 7)
	var want []string
	var last uint64
	for i := range 1000 {
		body := fmt.Sprint("message ", i)
		last = q.add(uint64(i), body)
		if i%3 == 0 {
			q.Lock()
			q.k.Remove(uint64(i))
			q.Unlock()
		} else {
			want = append(want, body)
		}
	}
	require.NoError(t, s.Wait(t.Context(), store.Seq(last)))
	require.NoError(t, s.Close(t.Context()))
	for range 3 {
		s = open(t, dir, store.Options{})
		require.True(t, s.Clean())
		q = engine(s, 7)
		require.Equal(t, uint64(1000), q.k.Next(0))
		require.Equal(t, want, q.bodies(0))
		require.NoError(t, s.Close(t.Context()))
	}
}
