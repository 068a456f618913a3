package store_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/store"
)

// tiny is a closed store that has files of all kinds, with a few messages in each.
func tiny(t *testing.T) *world {
	w := newWorld(t, 3, store.Options{})
	w.short = true
	a, b := w.declare(), w.declare()
	for i := range 3 {
		for range 6 {
			w.add(a)
			w.add(a, b)
		}
		a.remove()
		a.remove()
		b.returned()
		w.sync()
		if i < 2 {
			w.s.PageOut()
			time.Sleep(time.Second)
		}
	}
	require.True(t, w.end())
	for _, q := range w.queues {
		maps.DeleteFunc(q.msgs, func(_ uint64, m *msg) bool { return m.gone || m.transient })
	}
	return w
}

// lost opens the store, reads all, and returns why some is not there. It fails the test if
// a message is another one than was added, or if messages are missing and nobody says so.
func (w *world) lost() error {
	c := clock.Start()
	w.opt.Clock = &c
	s, err := store.Open(w.dir, w.opt, func(id uint32) bool { return w.queues[id] != nil })
	if err != nil {
		return err
	}
	defer func() { require.NoError(w.t, s.Close(w.t.Context())) }()
	w.s = s
	for _, id := range slices.Sorted(maps.Keys(w.queues)) {
		q := w.queues[id]
		q.attach()
		err = errors.Join(err, q.readAll())
	}
	return err
}

// readAll reads all messages, and returns why some are missing.
func (q *queue) readAll() (damage error) {
	t := q.w.t
	have := make(map[uint64]bool)
	q.Lock()
	defer q.Unlock()
	for _, level := range q.k.Levels() {
		first, last, c := q.k.Out(level)
		for c.Len > 0 && q.k.Load(first, last) {
			q.Unlock()
			b := <-q.loaded
			q.Lock()
			q.k.Keep(b)
			damage = errors.Join(damage, b.Damage)
			for i := range b.Items {
				m := q.msgs[b.Items[i].Pos]
				require.NotNil(t, m, "message %x comes back", b.Items[i].Pos)
				q.same(m, &b.Items[i])
				have[b.Items[i].Pos] = true
			}
			first = b.Last + 1
		}
	}
	if len(have) < len(q.msgs) && damage == nil {
		return errSilent
	}
	return damage
}

var errSilent = errors.New("messages are missing, and nobody says so")

var everyBit = flag.Bool("store.bits", false, "flip each bit, which takes a minute")

// bits is 1 if each bit is to be flipped, and else how many bits there are from one to the
// next.
func bits() int64 {
	if *everyBit {
		return 1
	}
	return 5
}

// TestEachFlippedBitIsTold flips bits of each file of a small store.
func TestEachFlippedBitIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tiny(t)
		kinds := make(map[string]int)
		for _, name := range w.dir.Names() {
			kinds[name[:3]]++
			for bit := int64(0); bit < int64(8*len(w.dir.Bytes(name))); bit += bits() {
				o := w.fork(w.dir.Clone())
				require.NoError(t, o.dir.Flip(name, bit))
				err := o.lost()
				var damage *journal.DamagedError
				require.ErrorAs(t, err, &damage, "bit %d of %s", bit, name)
			}
		}
		require.Equal(t, 3, len(kinds), "the index, page files, the log: %v", kinds)
		require.NoError(t, w.fork(w.dir.Clone()).lost())
	})
}

// TestEachFileThatIsMissingIsTold removes each file of a small store.
func TestEachFileThatIsMissingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tiny(t)
		for _, name := range w.dir.Names() {
			o := w.fork(w.dir.Clone())
			require.NoError(t, o.dir.Remove(name))
			var damage *journal.DamagedError
			require.ErrorAs(t, o.lost(), &damage, name)
		}
	})
}

