package remote

import (
	"context"
	"errors"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
)

// probe is a channel on which the broker elsewhere may refuse what is asked for: it closes
// a channel then, which must be none that others use.
type probe struct {
	conn *amqp091.Connection

	mu sync.Mutex
	// Guarded by mu, which is held while the broker elsewhere is asked.
	ch *amqp091.Channel // nil: there was no need for it
}

// do asks for something and waits for the answer, or until ctx ends; then it may still be
// done.
func (p *probe) do(ctx context.Context, f func(ch *amqp091.Channel) error) error {
	result := make(chan error, 1)
	go func() { result <- p.ask(f) }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *probe) ask(f func(ch *amqp091.Channel) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ch == nil || p.ch.IsClosed() {
		ch, err := p.conn.Channel()
		if err != nil {
			return lostError{err}
		}
		p.ch = ch
	}
	return refusal(f(p.ch))
}

// refusal returns the error of the broker elsewhere as one of this process has it.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*amqp091.Error](err); ok && e.Server {
		switch e.Code {
		case amqp091.AccessRefused, amqp091.NotFound, amqp091.ResourceLocked, amqp091.PreconditionFailed:
			return &warren.Error{Code: uint16(e.Code), Text: e.Reason}
		}
	}
	return lostError{err}
}
