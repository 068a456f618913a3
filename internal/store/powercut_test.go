package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/store"
)

// try opens the store, and reports false if the disk does not let it.
func (w *world) try() bool {
	c := clock.Start()
	w.opt.Clock = &c
	s, err := store.Open(w.dir, w.opt, func(id uint32) bool { return w.queues[id] != nil })
	if err != nil {
		return false
	}
	w.s = s
	for _, q := range w.queues {
		q.attach()
	}
	return true
}

// session is what the tests of failures do: two uses of a store with all that it does.
// Between its steps the background has time.
func (w *world) session() {
	if w.s == nil && !w.try() {
		return
	}
	if len(w.queues) == 0 {
		w.declare()
		w.declare()
	}
	a, b := w.queues[1], w.queues[2]
	w.busy.Lock()
	defer w.busy.Unlock()
	w.dir.Before(func(op filestest.Op) error {
		if op.Kind == filestest.Create && strings.HasPrefix(op.Name, "pages-") && w.busy.TryLock() {
			w.move(a, b) // a dead letter while the log becomes a page file
			w.busy.Unlock()
		}
		return nil
	})
	defer w.dir.Before(nil)
	for range 3 {
		for range 30 {
			w.add(a)
			w.add(b)
			w.add(a, b)
		}
		w.sync()
		for range 45 {
			a.remove()
		}
		b.returned()
		w.sync()
		b.removeRange()
		w.pause(50 * time.Millisecond)
		w.add(b)
		w.sync()
		w.s.PageOut()
		w.pause(50 * time.Millisecond)
	}
	for len(a.living()) > 3 {
		a.remove()
	}
	w.pause(2 * time.Second)
	w.sync()
}

// pause lets the background work.
func (w *world) pause(d time.Duration) {
	w.busy.Unlock()
	time.Sleep(d)
	w.busy.Lock()
}

// end closes the store. It reports whether that was possible.
func (w *world) end() bool {
	if w.s == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	err := w.s.Close(ctx)
	w.s = nil
	return err == nil
}

// fork is the world with another directory.
func (w *world) fork(dir *filestest.Dir) *world {
	o := &world{t: w.t, rnd: w.rnd, dir: dir, opt: w.opt, queues: make(map[uint32]*queue), lastID: w.lastID, bodies: w.bodies, short: w.short, crashed: true}
	copies := make(map[*msg]*msg)
	for id, q := range w.queues {
		p := &queue{w: o, id: id, next: q.next, msgs: make(map[uint64]*msg)}
		for pos, m := range q.msgs {
			c := *m
			p.msgs[pos] = &c
			copies[m] = &c
		}
		o.queues[id] = p
	}
	for _, l := range w.letters {
		if of, by := copies[l.of], copies[l.by]; of != nil && by != nil {
			o.letters = append(o.letters, letter{of, by})
		}
	}
	return o
}

var small = store.Options{FileSize: 2 << 10}

// past is a directory in which a session was, and its store closed. It is made once and
// copied for each test that begins with it.
type past struct {
	w   *world
	end time.Time // in the bubble
}

func newPast(t *testing.T, seed uint64) (p past) {
	synctest.Test(t, func(t *testing.T) {
		p.w = newWorld(t, seed, small)
		p.w.session()
		require.True(t, p.w.end())
		for _, q := range p.w.queues {
			maps.DeleteFunc(q.msgs, func(_ uint64, m *msg) bool { return m.gone || m.transient })
			for _, m := range q.msgs {
				m.sure = true
			}
		}
		p.w.letters = nil
		p.end = time.Now()
	})
	return p
}

// world is a world that goes on from there, in another bubble.
func (p past) world(t *testing.T, seed uint64) *world {
	time.Sleep(time.Until(p.end))
	w := p.w.fork(p.w.dir.Clone())
	w.t, w.rnd, w.crashed = t, rand.New(rand.NewPCG(seed, 3)), false
	return w
}

// TestPowerCutAtEachOperation cuts the power at each operation of a session, and looks at
// what may be on the disk then.
func TestPowerCutAtEachOperation(t *testing.T) {
	total := 0
	past := newPast(t, 7)
	for n := 1; ; n += step(t) {
		more := false
		synctest.Test(t, func(t *testing.T) {
			w := past.world(t, 7)
			start := w.dir.Ops()
			w.dir.CutAt(start + n)
			w.session()
			more = !w.end()
			total = w.dir.Ops() - start
			rnd := rand.New(rand.NewPCG(uint64(n), 2))
			for i := range 3 {
				o := w.fork(w.dir.Image(rnd))
				o.start()
				o.check()
				if i == 0 { // it works, and what it leaves can be opened
					o.session()
					o.restart()
				}
				require.True(t, o.end())
			}
		})
		if !more || t.Failed() {
			break
		}
	}
	t.Log(total, "operations")
	require.Greater(t, total, 100)
}

// step is 1, or more if the tests are to be short.
func step(t *testing.T) int {
	if testing.Short() {
		return 7
	}
	return 1
}

var errDisk = errors.New("the disk is broken")

// TestEachOperationMayFail lets each operation of a session fail, once or until the end of
// the session. What was stored stays, and the store goes on by itself.
func TestEachOperationMayFail(t *testing.T) {
	n := 0
	past := newPast(t, 8)
	for _, forever := range []bool{false, true} {
		t.Run(fmt.Sprint("for ever ", forever), func(t *testing.T) {
			for n = 1; !t.Failed(); n += step(t) {
				more := false
				synctest.Test(t, func(t *testing.T) { more = past.failAt(t, n, forever) })
				if !more {
					break
				}
			}
			require.Greater(t, n, 40, "operations")
		})
	}
}

func (p past) failAt(t *testing.T, n int, forever bool) (more bool) {
	w := p.world(t, 8)
	start := w.dir.Ops()
	if forever {
		w.dir.FailFrom(start+n, errDisk)
	} else {
		w.dir.FailAt(start+n, errDisk)
	}
	opened := w.try()
	if opened {
		w.sessionUntilHealed(forever)
	}
	more = w.dir.Ops()-start >= n
	w.dir.Heal()
	if opened {
		time.Sleep(3 * time.Second) // it goes on
		require.NoError(t, w.s.Err())
		require.True(t, w.sync())
		require.True(t, w.end())
		for _, q := range w.queues {
			maps.DeleteFunc(q.msgs, func(_ uint64, m *msg) bool { return m.gone || m.transient })
		}
	}
	require.True(t, w.try())
	require.Equal(t, opened, w.s.Clean() && opened)
	w.check()
	require.True(t, w.end())
	return more
}

// sessionUntilHealed is session, without waiting for what may never come.
func (w *world) sessionUntilHealed(forever bool) {
	if !forever {
		w.session()
		return
	}
	a, b := w.queues[1], w.queues[2]
	for range 100 {
		w.add(a, b)
		w.add(b)
		a.remove()
	}
	w.sync()
	b.removeRange()
	w.s.PageOut()
	time.Sleep(3 * time.Second)
	w.add(a)
	w.sync()
}
