package warren

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// Channel is where the AMQP model is used: it declares, publishes, consumes
// and settles. Its methods have the names and rules of the AMQP methods, and
// they are safe for many goroutines. An error never closes a channel; the same
// error would close one over AMQP. Only a consumer timeout does, see
// [QueueOptions].ConsumerTimeout.
//
// An empty queue name stands for the queue that the channel declared last.
type Channel struct {
	channelPort

	session     *Session
	vhost       *VirtualHost
	ownsSession bool
	number      uint64 // among the session's, from 1

	// Publishers read these.
	closed         atomic.Bool
	reason         error                    // why it is closed; written before closed
	mode           atomic.Int32             // of channelMode
	published      atomic.Uint64            // in confirm mode
	recentExchange atomic.Pointer[exchange] // published to last
	recentQueue    atomic.Pointer[queue]    // published to last through the default exchange
	recentKey      atomic.Pointer[string]   // routing key that came over the wire last
	writable       atomic.Pointer[writable] // published to last, if not everything may be
	reply          atomic.Pointer[replyConsumer]

	_ [64]byte // consumers write what follows: it has a cache line of its own

	lastTag atomic.Uint64 // delivery tag given last
	paused  atomic.Bool   // flow is off
	stalled atomic.Bool   // the connection's buffer is full
	shared  sharedLimit   // of all consumers together

	mu sync.Mutex
	// Guarded by mu.
	consumers map[string]*Consumer // by tag
	started   uint64               // consumers ever
	unacked   unackedSet
	prefetch  int    // for consumers to come
	lastQueue string // declared last
	tx        transaction
	late      *time.Timer // calls overdue; nil: nothing was ever to be settled in time
	alarm     int64       // when; zero: it is not set
	shown     uint64      // number that the user knows
	ended     func(error) // of a connection, called when the broker closes the channel
}

type channelMode = int32

const (
	modePlain channelMode = iota
	modeConfirm
	modeTx
)

func newChannel(s *Session) *Channel {
	ch := &Channel{session: s, vhost: s.vhost}
	ch.channelPort = link.NewChannelPort((*linked)(ch))
	return ch
}

// Session is the session that the channel belongs to.
func (ch *Channel) Session() *Session { return ch.session }

// Close closes the channel (channel.close): its consumers end, what it has not
// settled returns to the queues, and a transaction that is not committed is
// forgotten. Closing twice does nothing.
func (ch *Channel) Close() error {
	ch.shut(ErrClosed)
	if ch.ownsSession {
		return ch.session.Close()
	}
	return nil
}

func (ch *Channel) shut(reason error) {
	ch.mu.Lock()
	if ch.closed.Load() {
		ch.mu.Unlock()
		return
	}
	ch.reason = reason
	ch.closed.Store(true)
	if ch.late != nil {
		ch.late.Stop()
	}
	consumers := ch.inOrder()
	ch.consumers = nil
	for _, s := range ch.tx.settled {
		ch.unacked.add(s.tag, &s.delivered)
	}
	unacked := ch.unacked.removeTo(^uint64(0), nil)
	ch.tx = transaction{}
	ch.mu.Unlock()
	ch.vhost.broker.memory.wake()
	// What was read comes before what was not, so it must be back first; the
	// channel's own consumers are not to get it again.
	ch.paused.Store(true)
	ch.apply(unacked, requeued)
	for _, c := range consumers {
		// What the end of the broker interrupts can still be read.
		c.end(reason, ch.vhost.broker.state.Load() != stateClosed)
	}
	ch.session.forget(ch)
}

// check refuses work on a closed channel.
func (ch *Channel) check() error {
	if ch.closed.Load() {
		return ch.reason
	}
	return nil
}

// sharedLimit bounds the unsettled deliveries of all consumers of a channel
// together (basic.qos with global set).
type sharedLimit struct {
	limit  atomic.Int64 // zero: none
	out    atomic.Int64
	missed atomic.Bool // a queue found no room since the last revive
}

func (l *sharedLimit) reserve() bool {
	for {
		limit := l.limit.Load()
		if n := l.out.Add(1); limit <= 0 || n <= limit {
			return true
		}
		l.out.Add(-1)
		// Room that comes free from here on finds missed set and revives the
		// consumer; room that came free just before is seen now.
		l.missed.Store(true)
		if l.out.Load() >= l.limit.Load() {
			return false
		}
	}
}

func (l *sharedLimit) release(n int) { l.out.Add(-int64(n)) }

// hasRoom reports whether reserve would succeed.
func (l *sharedLimit) hasRoom() bool {
	limit := l.limit.Load()
	return limit <= 0 || l.out.Load() < limit
}

// revive lets the channel's consumers have messages again, if some went
// without because of the channel.
func (ch *Channel) revive() {
	if !ch.shared.missed.Load() || !ch.shared.missed.Swap(false) {
		return
	}
	for _, c := range ch.queueConsumers() {
		c.revive()
	}
}

// inOrder are the consumers as they came: the oldest is served first. The
// channel's lock is held.
func (ch *Channel) inOrder() []*Consumer {
	return slices.SortedFunc(maps.Values(ch.consumers), func(a, b *Consumer) int { return cmp.Compare(a.number, b.number) })
}

// queueConsumers are the channel's consumers, but for the reply consumer.
func (ch *Channel) queueConsumers() []*consumer {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	list := make([]*consumer, 0, len(ch.consumers))
	for _, c := range ch.inOrder() {
		if c.c != nil {
			list = append(list, c.c)
		}
	}
	return list
}

// QosOptions say how Qos counts.
type QosOptions struct {
	// Global: the limit is shared by all consumers of the channel. Else it is
	// the limit of each consumer that is started afterwards, as in RabbitMQ.
	Global bool
}

// Qos limits how many unsettled deliveries may be out (basic.qos). A count of
// zero means no limit. Consumers without ack, and Get, are not limited.
func (ch *Channel) Qos(prefetchCount int, o QosOptions) error {
	if prefetchCount < 0 || prefetchCount > 65535 {
		return failure(wire.BasicQosID, wire.CodeSyntaxError, "prefetch_count %d is not between 0 and 65535", prefetchCount)
	}
	ch.mu.Lock()
	if err := ch.check(); err != nil {
		ch.mu.Unlock()
		return err
	}
	if !o.Global {
		ch.prefetch = prefetchCount
		ch.mu.Unlock()
		return nil
	}
	ch.shared.limit.Store(int64(prefetchCount))
	ch.mu.Unlock()
	for _, c := range ch.queueConsumers() {
		c.count()
	}
	ch.shared.missed.Store(true)
	ch.revive()
	return nil
}

// held reports whether the channel keeps deliveries back.
func (ch *Channel) held() bool { return ch.paused.Load() || ch.stalled.Load() }

// Flow stops and restarts deliveries to the channel's consumers
// (channel.flow). Replies by direct reply-to are not stopped.
func (ch *Channel) Flow(active bool) error {
	if err := ch.check(); err != nil {
		return err
	}
	ch.paused.Store(!active)
	if active {
		ch.shared.missed.Store(true)
		ch.revive()
	}
	return nil
}
