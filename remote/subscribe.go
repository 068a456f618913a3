package remote

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// Subscribe is [warren.Broker.Subscribe] to an exchange elsewhere. When the connection is
// lost it is resumed, and what it needs is declared again. A subscription without a queue
// name then has a new queue, and does not get what was published meanwhile; name a queue
// to get all. Subscribe waits 30 seconds for a connection.
func (b *Broker) Subscribe(exchange, pattern string, f warren.DeliveryFunc, opts ...warren.SubscribeOptions) (*warren.Subscription, error) {
	return b.local.Subscribe(exchange, pattern, f, opts...)
}

// Work is [warren.Broker.Work] on a queue elsewhere. When the connection is lost it is
// resumed, and the queue is declared again. Work waits 30 seconds for a connection.
func (b *Broker) Work(queue string, f warren.DeliveryFunc, opts ...warren.WorkOptions) (*warren.Subscription, error) {
	return b.local.Work(queue, f, opts...)
}

var (
	_ warren.Publisher  = (*Broker)(nil)
	_ warren.Subscriber = (*Broker)(nil)
)

// closeTime is how long the end of a subscription waits for a broker that does not answer.
const closeTime = 10 * time.Second

// errDeleted: the queue of a source was deleted.
var errDeleted = errors.New("remote: the queue was deleted")

// Consume implements link.Far.
func (o *outgoing) Consume(ctx context.Context, s *link.Source) error {
	b := (*Broker)(o)
	first := make(chan error, 1)
	ok := b.start(func() {
		defer close(s.Over)
		b.feed(ctx, s, first)
	})
	if !ok {
		close(s.Over)
		return warren.ErrClosed
	}
	return <-first
}

// feed reads a source's queue from one connection after the other. first is told when the
// first consumer has begun, or why there is none.
func (b *Broker) feed(ctx context.Context, s *link.Source, first chan error) {
	delay := b.options.Delay
	defer func() {
		if first != nil {
			first <- warren.ErrClosed
		}
	}()
	for {
		began := false
		err := b.feedOnce(ctx, s, func() {
			began, ctx, delay = true, b.ctx, b.options.Delay
			if first != nil {
				first <- nil
				first = nil
			}
		})
		switch {
		case err == nil:
			return
		case err == errDeleted:
			s.Deleted()
			<-s.Ended
			return
		case first != nil && !errors.Is(err, ErrConnectionLost) && !errors.Is(err, errEnded):
			first <- err
			first = nil
			return
		}
		select {
		case <-s.Ended:
			return
		default:
		}
		if !began || !errors.Is(err, ErrConnectionLost) { // else the broker has said so
			b.options.Logger.Warn("a subscription is interrupted", "queue", s.Queue, "error", err)
		}
		select {
		case <-time.After(delay):
		case <-s.Ended:
			return
		case <-b.ctx.Done():
			return
		}
		delay = min(2*delay, b.options.MaxDelay)
	}
}

