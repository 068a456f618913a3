package main

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// scenario is something that brokers are measured by.
type scenario struct {
	name    string
	measure func(b *broker, scale float64) (figures, error)
}

var scenarios = []scenario{
	{"publish 16 B", publish(16, 2_000_000)},
	{"publish 1 KiB", publish(1024, 300_000)},
	{"consume 16 B, auto-ack", consume(16, 2_000_000, 0)},
	{"consume 16 B, acks, prefetch 1000", consume(16, 1_000_000, 1000)},
	{"end to end 16 B", endToEnd(16, 1_000_000)},
	{"reply-to, one at a time", replyTo(10_000, 1)},
	{"reply-to, 64 in flight", replyTo(100_000, 64)},
}

// slow brokers get fewer messages, so that a scenario ends in time.
func (b *broker) count(n int, scale float64) int {
	if b.name == "rabbitmq" {
		n /= 8
	}
	return max(1000, int(float64(n)*scale))
}

// batch is how many encoded messages are written at once.
func batch(size int) int { return max(1, (64<<10)/(size+80)) }

const queue = "bench"

// declare connects and makes the queue.
func declare(b *broker) (*client, error) {
	c, err := dial(b.url)
	if err != nil {
		return nil, err
	}
	_, err = c.call(&wire.QueueDeclare{Queue: queue})
	if err == nil {
		_, err = c.call(&wire.QueuePurge{Queue: queue})
	}
	return c, err
}

// fill publishes n messages and waits until the broker has them.
func (c *client) fill(n, size int) error {
	several := batch(size)
	b := publishes(several, queue, size, nil)
	for left := n; left > 0; left -= several {
		if left < several {
			b = publishes(left, queue, size, nil)
		}
		if _, err := c.net.Write(b); err != nil {
			return err
		}
	}
	for { // RabbitMQ answers before its queue has all
		m, err := c.call(&wire.QueueDeclare{Queue: queue, Passive: true})
		if err != nil {
			return err
		}
		if ok, is := m.(*wire.QueueDeclareOk); is && int(ok.MessageCount) >= n {
			return nil
		}
	}
}

// timed runs f, which handles n messages.
func timed(b *broker, n int, f func() error) (out figures, err error) {
	used, start := cpu(b.pid), time.Now()
	err = f()
	took := time.Since(start)
	out.add("messages/s", float64(n)/took.Seconds())
	out.add("us CPU/message", (cpu(b.pid)-used)*1e6/float64(n))
	return out, err
}

func publish(size, messages int) func(*broker, float64) (figures, error) {
	return func(b *broker, scale float64) (out figures, err error) {
		c, err := declare(b)
		if err != nil {
			return out, err
		}
		defer c.close()
		n := b.count(messages, scale)
		if out, err = timed(b, n, func() error { return c.fill(n, size) }); err != nil {
			return out, err
		}
		_, err = c.call(&wire.QueuePurge{Queue: queue})
		return out, err
	}
}

// start begins to consume.
func (c *client) start(name string, noAck bool) error {
	_, err := c.call(&wire.BasicConsume{Queue: []byte(name), ConsumerTag: []byte("c"), NoAck: noAck})
	return err
}

// delivery is what one delivery of a size takes on the wire; all are equal.
func delivery(size int) int {
	m := wire.BasicDeliver{ConsumerTag: []byte("c"), RoutingKey: []byte(queue)}
	return len(wire.AppendDeliver(nil, 1, &m, nil, make([]byte, size), frameMax))
}

// take reads n deliveries. Those that need it are acknowledged by halves of
// the prefetch.
func (c *client) take(n, size, prefetch int) error {
	one, acked := delivery(size), 0
	buffer := make([]byte, 1<<18)
	for got := 0; got < n*one; {
		k, err := c.in.Read(buffer)
		if err != nil {
			return err
		}
		got += k
		if prefetch > 0 && got/one-acked >= prefetch/2 {
			acked = got / one
			if err := c.send(1, &wire.BasicAck{DeliveryTag: uint64(acked), Multiple: true}); err != nil {
				return err
			}
		}
	}
	if prefetch > 0 {
		return c.send(1, &wire.BasicAck{Multiple: true})
	}
	return nil
}

