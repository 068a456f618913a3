package warren_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

// The rules of queues hold for this package's own channels and for AMQP
// clients: boTest tries a rule on both, by one description.

// boEnv is a broker in a bubble, and the side that a rule is tried on.
type boEnv struct {
	*testing.T
	broker *warren.Broker
	native bool
	open   func() boChannel // opens a channel on a connection of its own
}

// boChannel is a channel of either side, in confirm mode. Methods return when
// the broker has done what they ask for.
type boChannel interface {
	QueueDeclare(name string, o warren.QueueOptions) (warren.Queue, error)
	QueueDeclarePassive(name string) (warren.Queue, error)
	QueueDelete(name string, o warren.QueueDeleteOptions) (int, error)
	QueuePurge(name string) (int, error)
	QueueBind(name, key, exchange string, args warren.Table) error
	ExchangeDeclare(name string, kind warren.ExchangeType, o warren.ExchangeOptions) error
	Publish(exchange, key string, msg warren.Message, o warren.PublishOptions) error
	Get(queue string, autoAck bool) (warren.Delivery, bool, error)
	Consume(queue string, o warren.ConsumeOptions) (boConsumer, error)
	Cancel(tag string) error
	Ack(tag uint64, multiple bool) error
	Nack(tag uint64, multiple, requeue bool) error
	Reject(tag uint64, requeue bool) error
	Recover(requeue bool) error
	Close() error
	Lose()         // the connection is lost
	Closed() error // why the broker has closed the channel, told once; nil: it is open
}

// boConsumer gives what has come, without waiting.
type boConsumer interface {
	next() (warren.Delivery, bool)
}

// boTest tries a rule on both sides, each time in a bubble with a new broker.
func boTest(t *testing.T, rule func(t *boEnv)) {
	t.Helper()
	t.Run("native", func(t *testing.T) {
		amTest(t, func(t *testing.T, b *warren.Broker) {
			rule(&boEnv{T: t, broker: b, native: true, open: func() boChannel {
				s, err := b.Session()
				require.NoError(t, err)
				ch, err := s.Channel()
				require.NoError(t, err)
				require.NoError(t, ch.Confirm())
				return boNative{ch, s}
			}})
		})
	})
	t.Run("amqp", func(t *testing.T) {
		amTest(t, func(t *testing.T, b *warren.Broker) {
			server := amqp.NewServer(b, &amqp.Options{Heartbeat: -1})
			defer server.Close()
			rule(&boEnv{T: t, broker: b, open: func() boChannel { return boDial(t, server) }})
		})
	})
}

// boEach tries the cases of a table of rules.
func boEach[C any](t *testing.T, cases map[string]C, rule func(t *boEnv, c C)) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			boTest(t, func(t *boEnv) { rule(t, c) })
		})
	}
}

type boNative struct {
	*warren.Channel
	session *warren.Session
}

type boNativeConsumer struct{ *warren.Consumer }

func (ch boNative) Publish(exchange, key string, msg warren.Message, o warren.PublishOptions) error {
	return ch.Channel.Publish(context.Background(), exchange, key, msg, o)
}

func (ch boNative) Consume(queue string, o warren.ConsumeOptions) (boConsumer, error) {
	c, err := ch.Channel.Consume(queue, o)
	return boNativeConsumer{c}, err
}

func (ch boNative) Lose() { ch.session.Close() }

func (ch boNative) Closed() error {
	synctest.Wait()
	return ch.Qos(0, warren.QosOptions{})
}

func (c boNativeConsumer) next() (warren.Delivery, bool) {
	synctest.Wait()
	d, err := c.Next(mbNoWait)
	return d, err == nil
}

// boAMQP is a channel of the official client.
type boAMQP struct {
	*amqp091.Channel
	conn    net.Conn
	closed  chan *amqp091.Error
	returns chan amqp091.Return
}

