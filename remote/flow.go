package remote

import (
	"context"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// flow is connection.blocked: what the broker says of whether it takes messages.
type flow struct {
	reason string
	over   chan struct{} // closed when it takes messages again
}

// hear follows what the broker says, until the connection ends.
func (br *bridge) hear(said <-chan amqp091.Blocking) {
	for s := range said {
		br.block(s.Active, s.Reason)
	}
	br.block(false, "")
}

func (br *bridge) block(active bool, reason string) {
	br.mu.Lock()
	defer br.mu.Unlock()
	if f := br.blocked; f != nil && !active {
		close(f.over)
		br.blocked = nil
	} else if f == nil && active {
		br.blocked = &flow{reason, make(chan struct{})}
	}
}

// admit waits until the broker takes messages. It fails with errEnded if the bridge ends
// first.
func (br *bridge) admit(ctx context.Context) error {
	for {
		br.mu.Lock()
		f, lost := br.blocked, br.lost
		br.mu.Unlock()
		switch {
		case lost != nil:
			return errEnded
		case f == nil:
			return nil
		}
		select {
		case <-f.over:
		case <-ctx.Done():
			return &blockedError{ctx.Err(), f.reason}
		case <-br.ctx.Done():
			return errEnded
		}
	}
}

// over reports whether the connection has ended.
func (br *bridge) over() bool { return br.ctx.Err() != nil || br.conn.IsClosed() }

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

// on runs f with a bridge, and with the next one if the bridge has ended before f did
// anything.
func (b *Broker) on(ctx context.Context, f func(*bridge) error) error {
	for {
		br, err := b.connected(ctx)
		if err != nil {
			return err
		}
		if err = f(br); err != errEnded {
			return err
		}
		b.forgetBridge(br)
	}
}
