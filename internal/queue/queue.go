// Package queue is the engine of queues: it keeps messages, hands them to
// consumers in turn, takes back what they do not settle, and does what rules ask
// of a queue. It knows nothing of exchanges, channels, sessions, of AMQP's reply
// texts or of virtual hosts.
//
// A queue has no goroutine: whoever publishes, settles or consumes does its
// work, under its lock.
package queue

import (
	"errors"
	"sync"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/mailbox"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/message"
)

// Why a queue does not do what it is asked for.
var (
	ErrDeleted      = errors.New("queue: deleted")
	ErrRefused      = errors.New("queue: no room for the message")
	ErrExclusive    = errors.New("queue: in exclusive use")
	ErrSingleActive = errors.New("queue: only the active consumer gets messages")
	ErrInUse        = errors.New("queue: has consumers")
	ErrNotEmpty     = errors.New("queue: has messages")
	ErrNotExpired   = errors.New("queue: was used lately")
	ErrRemoved      = errors.New("queue: the consumer was removed before")
)

// Shared is what the queues of a broker have together.
type Shared struct {
	Clock  clock.Clock
	Memory memory.Budget
	chunks sync.Pool // of *chunk, of queues' stores
}

// Host is who a queue belongs to. Its methods are for what happens seldom, and
// are called with no lock of a queue held.
type Host interface {
	// DeadLetter takes a message that the queue has lost. A nil address means
	// that the rules have changed meanwhile: it goes nowhere.
	DeadLetter(q *Queue, m *Lost, to *DeadLetter)
	// Expired says that nobody has used the queue for as long as it may stay:
	// the host is to close it if it IsExpired.
	Expired(q *Queue)
}

// Journal is told what must outlive the broker: the place for durable storage.
// It is called with the queue's lock held and must not block.
type Journal interface {
	// Add keeps a message. An error means that it cannot: the publisher gets
	// a nack.
	Add(pos uint64, e message.Entry) error
	// Remove says that a message is done with.
	Remove(pos uint64)
}

// Queue keeps messages and hands them to its consumers.
type Queue struct {
	name   string
	host   Host
	shared *Shared

	mu sync.Mutex
	// Guarded by mu.
	store     store
	stream    *stream     // in place of store, if the queue is a stream; set for good
	rules     *Rules      // nil: nothing is asked of the queue
	journal   Journal     // nil: the messages end with the broker
	consumers []*Consumer // in the order they came
	roomFirst *Consumer   // list of those with room: by priority, then by turn
	roomLast  *Consumer
	wake      *mailbox.Mailbox // to signal when the lock is given up
	unacked   int
	bytes     int64 // held by ready and unacked messages
	reported  int64 // part of bytes that the broker's memory count knows
	deleted   bool
	counts    Counts

	// Of what queues do that are asked for more; guarded by mu.
	seen     *duplicates.Cache // nil: duplicates are messages like others
	single   bool              // only the active consumer gets messages
	active   *Consumer         // with single
	lost     []Lost            // messages that deadLetter is to send out
	sending  bool              // a goroutine is about it
	alarm    clock.Alarm       // calls Ring
	lastUsed int64             // with rules.Expires

	ruleChange uint64 // number of the change that gave the rules; guarded by mu
}

// Options say what a new queue is.
type Options struct {
	Rules        *Rules            // nil: nothing is asked of it
	MaxPriority  uint8             // zero: order of arrival only
	SingleActive bool              // one consumer at a time gets messages
	Stream       bool              // it is a log
	Seen         *duplicates.Cache // nil: it takes duplicates
	Journal      Journal           // nil: the messages end with the broker
}

// Init makes q, which is zero, a queue.
func (q *Queue) Init(name string, host Host, shared *Shared, o *Options) {
	q.name, q.host, q.shared = name, host, shared
	q.store.pool = &shared.chunks
	q.journal = o.Journal
	q.rules, q.single, q.seen = o.Rules, o.SingleActive, o.Seen
	if o.MaxPriority > 0 {
		q.store.levels = newLevels(o.MaxPriority, q.store.pool)
	}
	if o.Stream {
		q.stream = newStream()
	}
	if q.rules != nil && q.rules.Expires > 0 {
		q.mu.Lock() // the alarm may ring at once
		q.touch()
		q.mu.Unlock()
	}
}

// Name is the queue's name.
func (q *Queue) Name() string { return q.name }

// IsStream reports whether the queue is a log.
func (q *Queue) IsStream() bool { return q.stream != nil }

// unlock gives up the lock and then wakes the reader that has got something
// to read: one that woke earlier would only run into the lock. Whatever was
// done, no expired message is left at the head. Dead letters are sent out
// afterwards, so no other lock may be held if there can be any.
func (q *Queue) unlock() {
	send := false
	if q.store.timed > 0 || q.lost != nil {
		send = q.beforeUnlock()
	}
	b := q.wake
	q.wake = nil
	q.mu.Unlock()
	if b != nil {
		b.Signal()
	}
	if send {
		q.deadLetter()
	}
}

