package model_test

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
	anyServer interface {
		Session() (anySession, error)
		Stats() warren.Stats
		Pass(d time.Duration) // lets time pass
		Close() error
	}
	anySession interface {
		Channel() (anyChannel, error)
		Close() error
	}
	anyConsumer interface {
		Next(context.Context) (warren.Delivery, error)
		Cancel() error
	}
	anyChannel interface {
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
		Consume(queue string, o warren.ConsumeOptions) (anyConsumer, error)
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
	realServer  struct{ *warren.Broker }
	realSession struct{ *warren.Session }
	realChannel struct{ *warren.Channel }
)

func (b realServer) Session() (anySession, error) {
	s, err := b.Broker.Session()
	return realSession{s}, err
}

func (b realServer) Pass(d time.Duration) { brokertest.Later(d) }

func (s realSession) Channel() (anyChannel, error) {
	ch, err := s.Session.Channel()
	return realChannel{ch}, err
}

func (ch realChannel) Publish(exchange, key string, msg warren.Message, o warren.PublishOptions) error {
	return ch.Channel.Publish(context.Background(), exchange, key, msg, o)
}

func (ch realChannel) PublishConfirm(exchange, key string, msg warren.Message, o warren.PublishOptions) (uint64, bool, error) {
	c, err := ch.Channel.PublishConfirm(context.Background(), exchange, key, msg, o)
	if c == nil {
		return 0, false, err
	}
	return c.DeliveryTag, c.Acked(), err
}

func (ch realChannel) Consume(queue string, o warren.ConsumeOptions) (anyConsumer, error) {
	c, err := ch.Channel.Consume(queue, o)
	if err != nil {
		return nil, err
	}
	return c, nil
}

const (
	sessionCount  = 3
	channelCount  = 5 // two for each session, as far as they go
	consumerCount = 6
)

var queueNames = [...]string{"q0", "q1", "q2", "q3"}

// noWait makes Consumer.Next return at once.
var noWait = brokertest.NoWait()

// oddQueue is used now and then.
const oddQueue = "odd"

// world is the model or the broker with the places that operations name:
// sessions s0..., channels c0..., consumers k0...
type world struct {
	server    anyServer
	sessions  [sessionCount]anySession
	channels  [channelCount]anyChannel
	consumers [consumerCount]anyConsumer
	watching  anySession
	observer  anyChannel        // of the session that watches
	names     map[string]string // server's names by the model's
}

func newWorld(server anyServer) *world {
	w := &world{server: server, names: map[string]string{}}
	w.begin()
	return w
}

// begin opens sessions and channels, when the server has just begun.
func (w *world) begin() {
	w.watching, _ = w.server.Session()
	w.observer, _ = w.watching.Channel()
	for i := range w.sessions {
		w.openSession(i)
	}
	w.consumers = [consumerCount]anyConsumer{}
}

func (w *world) openSession(i int) {
	w.sessions[i], _ = w.server.Session()
	for c := range w.channels {
		if c/2 == i {
			w.channels[c], _ = w.sessions[i].Channel()
		}
	}
}

// name is this world's name for a name that the server may have chosen. One
// that it has not chosen, or not told yet, is nobody's.
func (w *world) name(s string) string {
	if n, ok := w.names[s]; ok {
		return n
	}
	if number := strings.TrimRight(s, "0123456789"); isChosen(s) && number != s {
		return s + "?"
	}
	return s
}

func isChosen(name string) bool {
	return strings.HasPrefix(name, "amq.gen-") || strings.HasPrefix(name, "amq.ctag-") || isReplyAddress(name)
}

// brokerState is what can be seen from outside at any moment.
type brokerState struct {
	stats  warren.Stats
	queues [len(queueNames)]warren.Queue // those that the observer may look at
}

