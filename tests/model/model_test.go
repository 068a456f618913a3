package model_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/warrenmq/warren"
)

// The model is AMQP written down as plainly as possible: slices, scans and no
// cleverness. It has the methods of the broker's own types, so that one
// operation runs on both. Exchanges are in exchanges_test.go.
//
// Names that a server chooses are numbered here: amq.gen-1, amq.ctag-1 and
// amq.direct.reply-to.1.

const (
	mailboxSize     = 3 // unread messages of a consumer without prefetch
	replyBufferSize = 2 // unread replies of a reply consumer
)

type model struct {
	exchanges map[string]*modelExchange
	bindings  []*modelBinding
	queues    map[string]*modelQueue
	sessions  []*modelSession
	requester map[string]*modelConsumer // by reply address
	names     map[string]int            // how many were chosen, by prefix
	counts    warren.Stats              // only what is counted, not what is there
	now       time.Time
	ambiguous bool   // what happens next is nobody's to say
	fault     string // a rule that the model breaks, to see that it is found out
}

func newModel() *model {
	m := &model{
		now:       time.Now(),
		exchanges: map[string]*modelExchange{}, queues: map[string]*modelQueue{},
		requester: map[string]*modelConsumer{}, names: map[string]int{},
	}
	for name, kind := range map[string]warren.ExchangeType{
		"": warren.Direct, "amq.direct": warren.Direct, "amq.fanout": warren.Fanout,
		"amq.topic": warren.Topic, "amq.headers": warren.Headers, "amq.match": warren.Headers,
	} {
		m.exchanges[name] = &modelExchange{name: name, kind: kind, options: warren.ExchangeOptions{Durable: true}}
	}
	return m
}

func (m *model) choose(prefix string) string {
	m.names[prefix]++
	return fmt.Sprint(prefix, m.names[prefix])
}

// modelMessage is a message in one queue.
type modelMessage struct {
	warren.Message
	exchange, key string
	blind         []string  // keys of BCC
	place         int       // in the queue: counts what came in
	deadline      time.Time // zero: none
	redelivered   bool
	returns       int // counted if the queue limits them
}

// modelQueue has its ready messages in the order of their places. The consumers
// that have room stand in line: the highest priority first, and within a
// priority the one that has waited longest.
type modelQueue struct {
	model     *model
	name      string
	options   warren.QueueOptions
	owner     *modelSession // if exclusive
	ready     []modelMessage
	came      int
	consumers []*modelConsumer
	line      []*modelConsumer
	active    *modelConsumer // of a queue with a single one
	used      time.Time      // last
	letters   []deadLetter   // to be sent when the queue is done with what it is about
	sending   bool
	deleted   bool
}

// push reports false if the queue refuses the message.
func (q *modelQueue) push(msg modelMessage) (taken bool) {
	defer q.done()
	if q.refuses(msg) {
		if q.options.Overflow == warren.RejectPublishDLX && q.model.fault != "what is refused is not dead-lettered" {
			q.lose(msg, "maxlen")
		}
		return q.model.fault == "what is refused is confirmed"
	}
	if q.model.fault == "publishing is use of a queue" {
		q.use()
	}
	q.came++
	msg.place, msg.redelivered, msg.returns, msg.deadline = q.came, false, 0, q.deadlineOf(msg)
	if len(q.ready) == 0 && q.offer(msg) {
		return true
	}
	q.ready = append(q.ready, msg)
	q.sort()
	q.tidy()
	return true
}

// putBack gives a message its old place again.
func (q *modelQueue) putBack(msg modelMessage) {
	if q.deleted {
		return
	}
	switch q.model.fault {
	case "messages come back at the tail":
		q.came++
		msg.place = q.came
	case "what comes back has a new deadline":
		msg.deadline = q.deadlineOf(msg)
	}
	q.ready = append(q.ready, msg)
	q.sort()
}

// handOut gives ready messages to those in line. Whoever gets one goes to the
// end of the line, if there is room left. A consumer whose channel lets it
// have nothing leaves the line and waits at its channel.
func (q *modelQueue) handOut() {
	q.dropExpired()
	for len(q.ready) > 0 && q.offer(q.ready[0]) {
		q.ready = q.ready[1:]
		q.dropExpired()
	}
}

