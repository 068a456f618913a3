package warren

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/route"
)

// changeKind says what has changed.
type changeKind int

const (
	vhostDeclared changeKind = iota
	vhostDeleted
	limitsSet
	exchangeDeclared
	exchangeDeleted
	queueDeclared
	queueDeleted
	bindingMade
	bindingRemoved
	policySet
	policyDeleted
	userDeclared
	userDeleted
	permissionsSet
	permissionsDeleted
	topicPermissionsSet
	topicPermissionsDeleted
	sessionOpened
	sessionClosed
	channelOpened
	channelClosed
	consumerStarted
	consumerEnded
	handlerStarted
	handlerEnded
	handlerPanicked    // because of reason
	memoryAlarmStarted // publishers wait from now on, or fail
	memoryAlarmEnded   // publishers continue
	diskAlarmStarted   // publishers to the disk wait from now on, or fail, because of reason
	diskAlarmEnded     // they continue
	definitionsImported
	brokerClosed
	changesLost // a reader was too slow for as many as count says
)

// change is a change of the topology, or of those who use it. Fields that its kind
// does not use are zero. A reader must not modify what the fields point to. It must
// hold the object's lock to read anything that is not constant.
type change struct {
	kind       changeKind
	at         time.Time
	number     uint64 // counts the recorded changes from 1
	vhost      *VirtualHost
	exchange   *declaredExchange
	queue      *declaredQueue
	binding    *route.Binding
	policy     *policy    // the one that was set or deleted
	policyKind policyKind // kind of policy
	user       string
	account    *account // of a user who was declared or deleted, or whose permissions have changed
	topic      string   // the exchange of topic permissions
	session    *Session
	channel    *Channel
	consumer   *Consumer
	tag        string // of a handler's consumer of queue
	reason     error  // why something ended; nil: it ended normally
	count      int    // of problems of definitionsImported; of changes of changesLost
}

// changes are on their way to their readers. A change is recorded under the lock
// that guards the changed object, so that changes are in order. It is read after
// that lock is released, by one goroutine at a time, because a reader may use the
// broker. While a reader is busy, changes wait up to a bound; the readers are told
// how many were lost beyond it.
type changes struct {
	readers atomic.Pointer[[]changeReading] // replaced, never modified; nil: there are none

	mu sync.Mutex
	// Guarded by mu. No other lock is taken while mu is held.
	pending   []change
	recorded  uint64 // number of changes so far
	lost      int    // changes that found pending full
	notifying bool   // a goroutine is calling the readers
}

// changeReading is a reader of the changes after the one with a number.
type changeReading struct {
	changeReader
	after uint64
}

// maxPendingChanges bounds the changes that wait for their readers.
const maxPendingChanges = 1 << 16

// changeReader reads changes.
type changeReader interface {
	// wants reports whether the reader reads changes of a kind, to save the work of
	// recording the others. It is called with locks held, so it must not call code
	// of the host.
	wants(kind changeKind) bool
	// read reads a change. It is called with no lock held.
	read(c *change)
}

// addChangeReader makes r read all later changes.
func (b *Broker) addChangeReader(r changeReader) {
	l := &b.changes
	l.mu.Lock()
	defer l.mu.Unlock()
	list := append(slices.Clone(l.list()), changeReading{r, l.recorded})
	l.readers.Store(&list)
}

// removeChangeReader ends what addChangeReader began. One more change may be read
// meanwhile.
func (b *Broker) removeChangeReader(r changeReader) {
	l := &b.changes
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(l.list()), func(have changeReading) bool { return have.changeReader == r })
	if len(list) > 0 {
		l.readers.Store(&list)
		return
	}
	l.readers.Store(nil)
	l.pending, l.lost = nil, 0
}

// list returns the readers.
func (l *changes) list() []changeReading {
	if list := l.readers.Load(); list != nil {
		return *list
	}
	return nil
}

// wanted reports whether somebody reads changes of a kind.
func (l *changes) wanted(kind changeKind) bool {
	for _, r := range l.list() {
		if r.wants(kind) {
			return true
		}
	}
	return false
}

// recordChange counts a change and stores it for notifyReaders, and on disk if it is of
// something durable. It is called under the lock that guards what has changed.
func (b *Broker) recordChange(c change) {
	if b.topology != nil {
		b.topology.record(c)
	}
	c.kind.countIn(&b.churn)
	l := &b.changes
	if !l.wanted(c.kind) {
		return
	}
	c.at = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recorded++
	c.number = l.recorded
	if len(l.pending) < maxPendingChanges || c.kind == brokerClosed { // that one ends the readers
		l.pending = append(l.pending, c)
	} else {
		l.lost++
	}
}

// notifyReaders passes the recorded changes to the readers. The caller must hold no
// lock of the broker.
func (b *Broker) notifyReaders() {
	l := &b.changes
	if l.readers.Load() == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.notifying {
		return
	}
	l.notifying = true
	defer func() { l.notifying = false }() // a reader may panic
	for len(l.pending) > 0 {
		list := l.pending
		if l.lost > 0 {
			list = append(list, change{kind: changesLost, at: time.Now(), number: l.recorded, count: l.lost})
		}
		l.pending, l.lost = nil, 0
		l.read(list)
	}
}

// read passes changes to the readers, with mu released meanwhile.
func (l *changes) read(list []change) {
	l.mu.Unlock()
	defer l.mu.Lock()
	for i := range list {
		for _, r := range l.list() {
			if list[i].number > r.after && r.wants(list[i].kind) {
				r.read(&list[i])
			}
		}
	}
}

// announce records a change and notifies the readers.
func (b *Broker) announce(c change) {
	b.recordChange(c)
	b.notifyReaders()
}

// countIn counts a change of the kind, if it is one that counts.
func (k changeKind) countIn(c *churn) {
	switch k {
	case sessionOpened:
		c.sessionsOpened.Add(1)
	case sessionClosed:
		c.sessionsClosed.Add(1)
	case channelOpened:
		c.channelsOpened.Add(1)
	case channelClosed:
		c.channelsClosed.Add(1)
	case queueDeclared:
		c.queuesDeclared.Add(1)
	case queueDeleted:
		c.queuesDeleted.Add(1)
	}
}