// beforeUnlock sees to the head of the queue. It tells whether the caller is to
// send out dead letters, because nobody else does.
func (q *Queue) beforeUnlock() (send bool) {
	if q.store.timed > 0 {
		q.dropExpired() // or the alarm is set for the head that there is now
	}
	send = q.lost != nil && !q.sending
	q.sending = q.sending || send
	return send
}

// wakeLater notes that b must be signalled.
func (q *Queue) wakeLater(b *mailbox.Mailbox) {
	if b == nil || b == q.wake {
		return
	}
	if q.wake != nil {
		q.wake.Signal()
	}
	q.wake = b
}

// Push adds a message. It tells whether the queue has taken it: not if it is
// gone or has had the message before, nor, with Immediate, if no consumer has
// room. It fails with ErrRefused, or with the journal's error.
func (q *Queue) Push(p *message.Publishing) (taken bool, err error) {
	e := &p.Entry
	q.mu.Lock()
	if q.deleted || p.Immediate && !q.anyRoom() {
		q.mu.Unlock()
		return false, nil
	}
	if q.seen != nil && !q.seen.Add(e.Content) {
		q.mu.Unlock()
		return false, nil
	}
	if q.stream != nil {
		err = q.append(e)
		q.unlock()
		return err == nil, err
	}
	if q.rules != nil && q.overflows(e) {
		q.seen.Forget(e.Content)
		q.refuse(e)
		q.unlock()
		return false, ErrRefused
	}
	priority := uint8(0)
	if q.store.levels != nil && e.Content != nil {
		priority = e.Content.Priority()
	}
	if q.journal != nil {
		if err := q.journal.Add(q.store.level(priority).next, *e); err != nil {
			q.seen.Forget(e.Content)
			q.mu.Unlock()
			return false, err
		}
	}
	q.counts.Published++
	deadline := q.deadline(p)
	c := q.pastStore()
	if c == nil || !c.NoAck {
		q.account(e.Cost())
	}
	if c != nil {
		q.hand(c, &message.Item{Entry: *e, Pos: q.store.pass(priority), Deadline: deadline})
	} else {
		q.store.push(e, priority, deadline)
		if q.rules != nil || q.store.timed > 0 {
			q.tidy()
		}
	}
	q.unlock()
	return true, nil
}

// tidy takes out what may not stay, after messages have come to the ready
// ones: as in RabbitMQ, what is too much first, then what has expired.
func (q *Queue) tidy() {
	if q.rules != nil {
		q.trim()
	}
	if q.store.timed > 0 {
		q.dropExpired()
	}
}

// unjournal tells the journal that a message is done with.
func (q *Queue) unjournal(it *message.Item) {
	if q.journal != nil {
		q.journal.Remove(it.Pos)
	}
}

// account adds n to the bytes the queue holds, and tells the broker now and
// then: its count is shared by all queues and costs more than the queue's own.
func (q *Queue) account(n int64) {
	if q.deleted {
		return // it has given back all it held
	}
	q.bytes += n
	if d := q.bytes - q.reported; q.shared.Memory.Due(d, q.bytes) {
		q.reported = q.bytes
		q.shared.Memory.Add(d)
	}
}

// Purge drops all ready messages and tells how many there were.
func (q *Queue) Purge() int {
	q.mu.Lock()
	defer q.unlock()
	return q.dropReady()
}

func (q *Queue) dropReady() int {
	if q.stream != nil {
		return q.evictAll()
	}
	n := q.store.len()
	for range n {
		var it message.Item
		q.store.shift(&it)
		q.account(-it.Cost())
		q.unjournal(&it)
		it.Lost()
	}
	q.counts.Dropped += uint64(n)
	return n
}

// Condition is what must be so for Close to close a queue. Conditions are added
// up.
type Condition uint8

const (
	Always   Condition = 0
	IfUnused Condition = 1 << iota // it has no consumers, or ErrInUse
	IfEmpty                        // it has no ready messages, or ErrNotEmpty
	// IfExpired: nobody has used it for as long as its rules let it stay, or
	// ErrNotExpired.
	IfExpired
)

// Close ends the queue if the condition holds: its consumers get reason, and its
// messages are dropped. It tells how many of them were ready. The caller may
// hold locks.
func (q *Queue) Close(reason error, c Condition) (ready int, err error) {
	q.mu.Lock()
	if q.deleted {
		q.mu.Unlock()
		return 0, nil
	}
	if err := q.mayClose(c); err != nil {
		q.mu.Unlock() // no time for dead letters
		return 0, err
	}
	defer q.unlock()
	q.account(-q.bytes)
	q.deleted = true
	q.alarm.Stop()
	for _, c := range q.consumers {
		c.gone = true
		q.unlist(c)
		q.wakeLater(c.sink.Cancelled(reason))
	}
	q.consumers = nil
	return q.dropReady(), nil
}

func (q *Queue) mayClose(c Condition) error {
	switch {
	case c&IfUnused != 0 && len(q.consumers) > 0:
		return ErrInUse
	case c&IfEmpty != 0 && q.ready() > 0:
		return ErrNotEmpty
	case c&IfExpired != 0 && !q.expired():
		return ErrNotExpired
	}
	return nil
}