// feedOnce reads a source's queue from the present connection. It returns nil when the
// source has ended. ctx is for the beginning.
func (b *Broker) feedOnce(ctx context.Context, s *link.Source, begun func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	go func() {
		select {
		case <-s.Ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	br, err := b.connected(ctx)
	if err != nil {
		return err
	}
	begins := make(chan *feeder, 1)
	err = finish(ctx, func() error {
		f, err := br.feeder(ctx, s)
		begins <- f
		return err
	})
	if err == nil {
		begun()
		return (<-begins).run(b.ctx)
	}
	if ctx.Err() != nil {
		go func() { // it may begin yet
			if f := <-begins; f != nil {
				f.end()
				f.ch.Close()
			}
		}()
	}
	if br.over() {
		err = lostError{err}
	}
	return err
}

// feeder reads a source's queue from one connection.
type feeder struct {
	bridge     *bridge
	source     *link.Source
	ch         *amqp091.Channel
	tag        string
	deliveries <-chan amqp091.Delivery
	cancelled  <-chan string
	gone       context.Context // ends when nothing can be settled any more
	end        context.CancelFunc
	cancelling sync.WaitGroup // basic.cancel is under way

	mu sync.Mutex
	// Guarded by mu.
	fates []settled
	wake  chan struct{} // has room for one
}

// settled is what has become of a delivery.
type settled struct {
	tag  uint64
	fate message.Fate
}

// feeder begins to read.
func (br *bridge) feeder(ctx context.Context, s *link.Source) (*feeder, error) {
	if err := s.Declare(ctx); err != nil {
		return nil, err
	}
	ch, err := br.conn.Channel()
	if err != nil {
		return nil, err
	}
	f := &feeder{bridge: br, source: s, ch: ch, tag: "warren", wake: make(chan struct{}, 1)}
	f.cancelled = ch.NotifyCancel(make(chan string, 1))
	if err = ch.Qos(s.Prefetch, 0, false); err == nil {
		f.deliveries, err = ch.Consume(s.Queue, f.tag, false, false, false, false, nil)
	}
	if err != nil {
		ch.Close()
		if e := refused(wire.BasicConsumeID, err); e != nil {
			return nil, e
		}
		return nil, err
	}
	f.gone, f.end = context.WithCancel(br.ctx)
	return f, nil
}

// run passes messages to the function, and what became of them back.
func (f *feeder) run(closed context.Context) error {
	defer f.source.Withdraw()
	defer f.end() // first: what is withdrawn, and what the function works on, is in its queue again
	stopping, deliveries := f.source.Stopping, f.deliveries
	for {
		select {
		case d, ok := <-deliveries:
			switch {
			case ok && stopping != nil:
				f.deliver(&d)
			case ok:
				d.Nack(false, true)
			case stopping == nil && !f.ch.IsClosed():
				deliveries = nil // as was asked for
			default:
				return f.interrupted()
			}
		case <-f.wake:
			f.settle()
		case <-stopping:
			stopping = nil
			f.source.Withdraw()
			f.cancelling.Go(func() { f.ch.Cancel(f.tag, false) }) // the function may go on for long, and its messages are settled meanwhile
		case <-f.source.Ended:
			f.settle()
			return f.close()
		case <-closed.Done():
			return nil
		}
	}
}

func (f *feeder) deliver(d *amqp091.Delivery) {
	tag := d.DeliveryTag
	var once sync.Once
	p := message.Properties{
		Headers: tableHere(d.Headers), ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo,
		Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId,
		AppId: d.AppId, Body: d.Body,
	}
	f.source.Deliver(&link.Arrival{
		Exchange: d.Exchange, RoutingKey: d.RoutingKey, Redelivered: d.Redelivered, Properties: &p, Gone: f.gone,
		Settle: func(fate message.Fate) { once.Do(func() { f.later(settled{tag, fate}) }) },
	})
}

// later notes what has become of a message. Locks of the local broker may be held.
func (f *feeder) later(s settled) {
	f.mu.Lock()
	f.fates = append(f.fates, s)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// settle tells the broker what has become of messages.
func (f *feeder) settle() {
	f.mu.Lock()
	fates := f.fates
	f.fates = nil
	f.mu.Unlock()
	for _, s := range fates {
		switch s.fate {
		case message.Acked:
			f.ch.Ack(s.tag, false)
		case message.Rejected:
			f.ch.Reject(s.tag, false)
		case message.Dropped:
			f.ch.Nack(s.tag, false, true)
		}
	}
}

// interrupted returns why the broker sends no more.
func (f *feeder) interrupted() error {
	defer f.ch.Close()
	select {
	case <-f.cancelled: // it is also closed with the channel
	default:
	}
	if f.bridge.over() {
		return ErrConnectionLost
	}
	_, err := f.ch.QueueDeclarePassive(f.source.Queue, false, false, false, false, nil)
	e := refused(wire.QueueDeclareID, err)
	switch {
	case e != nil && e.Code == wire.CodeNotFound && !strings.Contains(e.Text, "is down"): // its node may come back
		return errDeleted
	case e != nil:
		return e
	case err == nil:
		return errors.New("remote: the broker has cancelled the consumer")
	case f.bridge.over():
		return ErrConnectionLost
	}
	return errors.New("remote: the broker has closed the channel of the subscription")
}

// close ends the channel. A queue of the source's own goes with it.
func (f *feeder) close() error {
	ctx, cancel := context.WithTimeout(f.bridge.ctx, closeTime)
	defer cancel()
	err := finish(ctx, func() error {
		f.cancelling.Wait()
		if f.source.Own {
			f.ch.QueueDelete(f.source.Queue, false, false, false)
		}
		return f.ch.Close()
	})
	if err != nil && !f.bridge.over() {
		f.bridge.broker.options.Logger.Warn("the end of a subscription is not confirmed", "queue", f.source.Queue, "error", err)
	}
	return nil
}
