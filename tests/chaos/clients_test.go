package chaos_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
)

// channel is a channel of a client of either kind, with a connection or a
// session of its own that may break at any time. Methods fail from then on.
type channel interface {
	Confirm() error
	Tx() error
	TxCommit() error
	TxRollback() error
	// Publish says by confirmed, which waits, whether the broker has taken it.
	Publish(exchange string, m *message) (confirmed func() bool, err error)
	Qos(count int, global bool) error
	Consume(queue string, noAck, exclusive bool) (consumer, error)
	Get(queue string) (d delivery, ok bool, err error)
	Ack(tag uint64, multiple bool) error
	Nack(tag uint64, multiple, requeue bool) error
	Recover() error // of all that is unsettled, whose tags are void then
	Sync() error    // returns when the broker has done all that it was asked before
	// Reopen closes the channel and opens another one.
	Reopen() error
	Close() error // and what the channel is part of
}

// consumer gives deliveries in the order in which they were sent.
type consumer interface {
	// Next waits until there is one or ctx ends.
	Next(ctx context.Context) (delivery, error)
	// Cancel gives what had been sent before it.
	Cancel() ([]delivery, error)
}

type delivery struct {
	queue       string // empty for a get
	tag         uint64
	redelivered bool
	headers     map[string]any
	body        []byte
	correlation string
}

const syncQueue = "sync"

// native is a session in the process. It breaks when it has been used often
// enough, beside whatever it is doing.
type native struct {
	session  *warren.Session
	ch       *warren.Channel
	left     int64
	breaking sync.WaitGroup
}

func newNative(b *warren.Broker, uses int64) (channel, error) {
	s, err := b.Session()
	if err != nil {
		return nil, err
	}
	ch, err := s.Channel()
	return &native{session: s, ch: ch, left: uses}, err
}

// use counts down to the break.
func (n *native) use() {
	if n.left--; n.left == 0 {
		n.breaking.Go(func() { n.session.Close() })
	}
}

func (n *native) Confirm() error    { n.use(); return n.ch.Confirm() }
func (n *native) Tx() error         { n.use(); return n.ch.Tx() }
func (n *native) TxCommit() error   { n.use(); return n.ch.TxCommit() }
func (n *native) TxRollback() error { n.use(); return n.ch.TxRollback() }
func (n *native) Recover() error    { n.use(); return n.ch.Recover(true) }

func (n *native) Publish(exchange string, m *message) (func() bool, error) {
	n.use()
	err := n.ch.Publish(context.Background(), exchange, m.key, warren.Message{
		Headers: m.headers, Priority: m.priority, Body: m.body, CorrelationId: m.correlation, ReplyTo: m.replyTo,
	}, warren.PublishOptions{})
	if errors.Is(err, warren.ErrNacked) {
		return func() bool { return false }, nil
	}
	return func() bool { return err == nil }, err
}

func (n *native) Qos(count int, global bool) error {
	n.use()
	return n.ch.Qos(count, warren.QosOptions{Global: global})
}

func (n *native) Get(queue string) (delivery, bool, error) {
	n.use()
	d, ok, err := n.ch.Get(queue, false)
	return fromNative("", d), ok, err
}

func (n *native) Ack(tag uint64, multiple bool) error { n.use(); return n.ch.Ack(tag, multiple) }

func (n *native) Nack(tag uint64, multiple, requeue bool) error {
	n.use()
	return n.ch.Nack(tag, multiple, requeue)
}

func (n *native) Sync() error {
	n.use()
	_, err := n.ch.QueueDeclarePassive(syncQueue)
	return err
}

func (n *native) Reopen() (err error) {
	n.use()
	n.ch.Close()
	n.ch, err = n.session.Channel()
	return err
}

func (n *native) Close() error {
	n.breaking.Wait()
	return n.session.Close()
}

func fromNative(queue string, d warren.Delivery) delivery {
	return delivery{queue, d.DeliveryTag, d.Redelivered, d.Headers, d.Body, d.CorrelationId}
}

type nativeConsumer struct {
	*warren.Consumer
	n *native
}