// TestABlockInTheWrongPlaceIsTold exchanges two blocks of a page file, each of which has a
// checksum that fits its content.
func TestABlockInTheWrongPlaceIsTold(t *testing.T) {
	bubble(t, store.Options{}, func(t *testing.T, w *world) {
		q := w.declare()
		for i := range uint64(512) {
			q.put(1024+i, fmt.Sprintf("message %03d", i)) // all blocks have the same size
		}
		w.pageOut()
		name := w.dir.Names()[len(w.dir.Names())-1]
		data := w.dir.Bytes(name)
		first, second := bytes.Index(data, []byte("message 000")), bytes.Index(data, []byte("message 256"))
		size := second - first
		const from = 32 // the header's size
		for i := range size {
			for bit := range 8 {
				if (data[from+i]^data[from+size+i])>>bit&1 == 1 {
					require.NoError(t, w.dir.Flip(name, int64(8*(from+i)+bit)))
					require.NoError(t, w.dir.Flip(name, int64(8*(from+size+i)+bit)))
				}
			}
		}
		q.Lock()
		require.True(t, q.k.Load(1024, 1535))
		q.Unlock()
		require.Error(t, (<-q.loaded).Damage)
	})
}

// TestSalvageKeepsWhatIsNotDamaged flips bits, removes files, and opens the store
// nevertheless. What is in other files is there, and the second time nothing is wrong.
func TestSalvageKeepsWhatIsNotDamaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tiny(t)
		for _, name := range w.dir.Names() {
			least := math.MaxInt
			for bit := int64(0); bit < int64(8*len(w.dir.Bytes(name))); bit += 7 * bits() {
				o := w.fork(w.dir.Clone())
				require.NoError(t, o.dir.Flip(name, bit))
				least = min(least, o.salvage())
			}
			o := w.fork(w.dir.Clone())
			require.NoError(t, o.dir.Remove(name))
			t.Log(name, "bits:", least, "removed:", o.salvage(), "of", len(w.queues[1].msgs)+len(w.queues[2].msgs))
		}
	})
}

// salvage opens a store that is damaged, and returns how many messages it still has. Those
// that were settled may come back.
func (w *world) salvage() (left int) {
	t := w.t
	w.opt.Salvage = true
	require.True(t, w.try())
	for _, q := range w.queues {
		left += q.readMost()
	}
	require.True(t, w.end())
	w.opt.Salvage = false
	w.start() // it is whole again
	again := 0
	for _, q := range w.queues {
		again += q.readMost()
	}
	require.Equal(t, left, again)
	require.True(t, w.end())
	return left
}

// With Salvage, queues may have been lost with what was damaged. It is told what they had.
func TestSalvageTellsOfMessagesOfQueuesThatAreNotKnown(t *testing.T) {
	for _, paged := range []bool{false, true} {
		for _, salvage := range []bool{false, true} {
			var log bytes.Buffer
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, store.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Salvage: salvage})
				a, b := w.declare(), w.declare()
				a.put(0, "kept")
				for i := range uint64(5) {
					b.put(i, "lost")
				}
				require.True(t, w.sync())
				b.Lock()
				b.k.Remove(0)
				b.Unlock()
				if paged {
					w.pageOut()
				}
				require.True(t, w.end())
				delete(w.queues, b.id)
				w.start()
				require.True(t, w.end())
			})
			if salvage {
				require.Contains(t, log.String(), "queue=2 messages=4")
			} else {
				require.Empty(t, log.String())
			}
		}
	}
}

// readMost reads all messages that can be read and were not settled, and returns how many
// they are.
func (q *queue) readMost() (n int) {
	seen := make(map[uint64]bool)
	q.Lock()
	defer q.Unlock()
	for _, level := range q.k.Levels() {
		first, last, c := q.k.Out(level)
		for c.Len > 0 && q.k.Load(first, last) {
			q.Unlock()
			b := <-q.loaded
			q.Lock()
			q.k.Keep(b)
			for i := range b.Items {
				it := &b.Items[i]
				require.False(q.w.t, seen[it.Pos], "message %x is there twice", it.Pos)
				seen[it.Pos] = true
				if m := q.msgs[it.Pos]; m != nil {
					q.same(m, it)
					n++
				}
			}
			first = b.Last + 1
		}
	}
	return n
}
