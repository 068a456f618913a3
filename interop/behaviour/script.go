package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
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

// names that a broker makes up, and times.
var unstable = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`amq\.gen-[-\w]+`), "amq.gen-…"},
	{regexp.MustCompile(`amq\.ctag-[-\w]+`), "amq.ctag-…"},
	{regexp.MustCompile(`amq\.rabbitmq\.reply-to\.[-\w.=+/]+`), "amq.rabbitmq.reply-to.…"},
}

func (s *script) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	for _, u := range unstable {
		line = u.pattern.ReplaceAllString(line, u.instead)
	}
	fmt.Fprintln(s.out, line)
}

// section is a part of the transcript; afterwards nothing of it is left.
func (s *script) section(name string, f func()) {
	s.say("\n== %s", name)
	f()
	s.made = slices.Compact(slices.Sorted(slices.Values(s.made)))
	for _, name := range s.made {
		s.with(func(ch *amqp.Channel) error { _, err := ch.QueueDelete(name, false, false, false); return err })
		s.with(func(ch *amqp.Channel) error { return ch.ExchangeDelete(name, false, false) })
	}
	s.made = nil
}

// channel opens one, on a new connection if the last was closed.
func (s *script) channel() *amqp.Channel {
	for range 3 {
		if s.conn == nil || s.conn.IsClosed() {
			conn, err := amqp.Dial(s.url)
			if err != nil {
				panic(err)
			}
			s.conn = conn
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
	if err == nil { // what has no answer may fail later
		if err = ch.Qos(0, 0, false); err != nil {
			if e := <-closed; e != nil {
				err = e
			}
		}
	}
	if !ch.IsClosed() {
		ch.Close()
	}
	return err
}

// try writes down how an operation ends.
func (s *script) try(what string, f func(ch *amqp.Channel) error) {
	s.say("%s: %s", what, outcome(s.with(f)))
}

func outcome(err error) string {
	var e *amqp.Error
	if errors.As(err, &e) {
		scope := "channel"
		if e.Code >= 500 || e.Code == 320 {
			scope = "connection"
		}
		return fmt.Sprintf("%s %d %s", scope, e.Code, e.Reason)
	}
	if err != nil {
		return err.Error()
	}
	return "ok"
}

// shown is a value with its type, tables in order.
func shown(v any) string {
	switch v := v.(type) {
	case amqp.Table:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, k+"="+shown(v[k]))
		}
		return "{" + strings.Join(parts, " ") + "}"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, shown(e))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case time.Time:
		return "(time)"
	case string:
		return fmt.Sprintf("%q", v)
	case nil:
		return "nil"
	}
	return fmt.Sprintf("%T(%v)", v, v)
}

// queue declares a transient queue that must be possible.
func (s *script) queue(name string, args amqp.Table) {
	s.made = append(s.made, name)
	durable := args["x-queue-type"] != nil
	err := s.with(func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, durable, false, false, false, args)
		return err
	})
	if err != nil {
		s.say("queue %s %s: %s", name, shown(args), outcome(err))
	}
}

func (s *script) exchange(name, kind string, args amqp.Table) {
	s.made = append(s.made, name)
	err := s.with(func(ch *amqp.Channel) error { return ch.ExchangeDeclare(name, kind, false, false, false, false, args) })
	if err != nil {
		s.say("exchange %s %s: %s", name, kind, outcome(err))
	}
}

func (s *script) bind(queue, key, exchange string, args amqp.Table) {
	err := s.with(func(ch *amqp.Channel) error { return ch.QueueBind(queue, key, exchange, false, args) })
	if err != nil {
		s.say("bind %s: %s", queue, outcome(err))
	}
}

// put publishes and waits for the confirm, which it gives.
func (s *script) put(exchange, key string, messages ...amqp.Publishing) (confirms string) {
	s.with(func(ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		for _, m := range messages {
			c, err := ch.PublishWithDeferredConfirm(exchange, key, false, false, m)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			ok, err := c.WaitContext(ctx)
			cancel()
			switch {
			case err != nil:
				confirms += "?"
			case ok:
				confirms += "+"
			default:
				confirms += "-"
			}
		}
		return nil
	})
	return confirms
}

func body(texts ...string) (list []amqp.Publishing) {
	for _, t := range texts {
		list = append(list, amqp.Publishing{Body: []byte(t)})
	}
	return list
}

// ready waits until a queue has n messages, then writes them down, in order,
// with what of them dead-lettering changes.
func (s *script) drain(queue string, n int) {
	s.settle(queue, n)
	s.with(func(ch *amqp.Channel) error {
		for {
			d, ok, err := ch.Get(queue, true)
			if err != nil {
				s.say("  %s: %s", queue, outcome(err))
				return err
			}
			if !ok {
				s.say("  %s: empty", queue)
				return nil
			}
			s.say("  %s: %q exchange=%q key=%q redelivered=%v expiration=%q left=%d %s", queue, d.Body, d.Exchange, d.RoutingKey, d.Redelivered, d.Expiration, d.MessageCount, shown(d.Headers))
		}
	})
}

// settle waits until a queue has n ready messages, five seconds at most.
func (s *script) settle(queue string, n int) {
	ch := s.channel()
	defer ch.Close()
	for range 250 {
		q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
		if err != nil || q.Messages >= n {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.say("  %s: never had %d messages", queue, n)
}

// next reads a delivery, or says that none came.
func next(c <-chan amqp.Delivery) string {
	select {
	case d, ok := <-c:
		if !ok {
			return "cancelled"
		}
		return fmt.Sprintf("%s tag=%d redelivered=%v %s", d.Body, d.DeliveryTag, d.Redelivered, shown(d.Headers))
	case <-time.After(300 * time.Millisecond):
		return "nothing"
	}
}
