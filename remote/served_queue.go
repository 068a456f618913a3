package remote

import (
	"errors"
	"strings"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/internal/link"
)

// queueExpires is how long a handler's queue waits for somebody to serve it again, with
// the requests in it. All programs must agree on it.
const queueExpires = time.Minute

// declareQueueOf declares a handler's queue. One that is not durable expires, and need not
// outlive its node; but RabbitMQ takes no such queue from 4.3 on, and warns of them from
// 4.0 on. It is a classic one whatever is usual there, since others are not deleted on the
// condition that they are empty.
func (br *bridge) declareQueueOf(ch *amqp091.Channel, h *handler) error {
	durable, args := h.durable || br.durableOnly, amqp091.Table(nil)
	switch {
	case h.durable:
		args = tableThere(br.broker.options.queueArguments(&link.QueueDeclare{Durable: true}))
	case br.durableOnly:
		args = amqp091.Table{"x-expires": queueExpires.Milliseconds(), amqp091.QueueTypeArg: amqp091.QueueTypeClassic}
	default:
		args = amqp091.Table{"x-expires": queueExpires.Milliseconds()}
	}
	_, err := ch.QueueDeclare(h.queue, durable, false, false, false, args)
	return err
}

func isRabbitMQ(server amqp091.Table) bool { return server["product"] == "RabbitMQ" }

// isDurableOnly reports whether a broker takes only queues that are durable or exclusive.
func isDurableOnly(server amqp091.Table) bool {
	version, _ := server["version"].(string)
	return isRabbitMQ(server) && !strings.HasPrefix(version, "3.")
}

// declareServed declares a handler's queue, on a channel that it opens. A queue that is
// there with other properties is used as it is, unless it does not keep what a durable one
// does. own says that the queue is one of those that go with their last handler.
func (br *bridge) declareServed(h *handler) (ch *amqp091.Channel, own bool, err error) {
	if ch, err = br.conn.Channel(); err != nil {
		return nil, false, err
	}
	if err = br.declareQueueOf(ch, h); err == nil {
		return ch, !h.durable, nil
	}
	e, ok := errors.AsType[*amqp091.Error](err)
	forgets := ok && (strings.Contains(e.Reason, "'durable'") || strings.Contains(e.Reason, "'x-expires'"))
	if !ok || e.Code != amqp091.PreconditionFailed || h.durable && forgets {
		return nil, false, err
	}
	if ch, err = br.conn.Channel(); err != nil {
		return nil, false, err
	}
	_, err = ch.QueueDeclarePassive(h.queue, h.durable, false, false, false, nil)
	return ch, false, err
}