// offer gives a message to the first in line that may have it.
func (q *modelQueue) offer(msg modelMessage) bool {
	for len(q.line) > 0 {
		c := q.line[0]
		q.leave(c)
		if c.ch.lets(c) {
			c.unread = append(c.unread, msg)
			q.join(c)
			return true
		}
	}
	return false
}

func (q *modelQueue) join(c *modelConsumer) {
	if c.gone || !c.hasRoom() || slices.Contains(q.line, c) {
		return
	}
	if q.options.SingleActiveConsumer && c != q.active && q.model.fault != "all consumers are active" {
		return
	}
	i := 0
	for i < len(q.line) && q.line[i].options.Priority >= c.options.Priority {
		i++
	}
	q.line = slices.Insert(q.line, i, c)
}

func (q *modelQueue) leave(c *modelConsumer) {
	q.line = slices.DeleteFunc(q.line, func(x *modelConsumer) bool { return x == c })
}

// takesAtOnce is what immediate asks for.
func (q *modelQueue) takesAtOnce() bool {
	return slices.ContainsFunc(q.line, func(c *modelConsumer) bool { return c.ch.mayTake(c) })
}

func (q *modelQueue) state() warren.Queue {
	return warren.Queue{Name: q.name, Messages: len(q.ready), Consumers: len(q.consumers)}
}

// deleteQueue: consumers keep what they have not read yet, and their channels
// can still settle what they have.
func (m *model) deleteQueue(q *modelQueue) {
	delete(m.queues, q.name)
	q.deleted = true
	for _, c := range q.consumers {
		c.gone, c.reason = true, warren.ErrConsumerCancelled
		c.ch.forget(c)
		c.stopWaiting()
	}
	q.consumers, q.line, q.ready, q.letters = nil, nil, nil, nil
	m.unbindAll(func(b *modelBinding) bool { return b.queue == q })
}

// modelConsumer of a queue, or with an address a reply consumer.
type modelConsumer struct {
	ch      *modelChannel
	queue   *modelQueue
	address string
	tag     string
	options warren.ConsumeOptions
	limit   int            // unsettled messages; zero or less: none
	unread  []modelMessage // handed out by the queue
	counted bool           // against the limit that the channel's consumers share
	turn    int            // messages that it may have in its turn
	gone    bool           // nothing more will come,
	reason  error          // for this reason
	ended   bool           // by the client
}

// untilRead: a consumer without a limit has room for a few unread messages.
func (c *modelConsumer) untilRead() bool { return c.options.NoAck || c.limit <= 0 }

func (c *modelConsumer) hasRoom() bool {
	if c.untilRead() {
		return len(c.unread) < mailboxSize
	}
	return c.unsettled() < c.limit
}

func (c *modelConsumer) unsettled() int {
	n := len(c.unread)
	for _, d := range c.ch.out() {
		if d.consumer == c {
			n++
		}
	}
	return n
}

func (c *modelConsumer) Next(context.Context) (warren.Delivery, error) {
	if c.queue != nil && (c.ended || c.ch.closed) {
		return warren.Delivery{}, warren.ErrClosed
	}
	if len(c.unread) == 0 && c.gone {
		return warren.Delivery{}, c.reason
	}
	if len(c.unread) == 0 {
		return warren.Delivery{}, context.Canceled
	}
	msg := c.unread[0]
	c.unread = c.unread[1:]
	d := c.ch.deliver(msg, c.queue, c, c.options.NoAck)
	if c.queue != nil && c.untilRead() {
		c.queue.join(c)
		c.queue.handOut()
		c.queue.done()
	}
	return d, nil
}

// Cancel: what nobody has read returns to the queue as if it had never left.
func (c *modelConsumer) Cancel() error {
	c.ch.forget(c)
	c.ended = true
	if c.queue == nil {
		if !c.gone { // else it was too slow, and can read what it has
			c.unread = nil
		}
		c.ch.model.endRequester(c, warren.ErrClosed)
		return nil
	}
	unread := c.unread
	c.unread = nil
	if !c.gone {
		c.gone = true
		q := c.queue
		q.leave(c)
		c.stopWaiting()
		q.consumers = slices.DeleteFunc(q.consumers, func(x *modelConsumer) bool { return x == c })
		if len(q.consumers) == 0 {
			q.use()
		}
		q.activate()
		for _, msg := range unread {
			q.putBack(msg)
		}
		q.tidy()
		q.handOut()
		q.done()
		c.ch.serve()
		if q.options.AutoDelete && len(q.consumers) == 0 {
			c.ch.model.deleteQueue(q)
		}
	}
	c.ch.serve()
	return nil
}

