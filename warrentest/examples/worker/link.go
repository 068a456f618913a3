package worker

import (
	"fmt"
	"net"
	"time"

	"github.com/rabbitmq/amqp091-go"
)

// link is one connection of a worker, with one channel. What it waits for has a bound: then
// the socket is closed, which ends all that waits in the library.
type link struct {
	config  Config
	socket  net.Conn // nil: not dialled yet
	conn    *amqp091.Connection
	ch      *amqp091.Channel
	returns *returns
}

// open connects and makes what the worker needs.
func open(c Config) (*link, error) {
	l := &link{config: c}
	properties := amqp091.NewConnectionProperties()
	properties.SetClientConnectionName("worker")
	conn, err := amqp091.DialConfig(c.url(), amqp091.Config{
		Heartbeat:  heartbeat,
		Properties: properties,
		Dial: func(network, addr string) (net.Conn, error) {
			socket, err := c.dial(network, addr)
			if err != nil {
				return nil, err
			}
			l.socket = socket
			return socket, socket.SetDeadline(time.Now().Add(c.patience())) // until the connection is open
		},
	})
	if err != nil {
		if l.socket != nil {
			l.socket.Close()
		}
		return nil, fmt.Errorf("connect: %w", err)
	}
	l.conn = conn
	defer l.bound()()
	if l.ch, err = prepare(conn); err != nil {
		l.close()
		return nil, err
	}
	l.returns = watchReturns(l.ch)
	return l, nil
}

// bound ends the connection if what comes now takes too long. The function that it returns
// says that it is done.
func (l *link) bound() (done func() bool) {
	return time.AfterFunc(l.config.patience(), func() { l.socket.Close() }).Stop
}

// consume starts the consumer.
func (l *link) consume() (<-chan amqp091.Delivery, error) {
	defer l.bound()()
	deliveries, err := l.ch.Consume(Jobs, "worker", false, false, false, false, nil)
	if err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	return deliveries, nil
}

// cancel ends the consumer.
func (l *link) cancel() error {
	defer l.bound()()
	return l.ch.Cancel("worker", false)
}

// publish publishes a result and returns when the broker has it.
func (l *link) publish(id string, result []byte) error {
	return publish(l.ch, l.returns, l.config.patience(), Results, id, result)
}

// fail ends the connection, for a reason.
func (l *link) fail(err error) {
	if l.config.Log != nil && !l.conn.IsClosed() {
		l.config.Log(err)
	}
	l.close()
}

// close ends the connection. It may be called again.
func (l *link) close() {
	defer l.socket.Close()
	defer l.bound()()
	l.conn.Close()
}