func boDial(t *testing.T, server *amqp.Server) boChannel {
	nc, err := server.Dial("", "")
	require.NoError(t, err)
	conn, err := amqp091.Open(nc, amqp091.Config{
		SASL: []amqp091.Authentication{&amqp091.PlainAuth{Username: "guest", Password: "guest"}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	require.NoError(t, err)
	require.NoError(t, ch.Confirm(false))
	return boAMQP{
		ch, nc, ch.NotifyClose(make(chan *amqp091.Error, 1)), ch.NotifyReturn(make(chan amqp091.Return, 1)),
	}
}

// boError is an error of the official client as this package has it.
func boError(err error) error {
	var e *amqp091.Error
	if errors.As(err, &e) {
		return &warren.Error{Code: uint16(e.Code), Text: e.Reason}
	}
	return err
}

// boToAMQP and boFromAMQP turn tables into the other side's, at all levels.
func boToAMQP(v any) any {
	switch v := v.(type) {
	case warren.Table:
		t := amqp091.Table{}
		for k, x := range v {
			t[k] = boToAMQP(x)
		}
		return t
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = boToAMQP(v[i])
		}
		return list
	case uint8:
		return int16(v) // amqp091-go has no uint8 in tables but byte arrays
	}
	return v
}

func boFromAMQP(v any) any {
	switch v := v.(type) {
	case amqp091.Table:
		t := warren.Table{}
		for k, x := range v {
			t[k] = boFromAMQP(x)
		}
		return t
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = boFromAMQP(v[i])
		}
		return list
	}
	return v
}

func boTable(t warren.Table) amqp091.Table {
	if t == nil {
		return nil
	}
	return boToAMQP(t).(amqp091.Table)
}

// boArguments is the argument table that a Go user's options make.
func boArguments(o warren.QueueOptions) amqp091.Table {
	t := warren.Table{}
	set := func(name string, v any, is bool) {
		if is {
			t[name] = v
		}
	}
	set("x-queue-type", string(o.Type), o.Type != "")
	set("x-message-ttl", o.MessageTTL.Milliseconds(), o.MessageTTL > 0)
	set("x-expires", o.Expires.Milliseconds(), o.Expires > 0)
	set("x-max-length", o.MaxLength, o.MaxLength > 0)
	set("x-max-length-bytes", o.MaxLengthBytes, o.MaxLengthBytes > 0)
	set("x-overflow", string(o.Overflow), o.Overflow != "")
	if o.DeadLetter != nil {
		t["x-dead-letter-exchange"] = o.DeadLetter.Exchange
		set("x-dead-letter-routing-key", o.DeadLetter.RoutingKey, o.DeadLetter.RoutingKey != "")
	}
	set("x-max-priority", o.MaxPriority, o.MaxPriority > 0)
	set("x-single-active-consumer", true, o.SingleActiveConsumer)
	set("x-delivery-limit", o.DeliveryLimit, o.DeliveryLimit > 0)
	set("x-consumer-timeout", o.ConsumerTimeout.Milliseconds(), o.ConsumerTimeout > 0)
	for k, v := range o.Args {
		t[k] = v
	}
	return boTable(t)
}

func (ch boAMQP) QueueDeclare(name string, o warren.QueueOptions) (warren.Queue, error) {
	q, err := ch.Channel.QueueDeclare(name, o.Durable, o.AutoDelete, o.Exclusive, false, boArguments(o))
	return warren.Queue(q), boError(err)
}

func (ch boAMQP) QueueDeclarePassive(name string) (warren.Queue, error) {
	q, err := ch.Channel.QueueDeclarePassive(name, false, false, false, false, nil)
	return warren.Queue(q), boError(err)
}

func (ch boAMQP) QueueDelete(name string, o warren.QueueDeleteOptions) (int, error) {
	n, err := ch.Channel.QueueDelete(name, o.IfUnused, o.IfEmpty, false)
	return n, boError(err)
}

func (ch boAMQP) QueuePurge(name string) (int, error) {
	n, err := ch.Channel.QueuePurge(name, false)
	return n, boError(err)
}

func (ch boAMQP) QueueBind(name, key, exchange string, args warren.Table) error {
	return boError(ch.Channel.QueueBind(name, key, exchange, false, boTable(args)))
}

func (ch boAMQP) ExchangeDeclare(name string, kind warren.ExchangeType, o warren.ExchangeOptions) error {
	args := amqp091.Table{}
	if o.Alternate != "" {
		args["alternate-exchange"] = o.Alternate
	}
	return boError(ch.Channel.ExchangeDeclare(name, string(kind), o.Durable, o.AutoDelete, o.Internal, false, args))
}

func (ch boAMQP) Publish(exchange, key string, msg warren.Message, o warren.PublishOptions) error {
	c, err := ch.PublishWithDeferredConfirm(exchange, key, o.Mandatory, o.Immediate, amqp091.Publishing{
		Headers: boTable(msg.Headers), ContentType: msg.ContentType, DeliveryMode: msg.DeliveryMode, Priority: msg.Priority,
		CorrelationId: msg.CorrelationId, ReplyTo: msg.ReplyTo, Expiration: msg.Expiration, MessageId: msg.MessageId, Body: msg.Body,
	})
	if err != nil {
		return boError(err)
	}
	acked := c.Wait()
	synctest.Wait()
	select {
	case r := <-ch.returns:
		return &warren.Return{Code: r.ReplyCode, Text: r.ReplyText, Exchange: r.Exchange, RoutingKey: r.RoutingKey}
	default:
	}
	if !acked {
		return warren.ErrNacked
	}
	return nil
}

func boDelivery(d amqp091.Delivery) warren.Delivery {
	out := warren.Delivery{
		Message: warren.Message{
			ContentType: d.ContentType, DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId,
			ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageId: d.MessageId, Body: d.Body,
		},
		Exchange: d.Exchange, RoutingKey: d.RoutingKey, ConsumerTag: d.ConsumerTag, DeliveryTag: d.DeliveryTag,
		Redelivered: d.Redelivered, MessageCount: int(d.MessageCount),
	}
	if len(d.Headers) > 0 {
		out.Headers = boFromAMQP(d.Headers).(warren.Table)
	}
	return out
}

func (ch boAMQP) Get(queue string, autoAck bool) (warren.Delivery, bool, error) {
	d, ok, err := ch.Channel.Get(queue, autoAck)
	return boDelivery(d), ok, boError(err)
}

type boAMQPConsumer <-chan amqp091.Delivery

func (ch boAMQP) Consume(queue string, o warren.ConsumeOptions) (boConsumer, error) {
	if err := ch.Qos(max(0, o.Prefetch), 0, false); err != nil {
		return nil, boError(err)
	}
	args := amqp091.Table{}
	if o.Priority != 0 {
		args["x-priority"] = o.Priority
	}
	c, err := ch.Channel.Consume(queue, o.Tag, o.NoAck, o.Exclusive, false, false, args)
	return boAMQPConsumer(c), boError(err)
}

func (c boAMQPConsumer) next() (warren.Delivery, bool) {
	synctest.Wait()
	select {
	case d, ok := <-c:
		return boDelivery(d), ok
	default:
		return warren.Delivery{}, false
	}
}

func (ch boAMQP) Cancel(tag string) error { return boError(ch.Channel.Cancel(tag, false)) }

// done waits until the broker has done what is not answered.
func (ch boAMQP) done(err error) error {
	synctest.Wait()
	return boError(err)
}

func (ch boAMQP) Ack(tag uint64, multiple bool) error { return ch.done(ch.Channel.Ack(tag, multiple)) }

func (ch boAMQP) Nack(tag uint64, multiple, requeue bool) error {
	return ch.done(ch.Channel.Nack(tag, multiple, requeue))
}

func (ch boAMQP) Reject(tag uint64, requeue bool) error {
	return ch.done(ch.Channel.Reject(tag, requeue))
}

func (ch boAMQP) Recover(requeue bool) error {
	//lint:ignore SA1019 clients may still do so
	return boError(ch.Channel.Recover(requeue))
}

func (ch boAMQP) Lose() {
	ch.conn.Close()
	synctest.Wait()
}

func (ch boAMQP) Closed() error {
	synctest.Wait()
	select {
	case e := <-ch.closed:
		if e != nil {
			return boError(e)
		}
	default:
	}
	return nil
}

// declare makes a queue.
func (t *boEnv) declare(ch boChannel, name string, o warren.QueueOptions) {
	t.Helper()
	_, err := ch.QueueDeclare(name, o)
	require.NoError(t, err)
}

// deadLetters makes a queue for dead letters, and says how to get there.
func (t *boEnv) deadLetters(ch boChannel) *warren.DeadLetter {
	t.Helper()
	t.declare(ch, "dead", warren.QueueOptions{})
	return &warren.DeadLetter{RoutingKey: "dead"}
}

// put publishes bodies to a queue, by the default exchange.
func (t *boEnv) put(ch boChannel, queue string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		t.send(ch, queue, warren.Message{Body: []byte(body)})
	}
}

