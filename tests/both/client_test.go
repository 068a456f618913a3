package both_test

import (
	"errors"
	"maps"
	"net"
	"testing"
	"testing/synctest"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
)

// clientChannel is a channel of the official client.
type clientChannel struct {
	*amqp091.Channel
	conn    net.Conn
	closed  chan *amqp091.Error
	returns chan amqp091.Return
}

func dialChannel(t *testing.T, server *amqp.Server) sideChannel {
	nc, err := server.Dial("", "")
	require.NoError(t, err)
	conn, err := amqp091.Open(nc, amqp091.Config{
		Vhost: "/",
		SASL:  []amqp091.Authentication{&amqp091.PlainAuth{Username: "guest", Password: "guest"}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	ch := brokertest.ClientChannel(t, conn)
	require.NoError(t, ch.Confirm(false))
	return clientChannel{
		ch, nc, ch.NotifyClose(make(chan *amqp091.Error, 1)), ch.NotifyReturn(make(chan amqp091.Return, 1)),
	}
}

// errorOf is an error of the official client as the broker has it.
func errorOf(err error) error {
	var e *amqp091.Error
	if errors.As(err, &e) {
		return &warren.Error{Code: uint16(e.Code), Text: e.Reason}
	}
	return err
}

// toClient turns a table into one of the official client, at all levels;
// fromClient is the way back.
func toClient(v any) any {
	switch v := v.(type) {
	case warren.Table:
		t := amqp091.Table{}
		for k, x := range v {
			t[k] = toClient(x)
		}
		return t
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = toClient(v[i])
		}
		return list
	case uint8:
		return int16(v) // amqp091-go has no uint8 in tables but byte arrays
	}
	return v
}

func fromClient(v any) any {
	switch v := v.(type) {
	case amqp091.Table:
		t := warren.Table{}
		for k, x := range v {
			t[k] = fromClient(x)
		}
		return t
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = fromClient(v[i])
		}
		return list
	}
	return v
}

func clientTable(t warren.Table) amqp091.Table {
	if t == nil {
		return nil
	}
	return toClient(t).(amqp091.Table)
}

// argumentsOf is the argument table that a Go user's options make.
func argumentsOf(o warren.QueueOptions) amqp091.Table {
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
	return clientTable(t)
}

func (ch clientChannel) QueueDeclare(name string, o warren.QueueOptions) (warren.Queue, error) {
	q, err := ch.Channel.QueueDeclare(name, o.Durable, o.AutoDelete, o.Exclusive, false, argumentsOf(o))
	return warren.Queue(q), errorOf(err)
}

func (ch clientChannel) QueueDeclarePassive(name string) (warren.Queue, error) {
	q, err := ch.Channel.QueueDeclarePassive(name, false, false, false, false, nil)
	return warren.Queue(q), errorOf(err)
}

func (ch clientChannel) QueueDelete(name string, o warren.QueueDeleteOptions) (int, error) {
	n, err := ch.Channel.QueueDelete(name, o.IfUnused, o.IfEmpty, false)
	return n, errorOf(err)
}

func (ch clientChannel) QueuePurge(name string) (int, error) {
	n, err := ch.Channel.QueuePurge(name, false)
	return n, errorOf(err)
}

func (ch clientChannel) QueueBind(name, key, exchange string, args warren.Table) error {
	return errorOf(ch.Channel.QueueBind(name, key, exchange, false, clientTable(args)))
}

func (ch clientChannel) ExchangeDeclare(name string, kind warren.ExchangeType, o warren.ExchangeOptions) error {
	args := warren.Table{}
	maps.Copy(args, o.Args)
	if o.Alternate != "" {
		args["alternate-exchange"] = o.Alternate
	}
	return errorOf(ch.Channel.ExchangeDeclare(name, string(kind), o.Durable, o.AutoDelete, o.Internal, false, clientTable(args)))
}

func (ch clientChannel) ExchangeBind(destination, key, source string, args warren.Table) error {
	return errorOf(ch.Channel.ExchangeBind(destination, key, source, false, clientTable(args)))
}

func (ch clientChannel) ExchangeDelete(name string, o warren.ExchangeDeleteOptions) error {
	return errorOf(ch.Channel.ExchangeDelete(name, o.IfUnused, false))
}

func (ch clientChannel) Flow(active bool) error { return errorOf(ch.Channel.Flow(active)) }

func (ch clientChannel) QosGlobal(prefetch int) error {
	return errorOf(ch.Channel.Qos(prefetch, 0, true))
}

func (ch clientChannel) Publish(exchange, key string, msg warren.Message, o warren.PublishOptions) error {
	c, err := ch.PublishWithDeferredConfirm(exchange, key, o.Mandatory, o.Immediate, amqp091.Publishing{
		Headers: clientTable(msg.Headers), ContentType: msg.ContentType, DeliveryMode: msg.DeliveryMode, Priority: msg.Priority,
		CorrelationId: msg.CorrelationId, ReplyTo: msg.ReplyTo, Expiration: msg.Expiration, MessageId: msg.MessageId, Body: msg.Body,
	})
	if err != nil {
		return errorOf(err)
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

func deliveryOf(d amqp091.Delivery) warren.Delivery {
	out := warren.Delivery{
		Message: warren.Message{
			ContentType: d.ContentType, DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId,
			ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageId: d.MessageId, Body: d.Body,
		},
		Exchange: d.Exchange, RoutingKey: d.RoutingKey, ConsumerTag: d.ConsumerTag, DeliveryTag: d.DeliveryTag,
		Redelivered: d.Redelivered, MessageCount: int(d.MessageCount),
	}
	if len(d.Headers) > 0 {
		out.Headers = fromClient(d.Headers).(warren.Table)
	}
	return out
}

func (ch clientChannel) Get(queue string, autoAck bool) (warren.Delivery, bool, error) {
	d, ok, err := ch.Channel.Get(queue, autoAck)
	return deliveryOf(d), ok, errorOf(err)
}

type clientConsumer <-chan amqp091.Delivery

func (ch clientChannel) Consume(queue string, o warren.ConsumeOptions) (sideConsumer, error) {
	if err := ch.Qos(max(0, o.Prefetch), 0, false); err != nil {
		return nil, errorOf(err)
	}
	args := amqp091.Table{}
	if o.Priority != 0 {
		args["x-priority"] = o.Priority
	}
	c, err := ch.Channel.Consume(queue, o.Tag, o.NoAck, o.Exclusive, false, false, args)
	return clientConsumer(c), errorOf(err)
}

func (c clientConsumer) next() (warren.Delivery, bool) {
	synctest.Wait()
	select {
	case d, ok := <-c:
		return deliveryOf(d), ok
	default:
		return warren.Delivery{}, false
	}
}

func (ch clientChannel) Cancel(tag string) error { return errorOf(ch.Channel.Cancel(tag, false)) }

// done waits until the broker has done what is not answered.
func (ch clientChannel) done(err error) error {
	synctest.Wait()
	return errorOf(err)
}

func (ch clientChannel) Ack(tag uint64, multiple bool) error {
	return ch.done(ch.Channel.Ack(tag, multiple))
}

func (ch clientChannel) Nack(tag uint64, multiple, requeue bool) error {
	return ch.done(ch.Channel.Nack(tag, multiple, requeue))
}

func (ch clientChannel) Reject(tag uint64, requeue bool) error {
	return ch.done(ch.Channel.Reject(tag, requeue))
}

func (ch clientChannel) Recover(requeue bool) error {
	//lint:ignore SA1019 clients may still do so
	return errorOf(ch.Channel.Recover(requeue))
}

func (ch clientChannel) Lose() {
	ch.conn.Close()
	synctest.Wait()
}

func (ch clientChannel) Closed() error {
	synctest.Wait()
	select {
	case e := <-ch.closed:
		if e != nil {
			return errorOf(e)
		}
	default:
	}
	return nil
}
