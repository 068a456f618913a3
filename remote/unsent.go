package remote

import (
	"context"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// over reports whether the connection has ended, or is about to.
func (br *bridge) over() bool {
	return br.ctx.Err() != nil || br.conn.IsClosed() || br.gatherer.failed()
}

// unsent reports whether it is certain that a message has not gone out completely. err is
// the error of its publish, and at how many octets were to be written before.
func (br *bridge) unsent(err error, at uint64) bool {
	return err == amqp091.ErrClosed || err != nil && br.gatherer.hasNone(at)
}

// hasNone reports whether the connection has ended before anything has gone out of what
// was to be written when there were so many octets before it.
func (br *bridge) hasNone(at uint64) bool {
	if !br.over() {
		return false
	}
	br.gatherer.Close() // so that it is known what has gone out
	return br.gatherer.hasNone(at)
}

// finish runs f, which may wait for the network, and returns its error. If ctx ends first,
// f goes on alone.
func finish(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
