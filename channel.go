package warren

import (
	"context"
	"math"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/confirm"
	"github.com/warrenmq/warren/internal/flow"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/unacked"
	"github.com/warrenmq/warren/internal/wire"
)

// Channel has the operations of the AMQP model: declare, publish, consume and
// settle. Its methods have the names and rules of the AMQP methods, and they are
// safe for concurrent use. An error does not close the channel, although the same
// error would close it over AMQP. Only a consumer timeout closes a channel, see
// [QueueOptions].ConsumerTimeout.
//
// An empty queue name stands for the queue that the channel declared last.
type Channel struct {
	channelPort

	session     *Session
	vhost       *VirtualHost
	ownsSession bool
	number      uint64 // counts the session's channels from 1

	// Publishers read these.
	closed         atomic.Bool
	reason         error                            // why the channel is closed; written before closed
	mode           atomic.Int32                     // a channelMode
	published      atomic.Uint64                    // number of publishes in confirm mode
	recentExchange atomic.Pointer[declaredExchange] // the exchange that was published to last
	recentQueue    atomic.Pointer[declaredQueue]    // the queue that was published to last through the default exchange
	recentKey      atomic.Pointer[string]           // the last routing key of a client
	recentGranted  atomic.Pointer[grantedExchange]  // the exchange that the user was allowed to publish to last
	reply          atomic.Pointer[replyConsumer]
	got            gets
	passed         atomic.Pointer[passed] // of the exchange that was published to last while somebody watched
	line           *confirm.Line          // publishes that wait for the disk; made before mode says confirm or tx; nil: no disk

	_ [64]byte // consumers write the fields below, so these get another cache line

	lastTag atomic.Uint64 // the last delivery tag
	flow    flow.Channel  // limits the deliveries of all consumers together

	mu sync.Mutex
	// Guarded by mu.
	consumers   map[string]*Consumer // by tag
	started     uint64               // number of consumers ever started
	unacked     unacked.Set[queue.Delivered]
	prefetch    int    // limit for later consumers; zero: none
	lastQueue   string // the queue that was declared last
	tx          transaction
	alarm       clock.Alarm     // rings when a delivery is not settled in time
	shownNumber uint64          // the channel's number in errors and logs: over AMQP, the client's
	client      link.Client     // of a connection; nil: the channel is used in process
	told        bool            // channelOpened is recorded
	loops       int             // loops and functions that read from consumers
	idle        chan struct{}   // closed when there is no loop and nothing is unsettled; made by waitIdle
	ctx         context.Context // of the functions of ConsumeFunc; made by the first one
	cancel      context.CancelFunc
	held        memory.Reservation
	exchanges   map[*declaredExchange]*passed // that were published to while somebody watched
	past        ChannelCounts                 // of consumers that have ended, and of what exchanges count now
}

// channelPort is like brokerPort.
type channelPort = link.ChannelPort

// channelLink is a channel as a connection uses it. It implements link.Channel.
type channelLink Channel

type channelMode = int32

const (
	modePlain channelMode = iota
	modeConfirm
	modeTx
	modeElsewhere // it publishes to another broker, which confirms
)

func newChannel(s *Session) *Channel {
	ch := &Channel{session: s, vhost: s.vhost, unacked: unacked.New(s.vhost.broker.unsettled)}
	ch.channelPort = link.NewChannelPort((*channelLink)(ch))
	return ch
}

// Session returns the session that the channel belongs to.
func (ch *Channel) Session() *Session { return ch.session }

// opened sets the number that users see and the client, which may be nil, and tells the
// readers of changes, unless the channel is closed already.
func (ch *Channel) opened(number uint64, client link.Client) {
	ch.mu.Lock()
	ch.shownNumber, ch.client = number, client
	if !ch.closed.Load() {
		ch.told = true
		ch.vhost.broker.recordChange(change{kind: channelOpened, vhost: ch.vhost, session: ch.session, channel: ch})
	}
	ch.mu.Unlock()
	ch.vhost.broker.notifyReaders()
}

// Close closes the channel (channel.close): its consumers end, its unsettled
// deliveries return to their queues, and an uncommitted transaction is discarded. A
// second Close does nothing.
func (ch *Channel) Close() error {
	ch.end(ErrClosed)
	if ch.ownsSession {
		return ch.session.Close()
	}
	return nil
}

