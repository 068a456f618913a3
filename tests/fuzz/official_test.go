package fuzz_test

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// official is the official client, with one connection after another. Some
// break, others say something that is not what the client meant.
type official struct {
	*round
	r    *rand.Rand
	conn *amqp091.Connection
	ch   *amqp091.Channel
	bent *atomic.Bool // what the client says was changed

	consumers []<-chan amqp091.Delivery
	confirms  bool
	lastTag   uint64
	tags      int
}

func newOfficial(r *round, who int) *official {
	return &official{round: r, r: r.random("official", who)}
}

func (o *official) run() {
	for range operations {
		if o.conn == nil || o.conn.IsClosed() || o.r.IntN(80) == 0 {
			o.hangUp()
			o.connect()
		}
		if o.conn == nil {
			if o.ending.Load() {
				break
			}
			continue
		}
		if o.ch == nil || o.ch.IsClosed() || o.r.IntN(40) == 0 {
			o.open()
		}
		if o.ch != nil {
			o.step(o.ch)
		}
		if o.r.IntN(4) == 0 {
			o.pause(o.r)
		}
	}
	o.hangUp()
}

func (o *official) hangUp() {
	if o.conn != nil {
		o.conn.CloseDeadline(time.Now().Add(patience))
	}
	o.conn, o.ch = nil, nil
}

func (o *official) connect() {
	o.bent = new(atomic.Bool)
	dial := func(network, addr string) (net.Conn, error) {
		nc, err := o.dial(network, addr)
		if err != nil {
			return nil, err
		}
		if o.limit > 0 {
			// Who waits for memory cannot settle what holds it, so somebody must go.
			o.bent.Store(true)
			time.AfterFunc(50*time.Millisecond, func() { nc.Close() })
			return nc, nil
		}
		switch o.r.IntN(4) {
		case 0:
			o.bent.Store(true)
			nc = &bending{Conn: nc, left: o.r.IntN(6000), r: o.random("bend", o.r.IntN(1e9))}
		case 1:
			nc = brokertest.Cut(nc, o.r.Int64N(20_000), o.r.Int64N(20_000))
			o.bent.Store(true)
		}
		return nc, nil
	}
	conn, err := amqp091.DialConfig("amqp://guest:guest@localhost/", amqp091.Config{Dial: dial, Heartbeat: time.Minute, FrameSize: pick(o.r, []int{0, 4096})})
	if err == nil {
		o.conn = conn
	}
}

func (o *official) open() {
	if o.ch != nil {
		o.try("Channel.Close", o.ch.Close())
	}
	o.ch, o.consumers, o.confirms, o.lastTag = nil, nil, false, 0
	ch, err := o.conn.Channel()
	if o.try("Channel", err); err != nil {
		return
	}
	o.ch = ch
	if o.r.IntN(2) == 0 {
		err := ch.Confirm(false)
		o.try("Confirm", err)
		o.confirms = err == nil
	}
}

// try: a client whose words are changed may hear anything.
func (o *official) try(what string, err error) {
	if !o.bent.Load() && !normalOverAMQP(err) {
		o.t.Errorf("%s: %v", what, err)
	}
}

func (o *official) step(ch *amqp091.Channel) {
	r := o.r
	queue, exchange, key := pick(r, queueNames), exchangeName(r), pick(r, keys)
	switch r.IntN(24) {
	case 0:
		args := amqp091.Table{"x-max-length": r.Int32N(30), "x-dead-letter-exchange": exchange}
		if queue[0] == 's' {
			args = amqp091.Table{"x-queue-type": "stream"}
		}
		_, err := ch.QueueDeclare(queue, queue[0] == 's' || r.IntN(2) == 0, r.IntN(8) == 0, r.IntN(8) == 0, r.IntN(8) == 0, args)
		o.try("QueueDeclare", err)
	case 1:
		o.try("QueueBind", ch.QueueBind(queue, key, exchange, r.IntN(8) == 0, nil))
	case 2:
		o.try("ExchangeDeclare", ch.ExchangeDeclare(pick(r, exchangeNames), string(pick(r, kinds)), r.IntN(2) == 0, false, false, r.IntN(8) == 0, nil))
	case 3:
		_, err := ch.QueuePurge(queue, false)
		o.try("QueuePurge", err)
	case 4:
		_, err := ch.QueueDelete(queue, r.IntN(2) == 0, r.IntN(2) == 0, false)
		o.try("QueueDelete", err)
	case 5, 6, 7, 8, 9:
		o.publish(ch, 1+r.IntN(10))
	case 10, 11:
		d, ok, err := ch.Get(queue, r.IntN(2) == 0)
		if o.try("Get", err); ok {
			o.got(d)
		}
	case 12, 13:
		o.consume(ch, queue)
	case 14, 15, 16, 17:
		o.read()
	case 18, 19:
		o.settle(ch)
	case 20:
		o.try("Qos", ch.Qos(r.IntN(10), 0, r.IntN(2) == 0))
	case 21:
		o.try("Flow", ch.Flow(r.IntN(3) > 0))
	case 22:
		//lint:ignore SA1019 clients may still do so
		o.try("Recover", ch.Recover(r.IntN(2) == 0))
	case 23:
		o.transact(ch)
	}
}

