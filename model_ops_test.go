package warren_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// What the model and the broker have in common, so that an operation runs on
// either.
type (
	mbServer interface {
		Session() (mbSession, error)
		Stats() warren.Stats
		Pass(d time.Duration) // lets time pass
		Close() error
	}
	mbSession interface {
		Channel() (mbChannel, error)
		Close() error
	}
	mbConsumer interface {
		Next(context.Context) (warren.Delivery, error)
		Cancel() error
	}
	mbChannel interface {
		ExchangeDeclare(name string, kind warren.ExchangeType, o warren.ExchangeOptions) error
		ExchangeDeclarePassive(name string) error
		ExchangeDelete(name string, o warren.ExchangeDeleteOptions) error
		ExchangeBind(destination, key, source string, args warren.Table) error
		ExchangeUnbind(destination, key, source string, args warren.Table) error
		QueueDeclare(name string, o warren.QueueOptions) (warren.Queue, error)
		QueueDeclarePassive(name string) (warren.Queue, error)
		QueueBind(name, key, exchange string, args warren.Table) error
		QueueUnbind(name, key, exchange string, args warren.Table) error
		QueuePurge(name string) (int, error)
		QueueDelete(name string, o warren.QueueDeleteOptions) (int, error)
		Publish(exchange, key string, msg warren.Message, o warren.PublishOptions) error
		PublishConfirm(exchange, key string, msg warren.Message, o warren.PublishOptions) (uint64, bool, error)
		Get(queue string, autoAck bool) (warren.Delivery, bool, error)
		Consume(queue string, o warren.ConsumeOptions) (mbConsumer, error)
		Cancel(tag string) error
		Ack(tag uint64, multiple bool) error
		Nack(tag uint64, multiple, requeue bool) error
		Reject(tag uint64, requeue bool) error
		Recover(requeue bool) error
		Qos(prefetch int, o warren.QosOptions) error
		Flow(active bool) error
		Confirm() error
		Tx() error
		TxCommit() error
		TxRollback() error
		Close() error
	}
)

// The broker, seen through these interfaces.
type (
	mbBroker        struct{ *warren.Broker }
	mbBrokerSession struct{ *warren.Session }
	mbBrokerChannel struct{ *warren.Channel }
)

func (b mbBroker) Session() (mbSession, error) {
	s, err := b.Broker.Session()
	return mbBrokerSession{s}, err
}

func (b mbBroker) Pass(d time.Duration) { brokertest.Later(d) }

func (s mbBrokerSession) Channel() (mbChannel, error) {
	ch, err := s.Session.Channel()
	return mbBrokerChannel{ch}, err
}

func (ch mbBrokerChannel) Publish(exchange, key string, msg warren.Message, o warren.PublishOptions) error {
	return ch.Channel.Publish(context.Background(), exchange, key, msg, o)
}

func (ch mbBrokerChannel) PublishConfirm(exchange, key string, msg warren.Message, o warren.PublishOptions) (uint64, bool, error) {
	c, err := ch.Channel.PublishConfirm(context.Background(), exchange, key, msg, o)
	if c == nil {
		return 0, false, err
	}
	return c.DeliveryTag, c.Acked(), err
}

func (ch mbBrokerChannel) Consume(queue string, o warren.ConsumeOptions) (mbConsumer, error) {
	c, err := ch.Channel.Consume(queue, o)
	if err != nil {
		return nil, err
	}
	return c, nil
}

const (
	mbSessions  = 3
	mbChannels  = 5 // two for each session, as far as they go
	mbConsumers = 6
)

var mbQueueNames = [...]string{"q0", "q1", "q2", "q3"}

// mbOddQueue is used now and then.
const mbOddQueue = "odd"

// mbWorld is the model or the broker with the places that operations name:
// sessions s0..., channels c0..., consumers k0...
type mbWorld struct {
	server    mbServer
	sessions  [mbSessions]mbSession
	channels  [mbChannels]mbChannel
	consumers [mbConsumers]mbConsumer
	watching  mbSession
	observer  mbChannel         // of the session that watches
	names     map[string]string // server's names by the model's
}

func newMBWorld(server mbServer) *mbWorld {
	w := &mbWorld{server: server, names: map[string]string{}}
	w.watching, _ = server.Session()
	w.observer, _ = w.watching.Channel()
	for i := range w.sessions {
		w.openSession(i)
	}
	return w
}

func (w *mbWorld) openSession(i int) {
	w.sessions[i], _ = w.server.Session()
	for c := range w.channels {
		if c/2 == i {
			w.channels[c], _ = w.sessions[i].Channel()
		}
	}
}

// name is this world's name for a name that the server may have chosen. One
// that it has not chosen, or not told yet, is nobody's.
func (w *mbWorld) name(s string) string {
	if n, ok := w.names[s]; ok {
		return n
	}
	if number := strings.TrimRight(s, "0123456789"); mbIsChosen(s) && number != s {
		return s + "?"
	}
	return s
}

func mbIsChosen(name string) bool {
	return strings.HasPrefix(name, "amq.gen-") || strings.HasPrefix(name, "amq.ctag-") || mbIsReplyAddress(name)
}

// mbState is what can be seen from outside at any moment.
type mbState struct {
	stats  warren.Stats
	queues [len(mbQueueNames)]warren.Queue // those that the observer may look at
}

func (w *mbWorld) state() mbState {
	s := mbState{stats: w.server.Stats()}
	s.stats.QueueCounts = warren.QueueCounts{}
	for i, name := range mbQueueNames {
		s.queues[i], _ = w.observer.QueueDeclarePassive(name)
	}
	return s
}

