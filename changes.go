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
	definitionsImported
	brokerClosed
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
	session    *Session
	channel    *Channel
	consumer   string // its tag
	reason     error  // why something ended; nil: it ended normally
	count      int    // number of problems of definitionsImported
}

// changes are on their way to their readers. A change is recorded under the lock
// that guards the changed object, so that changes are in order. It is read after
// that lock is released, by one goroutine at a time, because a reader may use the
// broker.
type changes struct {
	readers atomic.Pointer[[]changeReader] // replaced, never modified

	mu sync.Mutex
	// Guarded by mu. No other lock is taken while mu is held.
	pending   []change
	notifying bool // a goroutine is calling the readers
}

// changeReader reads changes. It is called with no lock held.
type changeReader interface {
	// wants reports whether the reader reads changes of a kind at the moment. It is
	// called before a change is recorded, to save that work.
	wants(kind changeKind) bool
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

// recordChange stores a change for notifyReaders.
func (b *Broker) recordChange(c change) {
	l := &b.changes
	readers := l.readers.Load()
	if readers == nil || !slices.ContainsFunc(*readers, func(r changeReader) bool { return r.wants(c.kind) }) {
		return
	}
	l.mu.Lock()
	l.pending = append(l.pending, c)
	l.mu.Unlock()
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
	for len(l.pending) > 0 {
		list := l.pending
		l.pending = nil
		l.mu.Unlock()
		for i := range list {
			for _, r := range *l.readers.Load() {
				if r.wants(list[i].kind) {
					r.read(&list[i])
				}
			}
		}
		l.mu.Lock()
	}
	l.notifying = false
}

// announce records a change and notifies the readers.
func (b *Broker) announce(c change) {
	b.recordChange(c)
	b.notifyReaders()
}