// publish: each message is confirmed, one way or the other, unless the channel
// is closed.
func (o *official) publish(ch *amqp091.Channel, n int) {
	var confirms []*amqp091.DeferredConfirmation
	for range n {
		key, exchange := pick(o.r, keys), exchangeName(o.r)
		if exchange == "" {
			key = pick(o.r, queueNames)
		}
		m := o.sent.message(o.r)
		if m.ReplyTo == warren.DirectReplyTo && o.r.IntN(2) == 0 {
			m.ReplyTo = ""
		}
		if o.bent.Load() {
			m.MessageId = "" // what arrives is something else
		}
		c, err := ch.PublishWithDeferredConfirm(exchange, key, o.r.IntN(3) == 0, o.r.IntN(10) == 0, amqp091.Publishing{
			Headers: amqp091.Table(m.Headers), ContentType: m.ContentType, DeliveryMode: m.DeliveryMode, Priority: m.Priority, CorrelationId: m.CorrelationId,
			ReplyTo: m.ReplyTo, Expiration: m.Expiration, MessageId: m.MessageId, Type: m.Type, AppId: m.AppId, Body: m.Body,
		})
		if o.try("Publish", err); err != nil {
			return
		}
		if c != nil {
			confirms = append(confirms, c)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, c := range confirms {
		if _, err := c.WaitContext(ctx); err != nil && !o.bent.Load() {
			o.t.Errorf("a confirm does not come: %v", err)
			return
		}
	}
}

func (o *official) consume(ch *amqp091.Channel, queue string) {
	if len(o.consumers) > 4 {
		return
	}
	var args amqp091.Table
	noAck := o.r.IntN(4) == 0
	switch {
	case o.r.IntN(10) == 0:
		queue, noAck = warren.DirectReplyTo, true
	case queue[0] == 's':
		args, noAck = amqp091.Table{"x-stream-offset": pick(o.r, []any{"first", "last", "next", int64(3)})}, false
		o.try("Qos", ch.Qos(1+o.r.IntN(10), 0, false))
	}
	o.tags++
	deliveries, err := ch.Consume(queue, strconv.Itoa(o.tags), noAck, o.r.IntN(12) == 0, false, false, args)
	if o.try("Consume", err); err == nil {
		o.consumers = append(o.consumers, deliveries)
	}
}

// read takes what has come. The client itself reads on.
func (o *official) read() {
	for _, c := range o.consumers {
		last := uint64(0)
		for range o.r.IntN(20) {
			select {
			case d, ok := <-c:
				if !ok {
					break
				}
				if d.DeliveryTag <= last {
					o.t.Errorf("delivery tag %d after %d", d.DeliveryTag, last)
				}
				last = d.DeliveryTag
				o.got(d)
			default:
			}
		}
	}
}

func (o *official) got(d amqp091.Delivery) {
	o.lastTag = max(o.lastTag, d.DeliveryTag)
	o.sent.arrivedOverAMQP(o.t, d)
}

func (o *official) settle(ch *amqp091.Channel) {
	if o.lastTag == 0 {
		return
	}
	tag, multiple, requeue := o.lastTag-uint64(o.r.Int64N(int64(min(o.lastTag, 3)))), o.r.IntN(3) == 0, o.r.IntN(2) == 0
	switch o.r.IntN(3) {
	case 0:
		o.try("Ack", ch.Ack(tag, multiple))
	case 1:
		o.try("Nack", ch.Nack(tag, multiple, requeue))
	case 2:
		o.try("Reject", ch.Reject(tag, requeue))
	}
}

// transact has a transaction on a channel of its own.
func (o *official) transact(ch *amqp091.Channel) {
	if o.confirms {
		return
	}
	err := ch.Tx()
	for range 3 {
		if o.try("Tx", err); err != nil {
			return
		}
		o.publish(ch, o.r.IntN(5))
		if o.r.IntN(3) > 0 {
			err = ch.TxCommit()
		} else {
			err = ch.TxRollback()
		}
	}
	o.try("Tx", err)
}

// bending changes what is written, once, from some octet on: by a bit, by
// octets that are missing, or by octets too many. It hangs up soon after, since
// both sides may wait for the other then.
type bending struct {
	net.Conn
	left int
	r    *rand.Rand
}

func (b *bending) Write(p []byte) (int, error) {
	n := len(p)
	if b.left >= n || n == 0 {
		b.left -= n
		return b.Conn.Write(p)
	}
	if b.left >= 0 {
		at := b.left
		changed := append([]byte(nil), p[:at]...)
		switch b.r.IntN(3) {
		case 0:
			changed = append(changed, p[at]^(1<<b.r.IntN(8)))
			changed = append(changed, p[at+1:]...)
		case 1:
			changed = append(changed, p[min(n, at+1+b.r.IntN(8)):]...)
		case 2:
			for range 1 + b.r.IntN(8) {
				changed = append(changed, byte(b.r.Int()))
			}
			changed = append(changed, p[at:]...)
		}
		b.left = -1
		time.AfterFunc(20*time.Millisecond, func() { b.Conn.Close() })
		p = changed
	}
	if _, err := b.Conn.Write(p); err != nil {
		return 0, err
	}
	return n, nil
}