func (m *model) endRequester(c *modelConsumer, reason error) {
	if c.gone {
		return
	}
	c.gone, c.reason = true, reason
	delete(m.requester, c.address)
	c.ch.reply = nil
}

// reply hands a message to the requester of an address. One who does not read
// loses the address.
func (m *model) reply(address string, msg modelMessage) (taken bool) {
	c := m.requester[address]
	switch {
	case c == nil:
		m.counts.RepliesTooLate++
		return false
	case len(c.unread) == replyBufferSize:
		m.counts.RepliesTooFast++
		c.ch.forget(c)
		m.endRequester(c, warren.ErrSlowConsumer)
		return false
	}
	m.counts.Replies++
	msg.redelivered = false
	c.unread = append(c.unread, msg)
	return true
}

type modelSession struct {
	model    *model
	channels []*modelChannel
	closed   bool
}

func (m *model) Session() (anySession, error) {
	s := &modelSession{model: m}
	m.sessions = append(m.sessions, s)
	return s, nil
}

func (s *modelSession) Channel() (anyChannel, error) {
	if s.closed {
		return nil, warren.ErrClosed
	}
	ch := &modelChannel{model: s.model, session: s}
	s.channels = append(s.channels, ch)
	return ch, nil
}

// Close ends the channels, the oldest first, and with them the exclusive
// queues.
func (s *modelSession) Close() error {
	s.closed = true
	for _, ch := range slices.Clone(s.channels) {
		ch.Close()
	}
	for _, q := range s.model.queues {
		if q.owner == s {
			s.model.deleteQueue(q)
		}
	}
	s.model.sessions = slices.DeleteFunc(s.model.sessions, func(x *modelSession) bool { return x == s })
	return nil
}

func (m *model) Stats() warren.Stats {
	s := m.counts
	s.VirtualHosts, s.Sessions, s.Exchanges, s.Queues = 1, len(m.sessions), len(m.exchanges), len(m.queues)
	s.Requesters = len(m.requester)
	for _, q := range m.queues {
		s.Consumers += len(q.consumers)
		s.Ready += len(q.ready)
		held := slices.Clone(q.ready)
		for _, c := range q.consumers {
			if !c.options.NoAck {
				held = append(held, c.unread...)
			}
		}
		for _, session := range m.sessions {
			for _, ch := range session.channels {
				for _, d := range ch.out() {
					if d.queue == q {
						held = append(held, d.modelMessage)
					}
				}
			}
		}
		s.Unacked += len(held) - len(q.ready)
		for _, msg := range held {
			s.Bytes += int64(len(msg.Body)) + 100
		}
	}
	return s
}

func (m *model) Close() error { return nil }

// methodIDs are the methods that errors name.
var methodIDs = map[string][2]uint16{
	"exchange.declare": {40, 10}, "exchange.delete": {40, 20}, "exchange.bind": {40, 30}, "exchange.unbind": {40, 40},
	"queue.declare": {50, 10}, "queue.bind": {50, 20}, "queue.purge": {50, 30}, "queue.delete": {50, 40}, "queue.unbind": {50, 50},
	"basic.consume": {60, 20}, "basic.publish": {60, 40}, "basic.get": {60, 70},
	"basic.ack": {60, 80}, "basic.reject": {60, 90}, "basic.nack": {60, 120},
	"confirm.select": {85, 10}, "tx.select": {90, 10}, "tx.commit": {90, 20}, "tx.rollback": {90, 30},
}

func failure(method string, code uint16, format string, args ...any) error {
	name := map[uint16]string{
		403: "ACCESS_REFUSED", 404: "NOT_FOUND", 405: "RESOURCE_LOCKED", 406: "PRECONDITION_FAILED", 530: "NOT_ALLOWED",
	}[code]
	ids := methodIDs[method]
	return &warren.Error{Code: code, Class: ids[0], Method: ids[1], Text: name + " - " + fmt.Sprintf(format, args...)}
}

func isReplyName(name string) bool {
	return slices.Contains([]string{"amq.direct.reply-to", "amq.rabbitmq.reply-to", "amq.lavinmq.reply-to"}, name)
}

func isReplyAddress(name string) bool {
	i := strings.LastIndex(name, ".")
	return i >= 0 && isReplyName(name[:i])
}
