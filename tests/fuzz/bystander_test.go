package fuzz_test

import (
	"context"
	"runtime"
	"strconv"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
)

// bystander works in a virtual host of its own, and nothing that others do may
// keep it from its work, change what it gets, or stop it for long.
type bystander struct {
	*round
	vhost *warren.VirtualHost
}

// patience is how long what it does may take. At the memory limit it waits for clients
// that themselves wait with patience, with what fills the memory.
func (b *bystander) patience() time.Duration {
	if b.limit > 0 {
		return 10 * patience
	}
	return patience
}

// expect fails unless the broker is closing.
func (b *bystander) expect(ok bool, format string, args ...any) bool {
	if !ok && !b.ending.Load() {
		b.t.Errorf("a bystander: "+format, args...)
	}
	return ok
}

func (b *bystander) inProcess() {
	ch, err := b.vhost.Channel()
	if !b.expect(err == nil, "%v", err) {
		return
	}
	defer ch.Close()
	_, err = ch.QueueDeclare("native", warren.QueueOptions{})
	b.expect(err == nil, "%v", err)
	c, err := ch.Consume("native", warren.ConsumeOptions{Prefetch: 1})
	if !b.expect(err == nil, "%v", err) {
		return
	}
	for n := 0; ; n++ {
		select {
		case <-b.over:
			_, err := ch.QueueDelete("native", warren.QueueDeleteOptions{})
			b.expect(err == nil, "%v", err)
			return
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), b.patience())
		err := ch.Publish(ctx, "", "native", warren.Message{Body: []byte(strconv.Itoa(n))}, warren.PublishOptions{Mandatory: true})
		if !b.expect(err == nil, "publish: %v", err) {
			cancel()
			return
		}
		d, err := c.Next(ctx)
		cancel()
		if !b.expect(err == nil && string(d.Body) == strconv.Itoa(n) && !d.Redelivered && d.DeliveryTag == uint64(n+1), "message %d is %+v, %v", n, d, err) {
			return
		}
		if err := d.Ack(false); !b.expect(err == nil, "ack: %v", err) {
			return
		}
		b.idle()
	}
}

// idle leaves the processor to the others. In a bubble, time passes.
func (b *bystander) idle() {
	if b.bubble {
		time.Sleep(time.Millisecond)
	} else {
		runtime.Gosched()
	}
}

func (b *bystander) overAMQP() {
	conn, err := amqp091.DialConfig("amqp://guest:guest@localhost/bystander", amqp091.Config{Dial: b.dial, Heartbeat: time.Minute})
	if !b.expect(err == nil, "%v", err) {
		return
	}
	defer conn.CloseDeadline(time.Now().Add(patience))
	ch, err := conn.Channel()
	if !b.expect(err == nil, "%v", err) {
		return
	}
	_, err = ch.QueueDeclare("official", false, false, false, false, nil)
	b.expect(err == nil, "%v", err)
	b.expect(ch.Confirm(false) == nil, "no confirms")
	deliveries, err := ch.Consume("official", "", false, false, false, false, nil)
	if !b.expect(err == nil, "%v", err) {
		return
	}
	for n := 0; ; n++ {
		select {
		case <-b.over:
			_, err := ch.QueueDelete("official", false, false, false)
			b.expect(err == nil, "%v", err)
			return
		default:
		}
		c, err := ch.PublishWithDeferredConfirm("", "official", true, false, amqp091.Publishing{Body: []byte(strconv.Itoa(n))})
		if !b.expect(err == nil, "publish: %v", err) {
			return
		}
		select {
		case d, ok := <-deliveries:
			if !b.expect(ok && string(d.Body) == strconv.Itoa(n) && !d.Redelivered && d.DeliveryTag == uint64(n+1), "message %d is %+v", n, d) {
				return
			}
			if err := d.Ack(false); !b.expect(err == nil, "ack: %v", err) {
				return
			}
		case <-time.After(b.patience()):
			b.expect(false, "message %d does not come", n)
			return
		}
		if !b.expect(c.Wait(), "message %d is not confirmed", n) {
			return
		}
		b.idle()
	}
}
