// Package queue implements queues. A queue keeps messages, delivers them to its
// consumers in turn, takes back what they do not settle, and follows rules such as
// limits and expiry. The package knows nothing of exchanges, channels, sessions,
// virtual hosts or AMQP's reply texts.
//
// A queue has no goroutine. The goroutine that publishes, settles or consumes does
// the work, under the queue's lock.
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

// Errors of this package.
var (
	ErrDeleted      = errors.New("queue: deleted")
	ErrRefused      = errors.New("queue: no room for the message")
	ErrPassedOn     = errors.New("queue: no room for the message, which is a dead letter now")
	ErrExclusive    = errors.New("queue: in exclusive use")
	ErrSingleActive = errors.New("queue: only the active consumer gets messages")
	ErrInUse        = errors.New("queue: has consumers")
	ErrNotEmpty     = errors.New("queue: has messages")
	ErrNotExpired   = errors.New("queue: was used lately")
	ErrRemoved      = errors.New("queue: the consumer was removed before")
)

// Shared is what all queues of a broker use together.
type Shared struct {
	Clock   clock.Clock
	Memory  memory.Budget
	Relief  Relief
	chunks  sync.Pool // of *chunk, for the stores of queues
	letters sync.Pool // of *Letters
}

// Host is the owner of a queue. Its methods are called seldom, and with no lock of a
// queue held.
type Host interface {
	// DeadLetter takes a message that the queue has lost. The host pushes it with
	// PushLetter. It reports false if it does not care for messages any more, because
	// the broker is closed.
	DeadLetter(q *Queue, m *Lost, l *Letters) bool
	// WhenDeclared calls f when all queues that exist now are on disk, if they are to be
	// there: at once, as a rule. If that is not known, it never calls f. It is called for
	// queues on disk only.
	WhenDeclared(f func())
	// Expired says that the queue has expired. The host calls Close with
	// IfExpired.
	Expired(q *Queue)
}

// Queue keeps messages and delivers them to its consumers.
type Queue struct {
	name   string
	host   Host
	shared *Shared

	mu sync.Mutex
	// Guarded by mu.
	store     backlog
	stream    *stream // used in place of store; nil if the queue is no stream. It never changes
	rules     *Rules  // nil: nothing is asked of the queue
	disk      *onDisk // nil: all is in memory. It never changes
	consumers roster
	turns     turns            // consumers with room; of a single active consumer, those that wait to be it
	wake      *mailbox.Mailbox // to be signalled when the lock is free; nil: none
	unacked   int              // messages that were delivered and are not settled
	memory    memory.Account   // what ready and unacked messages hold
	received  message.Total    // messages that were published to it
	counts    usualCounts
	rare      *rare              // what most queues do not have: see seldom
	share     *message.Share     // of a publisher's tally; nil: nobody watches
	held      memory.Reservation // of the queue itself: see releaseHeld

	deleted       bool
	paged         bool // messages may be outside: see paging.go
	single        bool // only the active consumer gets messages; never changes
	countsReturns bool // see Options; never changes
	deduplicates  bool // rare.seen is set; never changes
	loses         bool // rare.lost is set
	sending       bool // a goroutine runs deadLetter
}

// Options configure a new queue.
type Options struct {
	Rules        *Rules            // nil: none
	MaxPriority  uint8             // zero: the queue has no priorities
	SingleActive bool              // one consumer at a time gets messages
	CountReturns bool              // requeues are counted without a delivery limit, too, and whoever gets a message is told
	Stream       bool              // the queue is a stream
	Seen         *duplicates.Cache // nil: no deduplication
	Disk         Disk              // nil: all is in memory, unless Open gives a Disk
	Open         func() Disk       // opens the Disk, which may have something to tell the queue at once; nil: it is open
	Durable      bool              // persistent messages survive a restart, if there is a Disk

	Held memory.Reservation // what the queue itself holds; it gives it back in the end
}

// Init initialises q, which must be zero.
func (q *Queue) Init(name string, host Host, shared *Shared, o *Options) {
	q.name, q.host, q.shared = name, host, shared
	q.store.shared = shared
	q.memory.Open(&shared.Memory)
	q.rules, q.single, q.countsReturns, q.deduplicates = o.Rules, o.SingleActive, o.CountReturns, o.Seen != nil
	if q.single || q.deduplicates {
		q.seldom().seen = o.Seen
	}
	q.held = o.Held
	if o.MaxPriority > 0 {
		q.store.levels = newLevels(o.MaxPriority, shared)
	}
	if o.Stream {
		q.stream = newStream()
	}
	if o.Disk != nil || o.Open != nil {
		q.openDisk(o)
	}
	if q.rules != nil && q.rules.Expires > 0 {
		q.mu.Lock() // the alarm may ring at once
		q.touch()
		q.mu.Unlock()
	}
}

// Name is the queue's name.
func (q *Queue) Name() string { return q.name }

// IsStream reports whether the queue is a stream.
func (q *Queue) IsStream() bool { return q.stream != nil }

// IsOnDisk reports whether the queue keeps persistent messages on disk.
func (q *Queue) IsOnDisk() bool { return q.disk != nil && q.disk.durable }

// unlock releases the lock. Before, it takes out expired messages at the head.
// Afterwards it signals the mailbox that has got messages, because a reader that
// wakes earlier would wait for the lock, and sends dead letters. So the caller must
// hold no other lock if there can be dead letters.
func (q *Queue) unlock() { q.unlockFor(nil) }

