package warren

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/route"
)

// changeKind says what has happened.
type changeKind int

const (
	vhostDeclared changeKind = iota
	vhostDeleted
	limitsSet
	exchangeDeclared
	exchangeDeleted
	queueDeclared
	queueDeleted
	bound
	unbound
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
	memoryAlarm   // publishers wait from now on, or fail
	memoryAllowed // they go on
	definitionsImported
	brokerClosed
)

// change is something that has happened to the topology or to those who use it.
// The fields that its kind has no use for are zero. What it points to is not to
// be changed, and but for what is set for good, not to be read without its lock.
type change struct {
	kind     changeKind
	vhost    *VirtualHost
	exchange *declaredExchange
	queue    *declaredQueue
	binding  *route.Binding
	policy   *policy    // set, or deleted
	of       policyKind // of policy
	user     string
	session  *Session
	channel  *Channel
	consumer string // tag
	reason   error  // of what has ended; nil: in good order
	count    int    // of problems, with definitionsImported
}

// changes is the list of changes on their way to those who read them. They are
// noted under whatever lock guards what has changed, so that their order is
// right, and given out when that lock is free, by one goroutine at a time: a
// reader may use the broker.
type changes struct {
	readers atomic.Pointer[[]changeReader] // copied to be changed

	mu sync.Mutex
	// Guarded by mu, which is locked last of all.
	pending   []change
	notifying bool // a goroutine gives out
}

// changeReader reads changes, with no lock held.
type changeReader interface {
	// wants reports whether changes of a kind are read at the moment: asking is
	// cheaper than making one.
	wants(kind changeKind) bool
	read(c *change)
}

// readChanges has r read the changes to come.
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

// note keeps a change for giveChanges.
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

// giveChanges gives out what was noted. No lock of the broker may be held.
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

// tell notes a change and gives it out.
func (b *Broker) announce(c change) {
	b.recordChange(c)
	b.notifyReaders()
}