func (w *world) state() brokerState {
	s := brokerState{stats: w.server.Stats()}
	// What was counted since the broker began has tests of its own.
	n := &s.stats
	n.QueueCounts, n.Confirmed, n.ReceivedConfirm = warren.QueueCounts{}, 0, 0
	n.SessionsOpened, n.SessionsClosed, n.ChannelsOpened, n.ChannelsClosed = 0, 0, 0, 0
	n.QueuesDeclared, n.QueuesDeleted, n.Logins, n.LoginsRefused = 0, 0, 0, 0
	for i, name := range queueNames {
		s.queues[i], _ = w.observer.QueueDeclarePassive(name)
	}
	return s
}

// operation is an operation that can be carried out in any state.
type operation struct {
	text string // TAG stands for the delivery tag
	do   func(w *world, tag uint64) answer

	// The tag is that of the channel's delivery that was unsettled for the
	// longest time but for nth, else nth itself.
	channel, nth int

	restart  restartKind // the server ends and begins again; do is nil then
	passes   time.Duration
	confirms func(m *model, answer string) bool // what it has published is stored when it returns

	// unclear: AMQP leaves open what will happen.
	unclear func(w *world) bool
}

// answer is all that an operation told.
type answer struct {
	text  string
	names []string // that the server may have chosen
}

func (a answer) add(format string, args ...any) answer {
	a.text += fmt.Sprintf(format, args...)
	return a
}

func (a answer) with(b answer) answer {
	return answer{a.text + b.text, append(a.names, b.names...)}
}

// on says where the answer comes from, in a line of its own.
func (a answer) on(what string) answer {
	a.text = fmt.Sprintf("\n      %s: %s", what, a.text)
	return a
}

func (a answer) name(s string) answer {
	a.names = append(a.names, s)
	return a.add(" %s", s)
}

func (a answer) err(err error) answer {
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

func (a answer) message(exchange, key string, m warren.Message) answer {
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

func (a answer) delivery(d warren.Delivery, err error) answer {
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

func (a answer) queue(q warren.Queue, err error) answer {
	if err != nil {
		return a.err(err)
	}
	return a.name(q.Name).add(": %d messages, %d consumers", q.Messages, q.Consumers)
}

func (a answer) count(n int, err error) answer {
	if err != nil {
		return a.err(err)
	}
	return a.add("%d", n)
}

// next reads from a consumer without waiting.
func (w *world) next(k int) answer {
	if w.consumers[k] == nil {
		return answer{text: "no consumer"}
	}
	return answer{}.delivery(w.consumers[k].Next(noWait))
}

// onChannel is an operation of channel c.
func onChannel(c int, do func(w *world, ch anyChannel) answer, format string, args ...any) operation {
	return operation{
		text: fmt.Sprintf("c%d."+format, append([]any{c}, args...)...),
		do:   func(w *world, _ uint64) answer { return do(w, w.channels[c]) },
	}
}

// drain reads everything that can be read, then closes and deletes all: the
// end of every run.
func drain() []operation {
	readConsumers := func(w *world, _ uint64) (all answer) {
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
	closeSessions := func(w *world, _ uint64) (a answer) {
		for _, s := range w.sessions {
			a = a.err(s.Close())
		}
		return a
	}
	readQueues := func(w *world, _ uint64) (all answer) {
		for _, q := range queueNames {
			for {
				d, ok, err := w.observer.Get(q, true)
				if !ok {
					break
				}
				all = all.with(answer{}.delivery(d, err).on(q))
			}
		}
		return all
	}
	deleteQueues := func(w *world, _ uint64) (a answer) {
		for _, q := range append(slices.Sorted(maps.Keys(w.names)), append(queueNames[:], oddQueue)...) {
			a = a.count(w.observer.QueueDelete(w.name(q), warren.QueueDeleteOptions{})).add(" ")
		}
		return a
	}
	return []operation{
		{text: "read all consumers", do: readConsumers},
		{text: "close all sessions", do: closeSessions},
		{text: "read all queues", do: readQueues},
		{text: "delete all queues", do: deleteQueues},
	}
}
