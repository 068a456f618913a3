package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// script asks a broker things and writes down what it says.
type script struct {
	url  string
	out  io.Writer
	conn *amqp.Connection
	made []string // queues and exchanges, to be deleted after a section
}

const (
	patience = 5 * time.Second        // for what must come
	silence  = 200 * time.Millisecond // of what does not come
)

func (s *script) say(format string, args ...any) {
	fmt.Fprintln(s.out, stable(fmt.Sprintf(format, args...)))
}

// section is a part of the transcript; afterwards nothing of it is left.
func (s *script) section(name string, ask func(*script)) {
	s.say("\n== %s", name)
	ask(s)
	s.made = slices.Compact(slices.Sorted(slices.Values(s.made)))
	s.with(func(ch *amqp.Channel) error {
		for _, name := range s.made {
			if !strings.HasPrefix(name, "b.") {
				continue // it cannot be declared, or was there before
			}
			if _, err := ch.QueueDelete(name, false, false, false); err != nil {
				return err
			}
			if err := ch.ExchangeDelete(name, false, false); err != nil {
				return err
			}
		}
		return nil
	})
	s.made = nil
}

func (s *script) dial() *amqp.Connection {
	conn, err := amqp.Dial(s.url)
	if err != nil {
		panic(err)
	}
	return conn
}

// channel opens one, on a new connection if the last was closed.
func (s *script) channel() *amqp.Channel {
	for range 3 {
		if s.conn == nil || s.conn.IsClosed() {
			s.conn = s.dial()
		}
		if ch, err := s.conn.Channel(); err == nil {
			return ch
		}
		s.conn.Close()
	}
	panic("no channel")
}

// with runs f on a channel of its own and gives the error that it, or what it
// left behind, closed the channel with.
func (s *script) with(f func(ch *amqp.Channel) error) error {
	ch := s.channel()
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	err := f(ch)
	if err == nil {
		err = ch.ExchangeDeclarePassive("amq.direct", "direct", true, false, false, false, nil) // what has no answer may fail later
	}
	if !ch.IsClosed() {
		ch.Close()
	} else if e := <-closed; e != nil {
		err = e // and not that the channel is closed
	}
	return err
}

// try writes down how an operation ends.
func (s *script) try(what string, f func(ch *amqp.Channel) error) {
	err := s.with(f)
	s.say("%s: %s", what, s.outcome(err))
}

// do is for what must be possible.
func (s *script) do(what string, f func(ch *amqp.Channel) error) { s.must(what, s.with(f)) }

// must writes down an error, if there is one.
func (s *script) must(what string, err error) {
	if err != nil {
		s.say("%s: %s", what, s.outcome(err))
	}
}

// queue declares a transient queue, or a durable one if it has a type.
func (s *script) queue(name string, args amqp.Table) {
	s.made = append(s.made, name)
	s.do("queue "+name, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, args["x-queue-type"] != nil, false, false, false, args)
		return err
	})
}

func (s *script) exchange(name, kind string, args amqp.Table) {
	s.made = append(s.made, name)
	s.do("exchange "+name, func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare(name, kind, false, false, false, false, args)
	})
}

func (s *script) bind(queue, key, exchange string, args amqp.Table) {
	s.do("bind "+queue, func(ch *amqp.Channel) error { return ch.QueueBind(queue, key, exchange, false, args) })
}

func (s *script) bindExchange(destination, key, source string, args amqp.Table) {
	s.do("bind "+destination, func(ch *amqp.Channel) error { return ch.ExchangeBind(destination, key, source, false, args) })
}

func (s *script) purge(queue string) {
	s.do("purge "+queue, func(ch *amqp.Channel) error { _, err := ch.QueuePurge(queue, false); return err })
}

func (s *script) delete(queue string) {
	s.do("delete "+queue, func(ch *amqp.Channel) error {
		_, err := ch.QueueDelete(queue, false, false, false)
		return err
	})
}

// put publishes and waits for the confirms, which it gives: + or - for each.
func (s *script) put(exchange, key string, messages ...amqp.Publishing) (confirms string) {
	s.do("publish", func(ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		for _, m := range messages {
			confirms += confirm(ch, exchange, key, m)
		}
		return nil
	})
	return confirms
}

// confirm publishes on a channel in confirm mode.
func confirm(ch *amqp.Channel, exchange, key string, m amqp.Publishing) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := ch.PublishWithDeferredConfirmWithContext(ctx, exchange, key, false, false, m)
	if err != nil {
		return "?"
	}
	ok, err := c.WaitContext(ctx)
	switch {
	case err != nil:
		return "?"
	case ok:
		return "+"
	}
	return "-"
}

func (s *script) publish(ch *amqp.Channel, exchange, key, text string) {
	s.must("publish", ch.Publish(exchange, key, false, false, amqp.Publishing{Body: []byte(text)}))
}

