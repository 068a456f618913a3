// Package delay keeps messages back until their time has come.
package delay

import (
	"container/heap"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/tasks"
)

// Header is the header of a message that says for how many milliseconds it is
// kept back.
const Header = "x-delay"

// Max is RabbitMQ's bound in milliseconds.
const Max = math.MaxUint32

// Of is how many milliseconds a message is to be kept back; zero: not at
// all.
func Of(c message.Content) int64 {
	if c == nil {
		return 0
	}
	v := c.Headers()[Header]
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
	if ms < 0 || ms > Max {
		return 0
	}
	return ms
}

// wholeDelay is f without its fraction, or zero if that is no delay.
func wholeDelay(f float64) int64 {
	if f > 0 && f <= Max {
		return int64(f)
	}
	return 0
}

// New makes a store. It has release, with no lock held, route a message whose
// time has come, and counts the goroutine that does so among the tasks.
func New(c *clock.Clock, m *memory.Budget, t *tasks.Group, release func(p *message.Publishing)) *Store {
	return &Store{clock: c, memory: m, tasks: t, release: release}
}

// Store has the messages that an exchange keeps back.
type Store struct {
	clock   *clock.Clock
	memory  *memory.Budget
	tasks   *tasks.Group
	release func(p *message.Publishing)

	mu sync.Mutex
	// Guarded by mu, which is locked with the topology's lock held or alone.
	waiting waitingHeap
	came    uint64 // counts messages
	bytes   int64  // that they hold
	alarm   clock.Alarm
	busy    bool // a goroutine routes what is due
	closed  bool
}

// waiting is a message that is kept back.
type waiting struct {
	message.Publishing
	due   int64  // on the clock
	order uint64 // among those that are due at the same time
}

// Add keeps a message back. It reports false if the exchange is gone.
func (d *Store) Add(p *message.Publishing) bool {
	now := d.clock.Now()
	w := &waiting{Publishing: *p, due: now + Of(p.Content)*int64(time.Millisecond)}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.came++
	w.order = d.came
	heap.Push(&d.waiting, w)
	d.bytes += w.Cost()
	d.memory.Add(w.Cost())
	d.wakeAt(now)
	return true
}

// wakeAt sets the alarm for the first message, unless somebody is at work, who
// will look.
func (d *Store) wakeAt(now int64) {
	if !d.busy && len(d.waiting) > 0 {
		d.alarm.Set(d.waiting[0].due, now, d)
	}
}

// Ring releases what is due, in order: one goroutine at a time does so. The
// store's alarm calls it.
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
		d.memory.Add(-bytes) // now that the queues hold them
		d.mu.Lock()
	}
	d.busy = false
	if !d.closed {
		d.wakeAt(d.clock.Now())
	}
}

// releasedAtOnce is how many messages are taken out under one lock.
const releasedAtOnce = 256

// due takes out some of the messages whose time has come.
func (d *Store) due(now int64) (list []*waiting, bytes int64) {
	for len(list) < releasedAtOnce && len(d.waiting) > 0 && d.waiting[0].due <= now {
		w := heap.Pop(&d.waiting).(*waiting)
		bytes += w.Cost()
		list = append(list, w)
	}
	d.bytes -= bytes
	return list, bytes
}

// Close drops all messages and takes no more.
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

// waitingHeap has the message that is due first at its front.
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

// Stats are how many messages the store keeps back, and the bytes that they
// hold.
func (d *Store) Stats() (messages int, bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.waiting), d.bytes
}
