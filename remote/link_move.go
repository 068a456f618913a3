package remote

import (
	"cmp"
	"context"
	"errors"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/message"
)

const defaultLinkPrefetch = 100

// mover moves the messages of a rule.
type mover struct {
	*linkWorker
	rule LinkRule
	far  *Broker
	one  bool // one message at a time, to find the one that the other side cannot take
}

func (r LinkRule) withDefaults() LinkRule {
	if r.Prefetch <= 0 {
		r.Prefetch = defaultLinkPrefetch
	}
	if r.ToQueue == "" {
		if r.ToExchange = cmp.Or(r.ToExchange, r.Exchange); r.ToExchange == "" {
			r.ToQueue = r.Queue
		}
	}
	return r
}

// work moves messages until something fails. What is on its way then is in the queue that
// it comes from, since the channel that it was got by is closed.
func (m *mover) work() error {
	br, err := m.far.connected(m.link.reading)
	if err != nil {
		return err
	}
	here, err := newHereEnd(m.link)
	if err != nil {
		return err
	}
	defer here.close()
	there, err := newThereEnd(m.link, br.conn)
	if err != nil {
		return err
	}
	defer there.close()
	from, to := linkEnd(here), linkEnd(there)
	if m.kind == LinkPull {
		from, to = to, from
	}
	prefetch := m.rule.Prefetch
	if m.one {
		prefetch = 1
	}
	if err := m.declare(from, to, prefetch); err != nil {
		return err
	}
	m.works()
	refused := m.refused.Load()
	err = m.move(from, to, prefetch)
	m.one = isRefusal(err) && m.refused.Load() == refused
	return err
}

// declare makes what is missing, and begins.
func (m *mover) declare(from, to linkEnd, prefetch int) error {
	r := &m.rule
	if err := from.declareQueue(r.Queue); err != nil {
		return err
	}
	if r.Exchange != "" {
		if err := from.declareExchange(r.Exchange); err != nil {
			return err
		}
		if err := from.bind(r.Queue, r.Key, r.Exchange); err != nil {
			return err
		}
	}
	if r.ToQueue != "" {
		if err := to.declareQueue(r.ToQueue); err != nil {
			return err
		}
	} else if err := to.declareExchange(r.ToExchange); err != nil {
		return err
	}
	if err := to.confirm(prefetch); err != nil {
		return err
	}
	return from.consume(r.Queue, prefetch)
}

// sending is a message that was sent and is not confirmed yet.
type sending struct {
	taken
	confirmation linkConfirmation
}

// move moves messages until it fails or the link ends, and waits for the confirms of
// those that it has sent.
func (m *mover) move(from, to linkEnd, prefetch int) error {
	reading, fail := context.WithCancelCause(m.link.reading)
	defer fail(nil)
	sent := make(chan sending, prefetch)
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.settleAll(from, to, sent, fail)
	}()
	err := m.sendAll(reading, from, to, sent)
	close(sent)
	<-done
	if cause := context.Cause(reading); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// sendAll sends what comes until it fails.
func (m *mover) sendAll(reading context.Context, from, to linkEnd, sent chan<- sending) error {
	for n := 1; ; n++ {
		if m.one && n > m.rule.Prefetch {
			return errNotFound
		}
		t, err := from.next(reading)
		if err != nil {
			return err
		}
		headers, ok := pass(t.Headers, from.name(), to.name())
		if !ok {
			m.looped.Add(1)
			if err := from.settle(t.tag, m.rule.loopFate()); err != nil {
				return err
			}
			continue
		}
		t.Headers = headers
		exchange, key := m.rule.ToExchange, t.key
		if m.rule.ToQueue != "" {
			exchange, key = "", m.rule.ToQueue
		}
		c, err := to.send(m.link.ctx, exchange, key, m.rule.ToQueue != "", &t.Message)
		if err != nil {
			m.refuse(from, t.tag, err)
			return err
		}
		sent <- sending{t, c}
	}
}

// settleAll settles what was sent, when it is confirmed.
func (m *mover) settleAll(from, to linkEnd, sent <-chan sending, fail func(error)) {
	failed := false // which of the others have arrived is not known
	for s := range sent {
		err := s.confirmation.Wait(m.link.ctx)
		if err == nil {
			err = to.returned() // which comes before the confirm of the message
		}
		switch {
		case failed:
			continue
		case err == nil:
			m.passed.Add(1)
			if s.redelivered {
				m.redelivered.Add(1)
			}
			err = from.settle(s.tag, message.Acked)
		case errors.Is(err, warren.ErrNacked):
			fail(err)
			err = from.settle(s.tag, message.Dropped)
		default:
			fail(err)
			m.refuse(from, s.tag, err)
		}
		if err != nil {
			failed = true
			fail(err)
		}
	}
}

// refuse rejects a message that the other side cannot take, if it is known which one that
// is. Otherwise they come again, one at a time.
func (m *mover) refuse(from linkEnd, tag uint64, err error) {
	if m.one && isRefusal(err) && from.settle(tag, message.Rejected) == nil {
		m.refused.Add(1)
	}
}

// isRefusal reports whether an error is about a message, such as one that is too large.
func isRefusal(err error) bool {
	e, ok := errors.AsType[*amqp091.Error](err)
	return errors.Is(err, warren.ErrPreconditionFailed) ||
		ok && (e.Code == amqp091.PreconditionFailed || e.Code == amqp091.ContentTooLarge)
}

// errNotFound: no message of those that were tried one at a time was refused.
var errNotFound = errors.New("remote: link: the message that was refused is gone")

// loopFate is what becomes of a message that has gone round in a loop.
func (r *LinkRule) loopFate() message.Fate {
	if r.RejectLoops {
		return message.Rejected
	}
	return message.Acked
}