func (n *native) Consume(queue string, noAck, exclusive bool) (consumer, error) {
	n.use()
	o := warren.ConsumeOptions{NoAck: noAck, Exclusive: exclusive}
	if queue == stream {
		o.Offset = warren.StreamFirst()
	}
	c, err := n.ch.Consume(queue, o)
	return nativeConsumer{c, n}, err
}

func (c nativeConsumer) Next(ctx context.Context) (delivery, error) {
	c.n.use()
	d, err := c.Consumer.Next(ctx)
	return fromNative(c.Queue(), d), err
}

func (c nativeConsumer) Cancel() ([]delivery, error) { return nil, c.Consumer.Cancel() }

// official is a connection of the official client.
type official struct {
	conn *amqp091.Connection
	ch   *amqp091.Channel
	tags int // of consumers, so far
}

var errEnded = errors.New("the consumer has ended")

func newOfficial(config amqp091.Config) (channel, error) {
	conn, err := amqp091.DialConfig("amqp://"+user+":"+password+"@localhost/", config)
	if err != nil {
		return nil, err
	}
	o := &official{conn: conn}
	if o.ch, err = conn.Channel(); err != nil {
		conn.Close()
	}
	return o, err
}

func (o *official) Confirm() error    { return o.ch.Confirm(false) }
func (o *official) Tx() error         { return o.ch.Tx() }
func (o *official) TxCommit() error   { return o.ch.TxCommit() }
func (o *official) TxRollback() error { return o.ch.TxRollback() }

func (o *official) Recover() error {
	//lint:ignore SA1019 clients may still do so
	return o.ch.Recover(true)
}

func (o *official) Publish(exchange string, m *message) (func() bool, error) {
	c, err := o.ch.PublishWithDeferredConfirm(exchange, m.key, false, false, amqp091.Publishing{
		Headers: m.headers, Priority: m.priority, Body: m.body, CorrelationId: m.correlation, ReplyTo: m.replyTo,
	})
	if c == nil {
		return func() bool { return false }, err
	}
	return c.Wait, err
}

func (o *official) Qos(count int, global bool) error { return o.ch.Qos(count, 0, global) }

func (o *official) Get(queue string) (delivery, bool, error) {
	d, ok, err := o.ch.Get(queue, false)
	return fromOfficial("", d), ok, err
}

func (o *official) Ack(tag uint64, multiple bool) error { return o.ch.Ack(tag, multiple) }

func (o *official) Nack(tag uint64, multiple, requeue bool) error {
	return o.ch.Nack(tag, multiple, requeue)
}

func (o *official) Sync() error {
	_, err := o.ch.QueueDeclarePassive(syncQueue, false, false, false, false, nil)
	return err
}

func (o *official) Reopen() (err error) {
	if err := o.ch.Close(); err != nil {
		return err
	}
	o.ch, err = o.conn.Channel()
	return err
}

func (o *official) Close() error {
	return o.conn.CloseDeadline(time.Now().Add(time.Minute))
}

func fromOfficial(queue string, d amqp091.Delivery) delivery {
	return delivery{queue, d.DeliveryTag, d.Redelivered, d.Headers, d.Body, d.CorrelationId}
}

type officialConsumer struct {
	o          *official
	queue, tag string
	deliveries <-chan amqp091.Delivery
}

func (o *official) Consume(queue string, noAck, exclusive bool) (consumer, error) {
	var args amqp091.Table
	if queue == stream {
		args = amqp091.Table{"x-stream-offset": "first"}
	}
	o.tags++
	tag := "consumer-" + strconv.Itoa(o.tags)
	deliveries, err := o.ch.Consume(queue, tag, noAck, exclusive, false, false, args)
	return &officialConsumer{o, queue, tag, deliveries}, err
}

func (c *officialConsumer) Next(ctx context.Context) (delivery, error) {
	select {
	case d, ok := <-c.deliveries:
		if !ok {
			return delivery{}, errEnded
		}
		return fromOfficial(c.queue, d), nil
	case <-ctx.Done():
		return delivery{}, ctx.Err()
	}
}

// Cancel reads beside, since the client waits with the answer until what came
// before it has been read.
func (c *officialConsumer) Cancel() (left []delivery, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for d := range c.deliveries {
			left = append(left, fromOfficial(c.queue, d))
		}
	}()
	err = c.o.ch.Cancel(c.tag, false)
	<-done
	return left, err
}
