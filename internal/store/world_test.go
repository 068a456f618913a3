package store_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/store"
	"github.com/warrenmq/warren/internal/table"
)

// world is a store, and what must be in it.
type world struct {
	t      testing.TB
	rnd    *rand.Rand
	dir    *filestest.Dir
	opt    store.Options
	s      *store.Store
	queues map[uint32]*queue
	lastID uint32
	bodies int
	short  bool // messages are short and persistent

	letters []letter
	busy    sync.Mutex // held by the test unless it sleeps: see session

	crashed bool // the store was not closed, although it may be that its disk does not know
}

// queue is the engine of a queue, and a simple model of it.
type queue struct {
	sync.Mutex
	w      *world
	id     uint32
	k      *store.Queue
	loaded chan *store.Block
	next   [3]uint64 // positions of the levels
	msgs   map[uint64]*msg
	memory []uint64 // transient messages of msgs that are in memory only
}

// msg is a message that was added. It is forgotten when it must have gone.
type msg struct {
	entry       message.Entry
	transient   bool
	deadline    time.Time
	returns     uint32
	redelivered bool
	sure        bool // it is stored
	gone        bool // it was removed
	missing     bool // it was not there when the store was opened last
}

// letter is a message that took the place of another.
type letter struct{ of, by *msg }

func newWorld(t testing.TB, seed uint64, o store.Options) *world {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), dir: filestest.New(), opt: o, queues: make(map[uint32]*queue)}
	w.start()
	return w
}

// start opens the store.
func (w *world) start() {
	c := clock.Start()
	w.opt.Clock = &c
	s, err := store.Open(w.dir, w.opt, func(id uint32) bool { return w.queues[id] != nil })
	require.NoError(w.t, err)
	w.s = s
	for _, q := range w.queues {
		q.attach()
	}
}

func (q *queue) attach() {
	q.loaded = make(chan *store.Block, 1)
	q.k = q.w.s.Queue(q.id, &q.Mutex, q)
}

func (q *queue) Loaded(b *store.Block) { q.loaded <- b }
func (q *queue) Paged()                {}

// declare makes a queue.
func (w *world) declare() *queue {
	w.lastID++
	q := &queue{w: w, id: w.lastID, msgs: make(map[uint64]*msg)}
	for i := range q.next {
		q.next[i] = uint64(i) << 56
	}
	w.queues[q.id] = q
	q.attach()
	return q
}

// some returns one of the queues.
func (w *world) some() *queue {
	ids := slices.Sorted(maps.Keys(w.queues))
	if len(ids) == 0 {
		return w.declare()
	}
	return w.queues[ids[w.rnd.IntN(len(ids))]]
}

// entry makes a message that nothing else is like.
func (w *world) entry() message.Entry {
	w.bodies++
	size := w.rnd.IntN(100)
	switch w.rnd.IntN(200) {
	case 0:
		size = 300 << 10
	case 1, 2, 3:
		size = 5000
	}
	if w.short {
		size %= 20
	}
	exchange := fmt.Sprint("x", w.rnd.IntN(3))
	e := message.Entry{Key: fmt.Sprint("key", w.rnd.IntN(3)), Exchange: &exchange}
	e.Body = fmt.Appendf(nil, "message %d %s", w.bodies, strings.Repeat("-", size))
	if w.rnd.IntN(3) == 0 {
		e.Content = message.NewPublished(&message.Properties{DeliveryMode: 2, MessageId: fmt.Sprint(w.bodies), Headers: table.Table{"n": int64(w.bodies)}})
	}
	return e
}

// add adds a message to queues; if there are several, its body is shared.
func (w *world) add(queues ...*queue) {
	p := message.Publishing{Entry: w.entry(), Shared: len(queues) > 1}
	for _, q := range queues {
		level := 0
		if q.id%2 == 0 {
			level = w.rnd.IntN(len(q.next))
		}
		m := &msg{entry: p.Entry}
		var deadline int64
		if w.rnd.IntN(4) == 0 {
			m.deadline = time.Now().Add(time.Duration(w.rnd.IntN(1000)) * time.Hour)
			deadline = w.opt.Clock.At(m.deadline)
		}
		m.transient = w.rnd.IntN(8) == 0 && !w.short
		q.Lock()
		pos := q.next[level]
		q.next[level] += 1 + uint64(w.rnd.IntN(2))
		if m.transient && w.rnd.IntN(2) == 0 {
			q.memory = append(q.memory, pos)
		} else {
			q.k.Add(pos, &p, deadline, !m.transient)
		}
		q.msgs[pos] = m
		q.Unlock()
	}
}

// spill puts the transient messages on disk that are in memory only.
func (q *queue) spill() {
	for _, pos := range q.memory {
		m := q.msgs[pos]
		if m == nil || m.gone {
			continue
		}
		it := message.Item{Entry: m.entry, Pos: pos, Returns: m.returns, Redelivered: m.redelivered}
		if !m.deadline.IsZero() {
			it.Deadline = q.w.opt.Clock.At(m.deadline)
		}
		q.Lock()
		q.k.Spill(&it)
		q.Unlock()
	}
	q.memory = nil
}

