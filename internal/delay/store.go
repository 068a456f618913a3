// Package delay keeps messages back for the time that a header asks for.
package delay

import (
	"container/heap"
	"strconv"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/tasks"
)

// Header is the header that says for how many milliseconds a message is kept
// back.
const Header = "x-delay"

// Max is the longest delay, in milliseconds: the bound of all times of RabbitMQ's,
// which is ten years. A longer delay counts as this one.
const Max = message.MaxExpiration

// Of returns for how many milliseconds a message is to be kept back. Zero means
// not at all: there is no delay, or it is negative.
func Of(c message.Content) int64 {
	if c == nil {
		return 0
	}
	v := c.Header(Header)
	ms, ok := table.Integer(v)
	switch v := v.(type) {
	case string:
		ms, _ = strconv.ParseInt(v, 10, 64) // the nearest value, if it is out of range
	case float32:
		ms = wholeDelay(float64(v))
	case float64:
		ms = wholeDelay(v)
	default:
		if !ok {
			return 0
		}
	}
	return min(max(0, ms), Max)
}

// wholeDelay returns f without its fraction, or zero if f is no number.
func wholeDelay(f float64) int64 {
	if f != f {
		return 0
	}
	return int64(min(max(0, f), Max))
}

// New makes a store. When the time of a message has come, the store calls release
// with it, with no lock held. The goroutine that does so is counted in t.
func New(c *clock.Clock, m *memory.Budget, t *tasks.Group, release func(p *message.Publishing)) *Store {
	return &Store{clock: c, memory: m, tasks: t, release: release}
}

// Store keeps the messages that an exchange keeps back.
type Store struct {
	clock   *clock.Clock
	memory  *memory.Budget
	tasks   *tasks.Group
	release func(p *message.Publishing)

	mu sync.Mutex
	// Guarded by mu, which is locked with the topology's lock held or alone.
	waiting waitingHeap
	added   uint64 // number of messages that were added, ever
	bytes   int64  // that the waiting messages hold
	alarm   clock.Alarm
	busy    bool // a goroutine releases what is due
	closed  bool
}

// waiting is a message that is kept back.
type waiting struct {
	message.Publishing
	due   int64  // on the clock
	order uint64 // among those that are due at the same time
	size  int64  // bytes that it holds
}

// waitingSize is how many bytes a waiting message holds beside what its entry counts.
const waitingSize = 128

// Add keeps a message back. It reports false if the store is closed, because the
// exchange was deleted.
func (d *Store) Add(p *message.Publishing) bool {
	now := d.clock.Now()
	w := &waiting{Publishing: *p, due: now + Of(p.Content)*int64(time.Millisecond)}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.added++
	w.order = d.added
	heap.Push(&d.waiting, w)
	w.size = w.Cost() + w.Size() + waitingSize
	d.bytes += w.size
	d.memory.Add(w.size)
	d.wakeAt(now)
	return true
}

// wakeAt sets the alarm for the first message. It does nothing while a goroutine
// releases messages: that goroutine sets the alarm at its end.
func (d *Store) wakeAt(now int64) {
	if !d.busy && len(d.waiting) > 0 {
		d.alarm.Set(d.waiting[0].due, now, d)
	}
}

// Ring releases the messages that are due, in order. The store's alarm calls it.
// Only one goroutine at a time releases messages.
func (d *Store) Ring() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.alarm.Rung()
	if d.closed || d.busy {
		return
	}
	d.tasks.Add()
	defer d.tasks.Done()
	d.busy = true
	for {
		due, bytes := d.due(d.clock.Now())
		if len(due) == 0 {
			break
		}
		d.mu.Unlock()
		for _, w := range due {
			d.release(&w.Publishing)
		}
		d.memory.Add(-bytes) // only now, when the queues hold them
		d.mu.Lock()
	}
	d.busy = false
	if !d.closed {
		d.wakeAt(d.clock.Now())
	}
}

// releasedAtOnce is how many messages are taken out under one lock.
const releasedAtOnce = 256

// due takes out messages whose time has come, at most releasedAtOnce, and returns
// them with the bytes that they hold.
func (d *Store) due(now int64) (list []*waiting, bytes int64) {
	for len(list) < releasedAtOnce && len(d.waiting) > 0 && d.waiting[0].due <= now {
		w := heap.Pop(&d.waiting).(*waiting)
		bytes += w.size
		list = append(list, w)
	}
	d.bytes -= bytes
	return list, bytes
}

// Close drops all messages. The store accepts no more.
func (d *Store) Close() {
	d.mu.Lock()
	lost := d.waiting
	d.memory.Add(-d.bytes)
	d.waiting, d.bytes, d.closed = nil, 0, true
	d.alarm.Stop()
	d.mu.Unlock()
	for _, w := range lost {
		w.Lost()
	}
}

// waitingHeap is a heap with the message that is due first at its front. Its methods
// are those of heap.Interface.
type waitingHeap []*waiting

func (h waitingHeap) Len() int      { return len(h) }
func (h waitingHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *waitingHeap) Push(w any)   { *h = append(*h, w.(*waiting)) }

func (h waitingHeap) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	return h[i].order < h[j].order
}

func (h *waitingHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return w
}

// Stats returns how many messages the store keeps back, and the bytes that they
// hold.
func (d *Store) Stats() (messages int, bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.waiting), d.bytes
}
