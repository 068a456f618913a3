// Package delay keeps messages back for the time that a header asks for.
package delay

import (
	"container/heap"
	"strconv"
	"sync"
	"sync/atomic"
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
// with it, with no lock held. Release must not keep it. It returns false if it has done
// nothing, because the broker ends. The goroutine that calls it is counted in t.
func New(c *clock.Clock, m *memory.Budget, t *tasks.Group, release func(p *message.Publishing) bool) *Store {
	return &Store{clock: c, memory: m, tasks: t, release: release}
}

// Store keeps the messages that an exchange keeps back.
type Store struct {
	clock   *clock.Clock
	memory  *memory.Budget
	tasks   *tasks.Group
	release func(p *message.Publishing) bool
	ended   atomic.Bool // nothing more is released

	mu sync.Mutex
	// Guarded by mu, which is locked with the topology's lock held or alone.
	waiting waitingHeap
	added   uint64 // number of messages that were added, ever
	bytes   int64  // that the waiting messages hold
	alarm   clock.Alarm
	busy    bool     // a goroutine releases what is due
	leaving struct { // what it releases at the moment
		messages int
		bytes    int64
	}
	closed bool
	quiet  chan struct{} // closed when the goroutine ends; nil: nobody waits for that
	disk   *onDisk       // nil: all is in memory only
}

// waiting is a message that is kept back.
type waiting struct {
	message.Entry
	keys  *keys  // further routing keys; nil: none
	due   int64  // on the clock
	order uint64 // among those that are due at the same time
	size  int64  // bytes that it holds
}

// keys are the Extra and Hidden of a publishing.
type keys struct{ extra, hidden []string }

// newWaiting returns what waits of a publishing.
func newWaiting(p *message.Publishing, due int64) *waiting {
	w := &waiting{Entry: p.Entry, due: due, size: p.Cost() + p.Size() + waitingSize}
	if len(p.Extra) > 0 {
		w.keys = &keys{p.Extra, p.Hidden}
	}
	return w
}

// restore sets p to the publishing that waits.
func (w *waiting) restore(p *message.Publishing) {
	*p = message.Publishing{Entry: w.Entry}
	if w.keys != nil {
		p.Extra, p.Hidden = w.keys.extra, w.keys.hidden
	}
}

// waitingSize is how many bytes a waiting message holds beside what its entry counts.
const waitingSize = 128

// Add keeps a message back. It reports false if the store is closed, because the
// exchange was deleted. If the message is kept on disk, Add sets its Synced.
func (d *Store) Add(p *message.Publishing) bool {
	now := d.clock.Now()
	w := newWaiting(p, now+Of(p.Content)*int64(time.Millisecond))
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.added++
	w.order = d.added
	if d.disk != nil && p.Persistent() {
		kept := *p // so that no publisher's p needs to be on the heap
		d.disk.Add(w.order, &kept, w.due, true)
		p.Synced, p.Stored = kept.Synced, kept.Stored
	}
	d.push(w)
	d.wakeAt(now)
	return true
}

// push adds a message to those that wait. mu is held.
func (d *Store) push(w *waiting) {
	heap.Push(&d.waiting, w)
	d.bytes += w.size
	d.memory.Add(w.size)
}

// wakeAt sets the alarm for the first message. It does nothing while a goroutine
// releases messages: that goroutine sets the alarm at its end.
func (d *Store) wakeAt(now int64) {
	if !d.busy && len(d.waiting) > 0 && (d.disk == nil || !d.disk.loading) {
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
		d.leaving.messages, d.leaving.bytes = len(due), bytes
		d.mu.Unlock()
		n := d.releaseAll(due)
		d.memory.Add(-bytes) // only now, when the queues hold them
		if d.disk != nil {   // On was called before
			d.forget(due[:n])
		}
		d.mu.Lock()
		d.leaving.messages, d.leaving.bytes = 0, 0
	}
	d.busy = false
	if d.quiet != nil {
		close(d.quiet)
	}
	if !d.closed {
		d.wakeAt(d.clock.Now())
	}
}

// releaseAll releases messages and returns how many. When the broker ends it drops the
// others; on disk they stay.
func (d *Store) releaseAll(due []*waiting) int {
	var p message.Publishing
	for i, w := range due {
		w.restore(&p)
		if d.ended.Load() || !d.release(&p) {
			for _, w := range due[i:] {
				w.Lost()
			}
			return i
		}
	}
	return len(due)
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

// Close drops all messages, also those on disk. The store accepts no more. If the broker
// ends, what is on disk stays there; then Close waits until the message that is being
// released is in its queues, so that these can be closed: it is either there or on disk.
func (d *Store) Close(ends bool) {
	d.mu.Lock()
	lost := d.waiting
	d.memory.Add(-d.bytes)
	d.waiting, d.bytes, d.closed = nil, 0, true
	d.alarm.Stop()
	if ends {
		d.ended.Store(true)
		if d.busy && d.quiet == nil {
			d.quiet = make(chan struct{})
		}
	} else if d.disk != nil {
		d.disk.Delete()
	}
	quiet := d.quiet
	d.mu.Unlock()
	for _, w := range lost {
		w.Lost()
	}
	if quiet != nil {
		<-quiet
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

// Stats returns how many messages the store keeps back, and the bytes that they hold in
// memory. A message counts until it is in its queues, so that it is always somewhere.
func (d *Store) Stats() (messages int, bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	messages = len(d.waiting) + d.leaving.messages
	if d.disk != nil && !d.closed {
		messages += d.disk.out.Len
	}
	return messages, d.bytes + d.leaving.bytes
}
