package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rabbitmq/amqp091-go"
)

var (
	errNacked   = errors.New("the broker has not taken the message")
	errReturned = errors.New("the message has come back")
)

// prepare opens a channel as the worker needs it and declares the queues.
func prepare(conn *amqp091.Connection) (*amqp091.Channel, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	if err := ch.Confirm(false); err != nil {
		return nil, fmt.Errorf("ask for confirms: %w", err)
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return nil, fmt.Errorf("set the prefetch: %w", err)
	}
	for _, queue := range []string{Jobs, Results} {
		if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
			return nil, fmt.Errorf("declare %s: %w", queue, err)
		}
	}
	return ch, nil
}

// publish publishes a message and returns when the broker has it.
func publish(ch *amqp091.Channel, r *returns, patience time.Duration, queue, id string, body []byte) error {
	confirm, err := ch.PublishWithDeferredConfirm("", queue, true, false, amqp091.Publishing{
		MessageId:    id,
		DeliveryMode: amqp091.Persistent,
		Body:         body,
	})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	acked, err := confirm.WaitContext(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("wait for the confirm: %w", err)
	case r.cameBack(id):
		return errReturned
	case !acked && ch.IsClosed():
		return fmt.Errorf("wait for the confirm: %w", amqp091.ErrClosed)
	case !acked:
		return errNacked
	}
	return nil
}

// returns knows which messages have come back. The library tells of a return before it
// tells of the confirm.
type returns struct {
	mu   sync.Mutex
	came chan amqp091.Return
	ids  map[string]bool // guarded by mu
}

// watchReturns notes what comes back to a channel.
func watchReturns(ch *amqp091.Channel) *returns {
	return &returns{
		came: ch.NotifyReturn(make(chan amqp091.Return, prefetch)), // one for each job in hand
		ids:  make(map[string]bool),
	}
}

// cameBack reports whether a message that is confirmed has come back.
func (r *returns) cameBack(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for more := true; more; {
		select {
		case m, ok := <-r.came:
			if more = ok; ok {
				r.ids[m.MessageId] = true
			}
		default:
			more = false
		}
	}
	was := r.ids[id]
	delete(r.ids, id)
	return was
}