// end closes the channel for the given reason.
func (ch *Channel) end(reason error) {
	ch.mu.Lock()
	if ch.closed.Load() {
		ch.mu.Unlock()
		return
	}
	ch.reason = reason
	ch.closed.Store(true)
	ch.alarm.Stop()
	ch.held.Release()
	consumers := ch.sortedConsumers()
	ch.consumers = nil
	for _, s := range ch.tx.settled {
		ch.unacked.Add(s.Tag, &s.Delivery)
	}
	ch.hold(&ch.tx, -ch.tx.bytes)
	ch.tx = transaction{}
	cancel, line, told := ch.cancel, ch.line, ch.told
	ch.mu.Unlock()
	if line != nil {
		line.End(reason, ch.vhost.broker.state.Load() == stateClosed) // the broker's Close stores what there is
	}
	if cancel != nil {
		cancel()
	}
	ch.vhost.broker.queues.Memory.Wake()
	if d := ch.vhost.broker.disk; d != nil {
		d.gate.wake()
	}
	// Deliveries that were read are older than the consumers' unread messages, so
	// they return to their queues first. The pause keeps the channel's own consumers
	// from getting them again.
	ch.flow.Pause(true)
	ch.requeueTo(math.MaxUint64)
	ch.tellSettled()
	for _, c := range consumers {
		// After the broker's Close, messages that have arrived can still be read.
		c.end(reason, ch.vhost.broker.state.Load() != stateClosed)
	}
	ch.session.removeChannel(ch)
	if told {
		ch.vhost.broker.announce(change{kind: channelClosed, vhost: ch.vhost, session: ch.session, channel: ch, reason: reason})
	}
}

// endOutside closes the channel for a reason that neither its user nor the broker's end
// has given, and tells its client. A nil client is none.
func (ch *Channel) endOutside(reason error, client link.Client) {
	ch.end(reason)
	if client != nil {
		client.Ended(reason)
	}
}

// hold counts n bytes for the channel's transaction; n may be negative. The channel's
// mu is held, unless the transaction has been taken.
func (ch *Channel) hold(t *transaction, n int64) {
	t.bytes += n
	ch.session.held.Add(n)
	ch.vhost.broker.queues.Memory.Add(n)
}

// checkOpen returns the reason if the channel is closed.
func (ch *Channel) checkOpen() error {
	if ch.closed.Load() {
		return ch.reason
	}
	return nil
}

// setPaused stops or restarts deliveries. It returns the previous state.
func (ch *Channel) setPaused(paused bool) (was bool) {
	was = ch.flow.Pause(paused)
	if !paused {
		ch.flow.Serve()
	}
	return was
}

// openLine makes the line of publishes that wait for the disk. mu is held.
func (ch *Channel) openLine() {
	if d := ch.vhost.broker.disk; d != nil && ch.line == nil {
		ch.line = d.newLine(ch.client)
	}
}

// setLastQueue stores the queue that an empty name stands for.
func (ch *Channel) setLastQueue(name string) {
	ch.mu.Lock()
	ch.lastQueue = name
	ch.mu.Unlock()
}

// queueName replaces an empty name by that of the queue that was declared last. It
// fails with 404 if there is none.
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

// findReadableQueue is findQueue for operations that need the permission to read. It
// fails with 540 if the queue is a stream, unless m is basic.consume.
func (ch *Channel) findReadableQueue(m wire.MethodID, name string) (*declaredQueue, error) {
	var err error
	q := ch.vhost.queue(name)
	if q == nil { // else the name is that of a queue, and so is a good one
		name, err = ch.queueName(m, name)
	}
	if err == nil {
		err = ch.session.checkQueueAccess(m, toRead, name)
	}
	if err != nil {
		return nil, err
	}
	if q == nil {
		q, err = ch.vhost.findQueue(m, ch.session, name)
	} else {
		err = ch.vhost.checkOwner(m, q, ch.session)
	}
	switch {
	case err != nil:
		return nil, err
	case q.IsStream() && m != wire.BasicConsumeID:
		return nil, ch.vhost.errNotForStreams(m, m.String(), q.Name())
	case m == wire.BasicGetID && ch.vhost.broker.like.NoGetBesideConsumer && q.HasExclusive():
		return nil, ch.vhost.errExclusive(m, q.Name())
	}
	return q, nil
}

// findQueue finds a queue that the channel's session may use.
func (ch *Channel) findQueue(m wire.MethodID, name string) (*declaredQueue, error) {
	name, err := ch.queueName(m, name)
	if err != nil {
		return nil, err
	}
	return ch.vhost.findQueue(m, ch.session, name)
}

// checkPublishAccess checks the permission to publish to an exchange. It is called
// for every message, so it remembers the exchange that was allowed last.
func (ch *Channel) checkPublishAccess(g *grant, exchange string) error {
	if w := ch.recentGranted.Load(); w != nil && w.grant == g && w.exchange == exchange {
		return nil
	}
	if err := ch.session.checkExchangeAccess(wire.BasicPublishID, toWrite, exchange); err != nil {
		return err
	}
	ch.recentGranted.Store(&grantedExchange{g, strings.Clone(exchange)}) // the name may be a view of a buffer
	return nil
}