func (t *boEnv) send(ch boChannel, queue string, msg warren.Message) {
	t.Helper()
	require.NoError(t, ch.Publish("", queue, msg, warren.PublishOptions{}))
}

// take gets the message at the head, which must be there, without an ack.
func (t *boEnv) take(ch boChannel, queue string) warren.Delivery {
	t.Helper()
	return amTake(t, ch, queue)
}

// drain takes everything out of a queue and gives the bodies.
func (t *boEnv) drain(ch boChannel, queue string) []string {
	t.Helper()
	return amDrain(t, ch, queue)
}

// ready is how many messages a queue has, without a look at the queue that
// would count as its use.
func (t *boEnv) ready() int {
	synctest.Wait()
	return t.broker.Stats().Ready
}

func (t *boEnv) consume(ch boChannel, queue string, o warren.ConsumeOptions) boConsumer {
	t.Helper()
	c, err := ch.Consume(queue, o)
	require.NoError(t, err)
	return c
}

// read gives the bodies of all that a consumer gets; a redelivered one has a
// mark.
func (t *boEnv) read(c boConsumer) []string {
	t.Helper()
	bodies := []string{}
	for {
		d, ok := c.next()
		if !ok {
			return bodies
		}
		if d.Redelivered {
			d.Body = append(d.Body, '\'')
		}
		bodies = append(bodies, string(d.Body))
	}
}

// refuses requires that a method fails on a channel of its own.
func (t *boEnv) refuses(code uint16, text string, f func(ch boChannel) error) {
	t.Helper()
	ch := t.open()
	defer ch.Lose()
	t.isError(f(ch), code, text)
}

func (t *boEnv) isError(err error, code uint16, text string) {
	t.Helper()
	var e *warren.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code)
	require.Equal(t, text, e.Text)
}

// boDeaths are the entries of a message's x-death, without their times.
func boDeaths(d warren.Delivery) (list []warren.Table) {
	entries, _ := d.Headers["x-death"].([]any)
	for _, v := range entries {
		entry := warren.Table{}
		for k, v := range v.(warren.Table) {
			if k != "time" {
				entry[k] = v
			}
		}
		list = append(list, entry)
	}
	return list
}

// boReason is why a message was lost last.
func boReason(d warren.Delivery) any {
	if deaths := boDeaths(d); len(deaths) > 0 {
		return deaths[0]["reason"]
	}
	return nil
}

// boLater lets time pass, and what is due then happen.
func boLater(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