// mbOp is an operation that can be carried out in any state.
type mbOp struct {
	text string // TAG stands for the delivery tag
	do   func(w *mbWorld, tag uint64) mbAnswer

	// The tag is that of the channel's delivery that was unsettled for the
	// longest time but for nth, else nth itself.
	channel, nth int

	// unclear: AMQP leaves open what will happen.
	unclear func(w *mbWorld) bool
}

// mbAnswer is all that an operation told.
type mbAnswer struct {
	text  string
	names []string // that the server may have chosen
}

func (a mbAnswer) add(format string, args ...any) mbAnswer {
	a.text += fmt.Sprintf(format, args...)
	return a
}

func (a mbAnswer) with(b mbAnswer) mbAnswer {
	return mbAnswer{a.text + b.text, append(a.names, b.names...)}
}

// on says where the answer comes from, in a line of its own.
func (a mbAnswer) on(what string) mbAnswer {
	a.text = fmt.Sprintf("\n      %s: %s", what, a.text)
	return a
}

func (a mbAnswer) name(s string) mbAnswer {
	a.names = append(a.names, s)
	return a.add(" %s", s)
}

func (a mbAnswer) err(err error) mbAnswer {
	var failed *warren.Error
	var back *warren.Return
	if list, ok := err.(interface{ Unwrap() []error }); ok && !errors.Is(err, warren.ErrClosed) {
		for _, err := range list.Unwrap() {
			a = a.err(err)
		}
		return a
	}
	switch {
	case err == nil:
		return a.add("ok")
	case errors.As(err, &failed):
		return a.add("%d.%d: %d %s", failed.Class, failed.Method, failed.Code, failed.Text)
	case errors.As(err, &back):
		return a.add("returned %d %s,", back.Code, back.Text).message(back.Exchange, back.RoutingKey, back.Message)
	case errors.Is(err, context.Canceled):
		return a.add("nothing there")
	}
	return a.add("%v", err)
}

func (a mbAnswer) message(exchange, key string, m warren.Message) mbAnswer {
	a = a.add(" %s to %q %q", m.Body, exchange, key)
	for _, k := range slices.Sorted(maps.Keys(m.Headers)) {
		a = a.add(" %s=%v", k, m.Headers[k])
	}
	if m.Priority != 0 {
		a = a.add(" priority %d", m.Priority)
	}
	if m.Expiration != "" {
		a = a.add(" expires %s", m.Expiration)
	}
	if m.CorrelationId != "" {
		a = a.add(" id %s", m.CorrelationId)
	}
	if m.ReplyTo != "" {
		a = a.add(" reply to").name(m.ReplyTo)
	}
	return a
}

func (a mbAnswer) delivery(d warren.Delivery, err error) mbAnswer {
	if err != nil {
		return a.err(err)
	}
	a = a.add("tag %d", d.DeliveryTag)
	if d.ConsumerTag != "" {
		a = a.add(" of").name(d.ConsumerTag)
	}
	if d.Redelivered {
		a = a.add(" again")
	}
	return a.message(d.Exchange, d.RoutingKey, d.Message).add(", %d left", d.MessageCount)
}

func (a mbAnswer) queue(q warren.Queue, err error) mbAnswer {
	if err != nil {
		return a.err(err)
	}
	return a.name(q.Name).add(": %d messages, %d consumers", q.Messages, q.Consumers)
}

func (a mbAnswer) count(n int, err error) mbAnswer {
	if err != nil {
		return a.err(err)
	}
	return a.add("%d", n)
}

// next reads from a consumer without waiting.
func (w *mbWorld) next(k int) mbAnswer {
	if w.consumers[k] == nil {
		return mbAnswer{text: "no consumer"}
	}
	return mbAnswer{}.delivery(w.consumers[k].Next(mbNoWait))
}

// mbOn is an operation of channel c.
func mbOn(c int, do func(w *mbWorld, ch mbChannel) mbAnswer, format string, args ...any) mbOp {
	return mbOp{
		text: fmt.Sprintf("c%d."+format, append([]any{c}, args...)...),
		do:   func(w *mbWorld, _ uint64) mbAnswer { return do(w, w.channels[c]) },
	}
}

// mbDrain reads everything that can be read, then closes and deletes all: the
// end of every run.
func mbDrain() []mbOp {
	readConsumers := func(w *mbWorld, _ uint64) (all mbAnswer) {
		for k, c := range w.consumers {
			for n := 0; c != nil && n < 200; n++ {
				a := w.next(k)
				if !strings.HasPrefix(a.text, "tag") && n > 0 {
					break
				}
				all = all.with(a.on(fmt.Sprintf("k%d", k)))
			}
		}
		return all
	}
	closeSessions := func(w *mbWorld, _ uint64) (a mbAnswer) {
		for _, s := range w.sessions {
			a = a.err(s.Close())
		}
		return a
	}
	readQueues := func(w *mbWorld, _ uint64) (all mbAnswer) {
		for _, q := range mbQueueNames {
			for {
				d, ok, err := w.observer.Get(q, true)
				if !ok {
					break
				}
				all = all.with(mbAnswer{}.delivery(d, err).on(q))
			}
		}
		return all
	}
	deleteQueues := func(w *mbWorld, _ uint64) (a mbAnswer) {
		for _, q := range append(slices.Sorted(maps.Keys(w.names)), append(mbQueueNames[:], mbOddQueue)...) {
			a = a.count(w.observer.QueueDelete(w.name(q), warren.QueueDeleteOptions{})).add(" ")
		}
		return a
	}
	return []mbOp{
		{text: "read all consumers", do: readConsumers},
		{text: "close all sessions", do: closeSessions},
		{text: "read all queues", do: readQueues},
		{text: "delete all queues", do: deleteQueues},
	}
}