func body(texts ...string) (list []amqp.Publishing) {
	for _, t := range texts {
		list = append(list, amqp.Publishing{Body: []byte(t)})
	}
	return list
}

// settle waits until a queue has n ready messages.
func (s *script) settle(queue string, n int) {
	ch := s.channel()
	defer ch.Close()
	for range patience / (20 * time.Millisecond) {
		q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
		if err != nil || q.Messages >= n {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.say("  %s: never had %d messages", queue, n)
}

// drain waits until a queue has n messages, then takes all there are and writes
// them down.
func (s *script) drain(queue string, n int) {
	s.settle(queue, n)
	s.do("  "+queue, func(ch *amqp.Channel) error {
		for {
			d, ok, err := ch.Get(queue, true)
			if !ok || err != nil {
				s.say("  %s: empty", queue)
				return err
			}
			s.say("  %s: %q exchange=%q key=%q redelivered=%v expiration=%q left=%d %s",
				queue, d.Body, d.Exchange, d.RoutingKey, d.Redelivered, d.Expiration, d.MessageCount, shown(d.Headers))
		}
	})
}

// take gets the next n messages of a queue, to be settled by the channel.
func (s *script) take(ch *amqp.Channel, queue string, n int) (list []amqp.Delivery) {
	s.settle(queue, n)
	for range n {
		d, ok, err := ch.Get(queue, false)
		if !ok {
			s.say("  %s: nothing to get: %s", queue, s.outcome(err))
			break
		}
		list = append(list, d)
	}
	return list
}

// counts writes down what a passive declare says of a queue.
func (s *script) counts(queue string) {
	err := s.with(func(ch *amqp.Channel) error {
		q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
		if err == nil {
			s.say("  %s: %d ready, consumers %d", queue, q.Messages, q.Consumers)
		}
		return err
	})
	if err != nil {
		s.say("  %s: %s", queue, s.outcome(err))
	}
}

// countsOfStream says the counts of a stream when it has so many messages, or
// after a while: RabbitMQ counts the messages of a stream now and then only.
func (s *script) countsOfStream(queue string, ready int) {
	for range 10 * time.Second / (50 * time.Millisecond) {
		counted := false
		err := s.with(func(ch *amqp.Channel) error {
			q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
			counted = q.Messages == ready
			return err
		})
		if counted || err != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.counts(queue)
}

// gone waits until a queue or an exchange is no more.
func (s *script) gone(name string, passive func(ch *amqp.Channel) error) {
	for range patience / (20 * time.Millisecond) {
		if err := s.with(passive); err != nil {
			s.say("  %s: %s", name, s.outcome(err))
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.say("  %s is still there", name)
}

func (s *script) goneQueue(name string) {
	s.gone(name, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive(name, false, false, false, false, nil)
		return err
	})
}

// receivers publishes a message and gives the queues that get it, once for each
// copy. It empties them.
func (s *script) receivers(exchange, key string, m amqp.Publishing, queues ...string) (got []string) {
	s.put(exchange, key, m)
	s.do("get", func(ch *amqp.Channel) error {
		for _, name := range queues {
			for {
				_, ok, err := ch.Get(name, true)
				if err != nil {
					return err
				}
				if !ok {
					break
				}
				got = append(got, name)
			}
		}
		return nil
	})
	return got
}

// consume starts a consumer that settles what it gets.
func (s *script) consume(ch *amqp.Channel, queue, tag string, args amqp.Table) <-chan amqp.Delivery {
	c, err := ch.Consume(queue, tag, false, false, false, false, args)
	if err != nil {
		s.say("  consume %s: %s", queue, s.outcome(err))
	}
	return c
}

// next reads a delivery that must come.
func next(c <-chan amqp.Delivery) string { return nextWithin(c, patience) }

// none reads a delivery that should not come.
func none(c <-chan amqp.Delivery) string { return nextWithin(c, silence) }

func nextWithin(c <-chan amqp.Delivery, d time.Duration) string {
	select {
	case d, ok := <-c:
		if !ok {
			return "ended"
		}
		return fmt.Sprintf("%s tag=%d redelivered=%v %s", d.Body, d.DeliveryTag, d.Redelivered, shown(d.Headers))
	case <-time.After(d):
		return "nothing"
	}
}

// nextN reads the bodies of n deliveries, and what is not to follow.
func nextN(c <-chan amqp.Delivery, n int) (list []string) {
	for range n {
		select {
		case d := <-c:
			list = append(list, string(d.Body))
		case <-time.After(patience):
			return append(list, "nothing")
		}
	}
	if more := none(c); more != "nothing" {
		list = append(list, "and "+more)
	}
	return list
}