// move lets the first message of a queue become one of another, as dead letters do.
func (w *world) move(from, to *queue) {
	all := from.living()
	if len(all) == 0 {
		return
	}
	of := from.msgs[all[0]]
	by := &msg{entry: of.entry}
	p := message.Publishing{Entry: of.entry}
	to.Lock()
	pos := to.next[0]
	to.next[0]++
	to.k.Add(pos, &p, 0, true)
	to.msgs[pos] = by
	to.Unlock()
	from.Lock()
	from.k.Remove(all[0])
	of.gone = true
	from.Unlock()
	if !of.transient {
		w.letters = append(w.letters, letter{of, by})
	}
}

// living returns the positions of what lives.
func (q *queue) living() (all []uint64) {
	for pos, m := range q.msgs {
		if !m.gone {
			all = append(all, pos)
		}
	}
	slices.Sort(all)
	return all
}

// remove settles one of the first messages, or any.
func (q *queue) remove() {
	all := q.living()
	if len(all) == 0 {
		return
	}
	i := q.w.rnd.IntN(min(3, len(all)))
	if q.w.rnd.IntN(10) == 0 {
		i = q.w.rnd.IntN(len(all))
	}
	q.Lock()
	defer q.Unlock()
	q.k.Remove(all[i])
	q.msgs[all[i]].gone = true
}

// comeBack settles the first messages, and then they come back.
func (q *queue) comeBack() {
	all := q.living()
	for _, pos := range all[:min(len(all), 1+q.w.rnd.IntN(5))] {
		m := q.msgs[pos]
		if m.transient {
			continue
		}
		it := message.Item{Entry: m.entry, Pos: pos, Returns: m.returns, Redelivered: m.redelivered}
		if !m.deadline.IsZero() {
			it.Deadline = q.w.opt.Clock.At(m.deadline)
		}
		q.Lock()
		q.k.Remove(pos)
		q.k.AddAgain(&it)
		q.Unlock()
		m.sure = false
	}
}

// removeRange settles all messages from the first one on, or in the middle.
func (q *queue) removeRange() {
	all := q.living()
	if len(all) == 0 {
		return
	}
	first, last := all[0], all[q.w.rnd.IntN(len(all))]
	if q.w.rnd.IntN(2) == 0 {
		first = all[q.w.rnd.IntN(len(all))]
	}
	if first > last || first>>56 != last>>56 {
		return
	}
	q.Lock()
	defer q.Unlock()
	q.k.RemoveRange(first, last)
	for pos, m := range q.msgs {
		if first <= pos && pos <= last {
			m.gone = true
		}
	}
}

// returned notes a requeue.
func (q *queue) returned() {
	all := q.living()
	if len(all) == 0 {
		return
	}
	pos := all[q.w.rnd.IntN(len(all))]
	m := q.msgs[pos]
	m.returns++
	m.redelivered = true
	q.Lock()
	defer q.Unlock()
	q.k.Returned(pos, m.returns, true)
}

// remove deletes the queue.
func (w *world) remove(q *queue) {
	q.Lock()
	defer q.Unlock()
	q.k.Delete()
	delete(w.queues, q.id)
}

// sync waits until all that was done is stored. It reports false if it cannot be.
func (w *world) sync() bool {
	if w.s.Wait(w.t.Context(), w.s.Barrier()) != nil {
		return false
	}
	for _, q := range w.queues {
		for pos, m := range q.msgs {
			m.sure = true
			if m.gone {
				delete(q.msgs, pos)
			}
		}
	}
	return true
}

// close closes the store, and opens it again.
func (w *world) restart() {
	require.NoError(w.t, w.s.Close(w.t.Context()))
	w.start()
	w.crashed = false
	require.True(w.t, w.s.Clean())
	for _, q := range w.queues {
		for pos, m := range q.msgs {
			if m.gone || m.transient {
				delete(q.msgs, pos)
			}
			m.sure = true
		}
	}
	w.check()
}

// crash goes on with another directory, which is what a crash has left.
func (w *world) crash(dir *filestest.Dir) {
	w.dir.Cut() // what is left of the old one does nothing any more
	_ = w.s.Close(canceled(w.t))
	w.dir, w.crashed = dir, true
	w.start()
	w.check()
}

// check compares what the store has with what it must have, and takes it over.
func (w *world) check() {
	for _, id := range slices.Sorted(maps.Keys(w.queues)) {
		w.queues[id].check()
	}
	for _, l := range w.letters {
		require.False(w.t, l.of.missing && l.by.missing && l.of.sure && !l.by.gone, "a message is lost on its way from one queue to another")
	}
	w.letters = nil
}

