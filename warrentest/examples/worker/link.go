package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rabbitmq/amqp091-go"
)

var (
	errNacked   = errors.New("the broker has not taken the message")
	errReturned = errors.New("the message has come back")
)

// link is one connection of a worker, with one channel. What it waits for has a bound: then
// the socket is closed, which ends all that waits in the library.
type link struct {
	socket net.Conn
	conn   *amqp091.Connection
	ch     *amqp091.Channel
	log    func(error)

	// Read when a confirm has come: the library writes a return before it.
	mu       sync.Mutex
	returns  chan amqp091.Return
	returned map[string]bool // by message id
}

// open connects and makes what the worker needs.
func open(c Config) (*link, error) {
	l := &link{log: c.Log, returns: make(chan amqp091.Return, prefetch), returned: make(map[string]bool)}
	properties := amqp091.NewConnectionProperties()
	properties.SetClientConnectionName("worker")
	conn, err := amqp091.DialConfig(cmp.Or(c.URL, "amqp://"), amqp091.Config{
		Heartbeat:  10 * time.Second,
		Properties: properties,
		Dial: func(network, addr string) (net.Conn, error) {
			dial := c.Dial
			if dial == nil {
				dial = net.Dial
			}
			socket, err := dial(network, addr)
			if err != nil {
				return nil, err
			}
			l.socket = socket
			return socket, socket.SetDeadline(time.Now().Add(answerTime)) // until the connection is open
		},
	})
	if err != nil {
		if l.socket != nil {
			l.socket.Close()
		}
		return nil, fmt.Errorf("connect: %w", err)
	}
	l.conn = conn
	if err := l.prepare(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// prepare opens the channel.
func (l *link) prepare() error {
	defer l.bound()()
	ch, err := l.conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	l.ch = ch
	ch.NotifyReturn(l.returns)
	if err := ch.Confirm(false); err != nil {
		return fmt.Errorf("ask for confirms: %w", err)
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return fmt.Errorf("set the prefetch: %w", err)
	}
	for _, queue := range []string{Jobs, Results} {
		if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
			return fmt.Errorf("declare %s: %w", queue, err)
		}
	}
	return nil
}

// bound ends the connection if what comes now takes too long. The function that it returns
// says that it is done.
func (l *link) bound() (done func() bool) {
	return time.AfterFunc(answerTime, func() { l.socket.Close() }).Stop
}

// consume starts the consumer.
func (l *link) consume(queue string) (<-chan amqp091.Delivery, error) {
	defer l.bound()()
	deliveries, err := l.ch.Consume(queue, "worker", false, false, false, false, nil)
	if err != nil {
		return nil, fmt.Errorf("consume from %s: %w", queue, err)
	}
	return deliveries, nil
}

// cancel ends the consumer.
func (l *link) cancel() error {
	defer l.bound()()
	return l.ch.Cancel("worker", false)
}

// publish publishes a message and returns when the broker has it.
func (l *link) publish(queue, id string, body []byte) error {
	confirm, err := l.ch.PublishWithDeferredConfirm("", queue, true, false, amqp091.Publishing{
		MessageId:    id,
		DeliveryMode: amqp091.Persistent,
		Body:         body,
	})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	acked, err := confirm.WaitContext(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("wait for the confirm: %w", err)
	case l.cameBack(id):
		return errReturned
	case l.ch.IsClosed():
		return fmt.Errorf("wait for the confirm: %w", amqp091.ErrClosed)
	case !acked:
		return errNacked
	}
	return nil
}

// cameBack reports whether a message has been returned.
func (l *link) cameBack(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		select {
		case r, ok := <-l.returns:
			if ok {
				l.returned[r.MessageId] = true
				continue
			}
		default:
		}
		break
	}
	was := l.returned[id]
	delete(l.returned, id)
	return was
}

// fail ends the connection, for a reason.
func (l *link) fail(err error) {
	if l.log != nil && !l.conn.IsClosed() {
		l.log(err)
	}
	l.close()
}

// close ends the connection. It may be called again.
func (l *link) close() {
	defer l.socket.Close()
	defer l.bound()()
	l.conn.Close()
}