// unlockFor is unlock that adds the queue to l, unless that is nil, instead of sending
// dead letters.
func (q *Queue) unlockFor(l *Letters) {
	send := false
	if q.store.timed > 0 || q.loses || q.paged {
		send = q.beforeUnlock()
	}
	b := q.wake
	if b != nil {
		q.wake = nil
	}
	q.mu.Unlock()
	if b != nil {
		b.Signal()
	}
	if send && l != nil {
		l.queues = append(l.queues, q)
	} else if send {
		q.deadLetter()
	}
}

// beforeUnlock takes out expired messages at the head. It reports whether the caller
// is to send dead letters, because there are some and no other goroutine does so.
func (q *Queue) beforeUnlock() (send bool) {
	if q.store.timed > 0 {
		q.loseExpired() // it also sets the alarm for the head that there is now
	}
	if q.paged {
		q.loadHead()
	}
	send = q.loses && !q.sending
	q.sending = q.sending || send
	return send
}

// wakeLater notes that unlock must signal b. A nil b is none.
func (q *Queue) wakeLater(b *mailbox.Mailbox) {
	if b == nil || b == q.wake {
		return
	}
	if q.wake != nil {
		q.wake.Signal()
	}
	q.wake = b
}

// Push adds a message. It reports whether the queue has taken it. The queue does not
// take it if it is deleted, if the message is a duplicate, or if the message is
// Immediate and no consumer has room. Push fails with ErrRefused if limits forbid
// the message, and with ErrPassedOn if it has become a dead letter so. If the message is
// kept on disk, Push sets its Synced.
func (q *Queue) Push(p *message.Publishing) (taken bool, err error) {
	return q.PushLetter(p, nil)
}

// PushLetter is Push for a message that another queue has lost. If the queue loses
// messages by it, l has to send them.
func (q *Queue) PushLetter(p *message.Publishing, l *Letters) (taken bool, err error) {
	e := &p.Entry
	q.mu.Lock()
	if q.deleted || p.Immediate && !q.anyRoom() {
		q.mu.Unlock()
		return false, nil
	}
	if q.deduplicates && !q.rare.seen.Add(e.Content) {
		q.mu.Unlock()
		return false, nil
	}
	if q.stream != nil {
		q.append(p)
		q.unlockFor(l)
		return true, nil
	}
	if q.rules != nil && q.overflows(e) {
		if q.deduplicates {
			q.rare.seen.Forget(e.Content)
		}
		err = q.refuse(e)
		q.unlockFor(l)
		return false, err
	}
	priority := uint8(0)
	if q.store.levels != nil && e.Content != nil {
		priority = e.Content.Priority()
	}
	q.received.Add(len(e.Body))
	if !q.share.Follows(p.Tally, len(e.Body)) {
		q.tally(p.Tally, len(e.Body))
	}
	deadline := p.Deadline
	if q.rules != nil {
		deadline = q.deadline(deadline)
	}
	if q.disk != nil && e.Content != nil {
		q.keep(p, priority, deadline)
	}
	var c *Consumer // who gets the message without its being stored, because none is ready before it
	if q.store.isEmpty() {
		c = q.reserveNext(0)
	}
	if c == nil || !c.passes {
		cost := e.BareCost()
		if e.Content != nil {
			cost += e.Content.Size()
		}
		q.memory.Add(cost)
	}
	if c != nil {
		var room message.Item
		it := &room
		if !c.direct {
			it = c.box.Append()
		}
		it.Entry, it.Pos, it.Deadline = *e, q.store.pass(priority), deadline
		q.hand(c, it)
	} else {
		q.store.push(e, priority, deadline)
		if q.disk != nil && (q.store.levels != nil || len(e.Body) > largeBody || q.store.tail.isFull()) {
			q.filled(priority, len(e.Body))
		}
		if q.rules != nil || q.store.timed > 0 {
			q.tidy()
		}
	}
	q.unlockFor(l)
	return true, nil
}

// tally counts a message, which the queue has received, for its publisher, who may have no
// tally. The queue counts for one publisher at a time; messages of others are counted
// apart. It need not be called for a message that follows one of the same kind.
func (q *Queue) tally(t *message.Tally, n int) {
	if q.share.Ended() {
		q.share = nil
		if t != nil {
			q.share = t.NewShare(&q.mu, &q.received)
		}
	}
	if !q.share.Switch(t, n) && t != nil {
		t.Add(n)
	}
}

// tidy takes out messages that may not stay, after ready messages have been added
// or the rules have changed. As in RabbitMQ, it takes out what exceeds the limits
// first, then what has expired.
func (q *Queue) tidy() {
	if q.rules != nil {
		q.trim()
	}
	if q.store.timed > 0 {
		q.loseExpired()
	}
}

// Purge drops all ready messages and returns how many there were.
func (q *Queue) Purge() int {
	q.mu.Lock()
	if q.disk != nil && q.stream == nil {
		q.onShelves(q.removeChunks)
	}
	rest, n := q.takeReady()
	q.unlock()
	rest.drop()
	return n
}

// releaseHeld gives back what the queue itself holds, once it is deleted and no
// unsettled delivery refers to it but those that perhaps nobody reads.
func (q *Queue) releaseHeld() {
	if q.deleted && (q.unacked == 0 || q.unacked <= q.seldom().abandoned) {
		q.held.Release()
	}
}

// takeReady takes all ready messages out, to be dropped without the lock. It returns
// how many they are.
func (q *Queue) takeReady() (rest Rest, n int) {
	rest, n = Rest{queue: q}, q.ready()
	if n > 0 {
		q.seldom().Dropped += uint64(n)
	}
	if q.stream != nil {
		rest.segments = q.stream.takeAll()
		return rest, n
	}
	if q.paged {
		q.purgeOutside()
	}
	rest.store = q.store.takeAll()
	return rest, n
}
