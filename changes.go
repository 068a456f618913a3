package warren

import (
	"slices"
	"sync"
	"sync/atomic"

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
	sessionOpened
	sessionClosed
	channelOpened
	channelClosed
	consumerStarted
	consumerEnded
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
	vhost      *VirtualHost
	exchange   *declaredExchange
	queue      *declaredQueue
	binding    *route.Binding
	policy     *policy    // the one that was set or deleted
	policyKind policyKind // kind of policy
	user       string
	account    *account // of a user who was declared or deleted, or whose permissions have changed
	session    *Session
	channel    *Channel
	consumer   string // its tag
	reason     error  // why something ended; nil: it ended normally
	count      int    // of problems of definitionsImported; of changes of changesLost
}

// changes are on their way to their readers. A change is recorded under the lock
// that guards the changed object, so that changes are in order. It is read after
// that lock is released, by one goroutine at a time, because a reader may use the
// broker. While a reader is busy, changes wait up to a bound; the readers are told
// how many were lost beyond it.
type changes struct {
	readers atomic.Pointer[[]changeReader] // replaced, never modified

	mu sync.Mutex
	// Guarded by mu. No other lock is taken while mu is held.
	pending   []change
	lost      int  // changes that found pending full
	notifying bool // a goroutine is calling the readers
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
	readers := []changeReader{r}
	if old := l.readers.Load(); old != nil {
		readers = append(slices.Clone(*old), r)
	}
	l.readers.Store(&readers)
}

// recordChange stores a change for notifyReaders, and on disk if it is of something
// durable. It is called under the lock that guards what has changed.
func (b *Broker) recordChange(c change) {
	if b.topology != nil {
		b.topology.record(c)
	}
	l := &b.changes
	readers := l.readers.Load()
	if readers == nil || !slices.ContainsFunc(*readers, func(r changeReader) bool { return r.wants(c.kind) }) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) < maxPendingChanges {
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
			list = append(list, change{kind: changesLost, count: l.lost})
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
		for _, r := range *l.readers.Load() {
			if r.wants(list[i].kind) {
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
