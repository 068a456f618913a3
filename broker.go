package warren

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/password"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/tasks"
	"github.com/warrenmq/warren/internal/unacked"
	"github.com/warrenmq/warren/internal/wire"
)

// DefaultVirtualHost is the virtual host that every broker has.
const DefaultVirtualHost = "/"

// Broker is an AMQP 0-9-1 broker inside this process. Make one with [New] and close
// it with [Broker.Close]. Its methods are safe for concurrent use. It starts a
// goroutine only for a handler or a callback that has work to do.
type Broker struct {
	brokerPort

	options        Options
	bare           bool // nothing stands around a Publish: neither interceptors nor a tracer
	like           *like.Rules
	log            *slog.Logger
	queues         queue.Shared // what all queues share
	buffers        link.Buffers // of the listener's connections
	root           *VirtualHost
	unsettled      *unacked.Shared[queue.Delivered]
	settlingPool   settlingPool
	tasks          tasks.Group        // goroutines that the broker started
	handlersCtx    context.Context    // its end ends the contexts of all handlers; Close ends it
	cancelHandlers context.CancelFunc // ends handlersCtx
	state          atomic.Int32       // a brokerState
	started        time.Time
	watchers       watchers // see Watch
	publishes      chained[PublishFunc]
	churn          churn
	changes        changes

	passwords password.Verifier

	disk     *disk         // of messages; nil: all is in memory. It never changes
	topology topologyStore // nil: all is in memory. It never changes

	lock io.Closer // of the directory; nil: there is none

	identityOnce sync.Once
	identity     string // made when somebody asks

	mu sync.Mutex
	// Guarded by mu.
	vhosts      map[string]*VirtualHost
	sessions    map[*Session]struct{}
	lastSession uint64              // number of the last session
	users       map[string]*account // nil: only guest exists, see usersLocked
	closeDone   chan struct{}       // made by Close, and closed when it has closed everything
}

// The port adds the method Link to brokers, for package amqp only, and so do those of
// sessions and channels: messages stay encoded, and deliveries go straight to the
// connection. These aliases keep the embedded fields unexported.
type brokerPort = link.BrokerPort

// brokerLink is a broker as the listener uses it. It implements link.Broker.
type brokerLink Broker

type brokerState = int32

const (
	stateOpen     brokerState = iota
	stateDraining             // Shutdown was called: accepted work is still finished
	stateClosed
)

// New makes a broker with one virtual host, "/". It listens on no network address,
// writes nothing to disk and cannot fail. Nil options mean the zero [Options].
func New(options *Options) *Broker {
	var o Options
	if options != nil {
		o = *options
	}
	rules := o.Like.rules()
	o = o.withDefaults(rules)
	b := &Broker{
		options: o, bare: o.Tracer == nil && o.Intercept.Publish == nil, like: rules, log: o.Logger, started: time.Now(),
		vhosts:   make(map[string]*VirtualHost),
		sessions: make(map[*Session]struct{}),
	}
	b.brokerPort = link.NewBrokerPort((*brokerLink)(b))
	b.handlersCtx, b.cancelHandlers = context.WithCancel(context.Background())
	b.queues.Clock = clock.Start()
	b.queues.Memory.Init(o.MemoryLimit, o.MemoryPolicy == FailPublishers, (*memoryAlarms)(b))
	b.buffers.Init(&b.queues.Memory)
	b.unsettled = unacked.NewShared[queue.Delivered](&b.queues.Memory)
	if most := int(min(b.queues.Memory.MaxMessage(), math.MaxInt)); o.MaxMessageSize < 0 || o.MaxMessageSize > most {
		b.options.MaxMessageSize = most
	}
	b.passwords.Rounds = password.Rounds
	if options != nil && options.Logger != nil {
		b.addChangeReader(changeLog{o.Logger})
	}
	b.root = newVirtualHost(b, DefaultVirtualHost)
	b.vhosts[DefaultVirtualHost] = b.root
	return b
}

// memoryAlarms implements memory.Alarmed for a broker.
type memoryAlarms Broker