func (q *queue) check() {
	t, clean := q.w.t, q.w.s.Clean()
	have := make(map[uint64]*msg)
	q.Lock()
	levels := q.k.Levels()
	q.Unlock()
	for _, level := range levels {
		q.Lock()
		first, last, c := q.k.Out(level)
		q.Unlock()
		items := q.load(first, last, c.Len)
		var got store.Count
		for i := range items {
			it := &items[i]
			got.Len++
			got.Bytes += int64(len(it.Body))
			if it.Deadline != 0 {
				got.Timed++
			}
			m := q.msgs[it.Pos]
			switch {
			case m == nil:
				require.Fail(t, "a message comes back", "queue %d: message %x", q.id, it.Pos)
			case m.transient:
				require.Fail(t, "a message is transient", "queue %d: message %x", q.id, it.Pos)
			case it.Returns > m.returns:
				require.Fail(t, "a message was returned more often than it was", "queue %d: message %x", q.id, it.Pos)
			case clean && !q.w.crashed && m.redelivered != it.Redelivered, !clean && !it.Redelivered:
				require.Fail(t, "redelivered is wrong", "queue %d: message %x: %v, and was %v", q.id, it.Pos, it.Redelivered, m.redelivered)
			}
			q.same(m, it)
			m.returns = it.Returns
			m.redelivered = it.Redelivered
			m.gone, m.sure = false, true
			have[it.Pos] = m
		}
		require.Equal(t, c, got, "queue %d", q.id)
	}
	for pos, m := range q.msgs {
		m.missing = have[pos] == nil
		if m.missing && !m.gone && m.sure && !m.transient {
			require.Fail(t, "a message is lost", "queue %d: message %x", q.id, pos)
		}
	}
	q.msgs, q.memory = have, nil
	q.Lock()
	defer q.Unlock()
	for i := range q.next {
		next := q.k.Next(uint8(i))
		for pos := range have {
			if int(pos>>56) == i && pos >= next {
				require.Fail(t, "a position is given again", "%x, from %x on", pos, next)
			}
		}
		q.next[i] = next
	}
}

// same compares a message that was read.
func (q *queue) same(m *msg, it *message.Item) {
	t := q.w.t
	if string(m.entry.Body) != string(it.Body) || m.entry.Key != it.Key || *m.entry.Exchange != *it.Exchange { // as a rule this is all that takes time
		require.Fail(t, "another message", "queue %d: message %x is %.100q with key %s from %s, and was %.100q with key %s from %s",
			q.id, it.Pos, it.Body, it.Key, *it.Exchange, m.entry.Body, m.entry.Key, *m.entry.Exchange)
	}
	if m.entry.Content != nil || it.Content != nil {
		require.Equal(t, m.entry.Shown(), it.Shown())
	}
	if m.deadline.IsZero() {
		if it.Deadline != 0 {
			require.Zero(t, it.Deadline)
		}
	} else {
		require.InDelta(t, q.w.opt.Clock.At(m.deadline), it.Deadline, 2e6)
	}
}

// load reads n messages.
func (q *queue) load(first, last uint64, n int) (items []message.Item) {
	for n > 0 {
		q.Lock()
		ok := q.k.Load(first, last)
		q.Unlock()
		require.True(q.w.t, ok, "queue %d: %d more messages", q.id, n)
		b := <-q.loaded
		q.Lock()
		q.k.Keep(b)
		q.Unlock()
		require.NoError(q.w.t, b.Damage)
		require.Equal(q.w.t, len(b.Items), b.Count.Len)
		require.Equal(q.w.t, len(b.Items), len(b.Times))
		items = append(items, b.Items...)
		n -= b.Count.Len
		first = b.Last + 1
	}
	require.True(q.w.t, slices.IsSortedFunc(items, func(a, b message.Item) int { return cmp.Compare(a.Pos, b.Pos) }))
	return items
}

// loadPaged reads messages of a level that are all in page files.
func (q *queue) loadPaged() {
	all := q.living()
	if len(all) == 0 {
		return
	}
	first := all[q.w.rnd.IntN(len(all))]
	last := all[q.w.rnd.IntN(len(all))]
	if first > last {
		first, last = last, first
	}
	if first>>56 != last>>56 {
		return
	}
	from, _ := slices.BinarySearch(all, first)
	to, _ := slices.BinarySearch(all, last)
	want := all[from : to+1]
	q.Lock()
	paged := q.k.Paged(first, last)
	q.Unlock()
	require.LessOrEqual(q.w.t, paged, len(want))
	if paged < len(want) {
		return
	}
	items := q.load(first, last, len(want))
	for i := range items {
		require.Equal(q.w.t, want[i], items[i].Pos)
		m := q.msgs[items[i].Pos]
		q.same(m, &items[i])
		require.Equal(q.w.t, m.returns, items[i].Returns)
		require.Equal(q.w.t, m.redelivered, items[i].Redelivered)
	}
}