func consume(size, messages, prefetch int) func(*broker, float64) (figures, error) {
	return func(b *broker, scale float64) (out figures, err error) {
		c, err := declare(b)
		if err != nil {
			return out, err
		}
		defer c.close()
		n := b.count(messages, scale)
		if err := c.fill(n, size); err != nil {
			return out, err
		}
		if prefetch > 0 {
			if _, err := c.call(&wire.BasicQos{PrefetchCount: uint16(prefetch)}); err != nil {
				return out, err
			}
		}
		return timed(b, n, func() error {
			if err := c.start(queue, prefetch == 0); err != nil {
				return err
			}
			return c.take(n, size, prefetch)
		})
	}
}

func endToEnd(size, messages int) func(*broker, float64) (figures, error) {
	return func(b *broker, scale float64) (out figures, err error) {
		c, err := declare(b)
		if err != nil {
			return out, err
		}
		defer c.close()
		p, err := dial(b.url)
		if err != nil {
			return out, err
		}
		defer p.close()
		if err := c.start(queue, true); err != nil {
			return out, err
		}
		n := b.count(messages, scale)
		return timed(b, n, func() error {
			failed := make(chan error, 1)
			go func() {
				several := batch(size)
				encoded := publishes(several, queue, size, nil)
				for left := n; left > 0; left -= several {
					if left < several {
						encoded = publishes(left, queue, size, nil)
					}
					if _, err := p.net.Write(encoded); err != nil {
						failed <- err
						return
					}
				}
				failed <- nil
			}()
			if err := c.take(n, size, 0); err != nil {
				return err
			}
			return <-failed
		})
	}
}

// serve answers requests until its connection ends. The reply goes to the
// address in reply_to, with the correlation_id that came.
func (c *client) serve() {
	var out []byte
	for {
		kind, payload, err := c.frame()
		if err != nil {
			return
		}
		if wire.FrameType(kind) != wire.FrameHeader {
			continue
		}
		h, err := wire.ParseContentHeader(payload)
		if err != nil {
			return
		}
		to, _ := h.Properties.Get(wire.ReplyTo)
		id, _ := h.Properties.Get(wire.CorrelationId)
		m := wire.BasicPublish{RoutingKey: to}
		p := wire.Properties{CorrelationId: string(id)}
		out = wire.AppendPublish(out, 1, &m, p.Append(nil), make([]byte, 16), frameMax)
		if c.in.Buffered() < 64 { // nothing more to answer at once
			if _, err := c.net.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
	}
}

const pseudoQueue = "amq.rabbitmq.reply-to"

func replyTo(calls, inFlight int) func(*broker, float64) (figures, error) {
	return func(b *broker, scale float64) (out figures, err error) {
		server, err := declare(b)
		if err != nil {
			return out, err
		}
		defer server.net.Close()
		if err := server.start(queue, true); err != nil {
			return out, err
		}
		go server.serve()
		c, err := dial(b.url)
		if err != nil {
			return out, err
		}
		defer c.close()
		if err := c.start(pseudoQueue, true); err != nil {
			return out, err
		}
		p := wire.Properties{ReplyTo: pseudoQueue, CorrelationId: "0123456789abcdef"}
		request := publishes(1, queue, 16, p.Append(nil))
		n := b.count(calls, scale)
		var took []time.Duration
		out, err = timed(b, n, func() error {
			took, err = c.pingPong(request, n, inFlight)
			return err
		})
		if inFlight == 1 && err == nil {
			slices.Sort(took)
			out.add("p50 us", float64(took[len(took)/2].Nanoseconds())/1e3)
			out.add("p99 us", float64(took[len(took)*99/100].Nanoseconds())/1e3)
		}
		return out, err
	}
}

// pingPong makes n calls, so many at a time, and times each if it is one.
func (c *client) pingPong(request []byte, n, inFlight int) (took []time.Duration, err error) {
	if _, err := c.net.Write(bytes.Repeat(request, inFlight)); err != nil {
		return nil, err
	}
	start := time.Now()
	for sent, got := inFlight, 0; got < n; {
		kind, _, err := c.frame()
		if err != nil {
			return nil, fmt.Errorf("after %d replies: %w", got, err)
		}
		if wire.FrameType(kind) != wire.FrameBody {
			continue
		}
		if got++; inFlight == 1 {
			now := time.Now()
			took = append(took, now.Sub(start))
			start = now
		}
		if sent < n {
			if _, err := c.net.Write(request); err != nil {
				return nil, err
			}
			sent++
		}
	}
	return took, nil
}