// RecordMemoryAlarm records that publishers are held back (on), or that they may
// continue.
func (m *memoryAlarms) RecordMemoryAlarm(on bool) {
	kind := memoryAlarmEnded
	if on {
		kind = memoryAlarmStarted
	}
	(*Broker)(m).recordChange(change{kind: kind})
}

// NotifyMemoryAlarm tells the readers of changes. An opened broker makes room.
func (m *memoryAlarms) NotifyMemoryAlarm() {
	b := (*Broker)(m)
	b.notifyReaders()
	if b.queues.Relief.Begin != nil {
		b.queues.Relief.Begin()
	}
}

// diskAlarms implements diskAlarmed for a broker.
type diskAlarms Broker

func (d *diskAlarms) recordDiskAlarm(reason error) {
	kind := diskAlarmEnded
	if reason != nil {
		kind = diskAlarmStarted
	}
	(*Broker)(d).recordChange(change{kind: kind, reason: reason})
}

func (d *diskAlarms) notifyDiskAlarm() { (*Broker)(d).notifyReaders() }

// VirtualHost returns a virtual host. An empty name means "/", as in LavinMQ, but
// not with [LikeRabbitMQ]. It fails with 530 if there is no virtual host of this name,
// and with [ErrClosed] after Close.
func (b *Broker) VirtualHost(name string) (*VirtualHost, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Load() == stateClosed {
		return nil, ErrClosed
	}
	if name == "" && !b.like.NoEmptyVirtualHost {
		name = DefaultVirtualHost
	}
	v := b.vhosts[name]
	if v == nil {
		return nil, failure(wire.ConnectionOpenID, wire.CodeNotAllowed, "vhost %s not found", name)
	}
	return v, nil
}

// VirtualHostDeclare makes a virtual host, or returns the existing one of this name.
// It fails with 530 if the name is empty, with 502 if it is longer than 255 bytes,
// and with [ErrClosed] after Close or Shutdown.
func (b *Broker) VirtualHostDeclare(name string) (*VirtualHost, error) {
	v, err := b.declareVirtualHost(name, true)
	if err := b.stored(err); err != nil {
		return nil, err
	}
	return v, nil
}

// declareVirtualHost is VirtualHostDeclare. If guest is true, the user guest may do
// everything in a new virtual host.
func (b *Broker) declareVirtualHost(name string, guest bool) (*VirtualHost, error) {
	if name == "" {
		return nil, failure(wire.ConnectionOpenID, wire.CodeNotAllowed, "a vhost must have a name")
	}
	if err := checkName(wire.ConnectionOpenID, "vhost name", name); err != nil {
		return nil, err
	}
	if err := b.checkOpen(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	if b.state.Load() == stateClosed {
		b.mu.Unlock()
		return nil, ErrClosed
	}
	v := b.vhosts[name]
	if v == nil {
		v = newVirtualHost(b, name)
		v.id = b.nextID()
		if guest {
			b.grantGuest(v)
		} else {
			b.usersLocked() // creates guest now, so that guest gets no grant for v later
		}
		b.vhosts[name] = v
		b.recordChange(change{kind: vhostDeclared, vhost: v})
	}
	b.mu.Unlock()
	b.notifyReaders()
	return v, nil
}

// VirtualHostDelete removes a virtual host with everything in it: its sessions and
// handlers are closed and its messages are lost. It fails with 530 if there is no
// virtual host of this name, and with 403 for "/", which an empty name means, too.
func (b *Broker) VirtualHostDelete(name string) error {
	v, err := b.VirtualHost(name)
	if err != nil {
		return err
	}
	if v == b.root {
		return failure(wire.ConnectionOpenID, wire.CodeAccessRefused, "vhost '/' cannot be deleted")
	}
	b.mu.Lock()
	if b.vhosts[name] != v {
		b.mu.Unlock()
		return failure(wire.ConnectionOpenID, wire.CodeNotAllowed, "vhost %s not found", name) // somebody else was faster
	}
	delete(b.vhosts, name)
	sessions := b.sessionsWhere(func(s *Session) bool { return s.vhost == v })
	for _, u := range b.users {
		delete(u.grants, v)
		delete(u.topics, v)
	}
	b.recordChange(change{kind: vhostDeleted, vhost: v})
	b.mu.Unlock()
	v.close(ErrClosed)
	for _, s := range sessions {
		s.end(fmt.Sprintf("vhost '%s' is deleted", name))
	}
	b.notifyReaders()
	return b.stored(nil)
}

// Session opens a session in the virtual host "/".
func (b *Broker) Session() (*Session, error) { return b.root.Session() }

// Channel opens a channel in the virtual host "/". The channel has a session of its
// own, which ends with it. Use [Broker.Session] to have several channels share their
// exclusive queues.
func (b *Broker) Channel() (*Channel, error) { return b.root.Channel() }

// checkOpen returns ErrClosed once Shutdown or Close has been called.
func (b *Broker) checkOpen() error {
	if b.state.Load() != stateOpen {
		return ErrClosed
	}
	return nil
}

// addSession makes s one of the broker's sessions, up to a state of the broker. The caller
// notifies the readers of changes.
func (b *Broker) addSession(s *Session, user string, latest brokerState) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Load() > latest || b.vhosts[s.vhost.name] != s.vhost {
		return ErrClosed
	}
	if user != "" {
		if err := b.logIn(s, user); err != nil {
			return err
		}
	}
	b.lastSession++
	s.number = b.lastSession
	b.sessions[s] = struct{}{}
	b.recordChange(change{kind: sessionOpened, vhost: s.vhost, session: s, user: user})
	return nil
}

