package warren

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/unacked"
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
	reason         error                            // why it is closed; written before closed
	mode           atomic.Int32                     // of channelMode
	published      atomic.Uint64                    // in confirm mode
	recentExchange atomic.Pointer[declaredExchange] // published to last
	recentQueue    atomic.Pointer[declaredQueue]    // published to last through the default exchange
	recentKey      atomic.Pointer[string]           // routing key that came over the wire last
	recentGranted  atomic.Pointer[grantedExchange]  // published to last, if not everything may be
	reply          atomic.Pointer[replyConsumer]

	_ [64]byte // consumers write what follows: it has a cache line of its own

	lastTag atomic.Uint64 // delivery tag given last
	flow    queue.Flow    // of all consumers together

	mu sync.Mutex
	// Guarded by mu.
	consumers     map[string]*Consumer // by tag
	started       uint64               // consumers ever
	unacked       unacked.Set[queue.Delivered]
	prefetch      int    // for consumers to come
	lastQueue     string // declared last
	tx            transaction
	alarm         clock.Alarm // for what is not settled in time
	shownNumber   uint64      // number that the user knows
	onBrokerClose func(error) // of a connection, called when the broker closes the channel
}

type channelMode = int32

const (
	modePlain channelMode = iota
	modeConfirm
	modeTx
)

func newChannel(s *Session) *Channel {
	ch := &Channel{session: s, vhost: s.vhost}
	ch.channelPort = link.NewChannelPort((*channelLink)(ch))
	return ch
}

// Session is the session that the channel belongs to.
func (ch *Channel) Session() *Session { return ch.session }

// Close closes the channel (channel.close): its consumers end, what it has not
// settled returns to the queues, and a transaction that is not committed is
// forgotten. Closing twice does nothing.
func (ch *Channel) Close() error {
	ch.end(ErrClosed)
	if ch.ownsSession {
		return ch.session.Close()
	}
	return nil
}

// end closes the channel for a reason.
func (ch *Channel) end(reason error) {
	ch.mu.Lock()
	if ch.closed.Load() {
		ch.mu.Unlock()
		return
	}
	ch.reason = reason
	ch.closed.Store(true)
	ch.alarm.Stop()
	consumers := ch.sortedConsumers()
	ch.consumers = nil
	for _, s := range ch.tx.settled {
		ch.unacked.Add(s.Tag, &s.Delivery)
	}
	unsettled := ch.unacked.RemoveTo(^uint64(0), nil)
	ch.tx = transaction{}
	ch.mu.Unlock()
	ch.vhost.broker.queues.Memory.Wake()
	// What was read comes before what was not, so it must be back first; the
	// channel's own consumers are not to get it again.
	ch.flow.Pause(true)
	ch.apply(unsettled, requeued)
	for _, c := range consumers {
		// What the end of the broker interrupts can still be read.
		c.end(reason, ch.vhost.broker.state.Load() != stateClosed)
	}
	ch.session.removeChannel(ch)
	ch.vhost.broker.announce(change{kind: channelClosed, vhost: ch.vhost, session: ch.session, channel: ch, reason: reason})
}

// check refuses work on a closed channel.
func (ch *Channel) checkOpen() error {
	if ch.closed.Load() {
		return ch.reason
	}
	return nil
}

// revive lets the channel's consumers have messages again, if some went
// without because of the channel.
func (ch *Channel) revive() {
	if !ch.flow.Owed() {
		return
	}
	for _, c := range ch.queueConsumers() {
		c.Revive()
	}
}

// inOrder are the consumers as they came: the oldest is served first. The
// channel's lock is held.
func (ch *Channel) sortedConsumers() []*Consumer {
	return slices.SortedFunc(maps.Values(ch.consumers), func(a, b *Consumer) int { return cmp.Compare(a.number, b.number) })
}

// queueConsumers are the channel's consumers, but for the reply consumer.
func (ch *Channel) queueConsumers() []*queue.Consumer {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	list := make([]*queue.Consumer, 0, len(ch.consumers))
	for _, c := range ch.sortedConsumers() {
		if c.reply == nil {
			list = append(list, c.inner)
		}
	}
	return list
}

// pause keeps deliveries back, or lets them go on. It gives what was so before.
func (ch *Channel) setPaused(paused bool) (was bool) {
	was = ch.flow.Pause(paused)
	if !paused {
		ch.revive()
	}
	return was
}

// declared notes the queue that an empty name stands for.
func (ch *Channel) setLastQueue(name string) {
	ch.mu.Lock()
	ch.lastQueue = name
	ch.mu.Unlock()
}

// queueName replaces an empty name by that of the queue declared last.
func (ch *Channel) queueName(m wire.MethodID, name string) (string, error) {
	if name != "" {
		return name, checkName(m, "queue name", name)
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.lastQueue == "" {
		return "", failure(m, wire.CodeNotFound, "no previously declared queue")
	}
	return ch.lastQueue, nil
}

// readQueue is findQueue for what needs the permission to read.
func (ch *Channel) findReadableQueue(m wire.MethodID, name string) (*declaredQueue, error) {
	name, err := ch.queueName(m, name)
	if err == nil {
		err = ch.session.checkQueueAccess(m, toRead, name)
	}
	if err != nil {
		return nil, err
	}
	q, err := ch.vhost.findQueue(m, ch.session, name)
	if err == nil && q.IsStream() && m != wire.BasicConsumeID {
		return nil, ch.vhost.errNotForStreams(m, m.String(), q.Name)
	}
	return q, err
}

// findQueue finds a queue that the channel's session may use.
func (ch *Channel) findQueue(m wire.MethodID, name string) (*declaredQueue, error) {
	name, err := ch.queueName(m, name)
	if err != nil {
		return nil, err
	}
	return ch.vhost.findQueue(m, ch.session, name)
}

// mayPublish is mayExchange for every message: it asks the pattern only if the
// exchange is another than before.
func (ch *Channel) checkPublishAccess(g *grant, exchange string) error {
	if w := ch.recentGranted.Load(); w != nil && w.grant == g && w.exchange == exchange {
		return nil
	}
	if err := ch.session.checkExchangeAccess(wire.BasicPublishID, toWrite, exchange); err != nil {
		return err
	}
	ch.recentGranted.Store(&grantedExchange{g, strings.Clone(exchange)}) // it may be a view
	return nil
}