// logIn makes s a session of the user. It fails with 530 if the virtual host has
// reached its connection limit or if the user has no permissions there. b.mu is
// held.
func (b *Broker) logIn(s *Session, user string) error {
	v := s.vhost
	if limit := v.Limits().MaxConnections; limitReached(v.clients, limit) {
		return failure(wire.ConnectionOpenID, wire.CodeNotAllowed, "access to vhost '%s' refused for user '%s': connection limit (%d) is reached", v.name, user, max(0, limit))
	}
	u := b.usersLocked()[user]
	if u == nil || u.grants[v] == nil {
		return v.errNoAccess(user)
	}
	s.user = u
	s.grant.Store(u.grants[v])
	v.clients++
	return nil
}

// sessionsWhere returns the sessions for which f returns true. b.mu is held.
func (b *Broker) sessionsWhere(f func(*Session) bool) (list []*Session) {
	for s := range b.sessions {
		if f(s) {
			list = append(list, s)
		}
	}
	return list
}

func (b *Broker) removeSession(s *Session) {
	b.mu.Lock()
	if _, ok := b.sessions[s]; ok && s.user != nil {
		s.vhost.clients--
	}
	delete(b.sessions, s)
	b.mu.Unlock()
}

// deadlineOf returns ctx's deadline in the broker's time, or zero if ctx has none.
func (b *Broker) deadlineOf(ctx context.Context) int64 {
	if t, ok := ctx.Deadline(); ok {
		return b.queues.Clock.At(t)
	}
	return 0
}

// clockOf returns what the broker's clock shows at a time.
func (b *Broker) clockOf(t time.Time) int64 {
	if b.disk != nil {
		return b.disk.At(t) // it knows times from before this broker
	}
	return b.queues.Clock.At(t)
}

// reserve takes n bytes of memory for a part of the topology. It fails if the
// topology has its share of [Options].MemoryLimit: with 406, but 506, which closes a
// connection, for a session or a channel, which does not exist yet.
func (b *Broker) reserve(r *memory.Reservation, m wire.MethodID, n int64) error {
	if r.Take(&b.queues.Memory, n) {
		return nil
	}
	code := uint16(wire.CodePreconditionFailed)
	if m == wire.ConnectionOpenID || m == wire.ChannelOpenID {
		code = wire.CodeResourceError
	}
	return failure(m, code, "memory limit of the topology (%d bytes) is reached", b.queues.Memory.Share()).
		withHint("queues, exchanges, bindings, consumers and channels hold as much memory as Options.MemoryLimit leaves to them")
}
