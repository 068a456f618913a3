package remote

import (
	"context"
	"errors"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
)

// prober asks what there is elsewhere. A broker closes the channel on which it says no, so
// it has one of its own, which is opened when it is needed.
type prober struct {
	conn *amqp091.Connection
	turn chan struct{} // has room for one: who has put something in uses ch
	ch   *amqp091.Channel
}

func newProber(conn *amqp091.Connection) *prober {
	return &prober{conn: conn, turn: make(chan struct{}, 1)}
}

// try asks by f, which declares passively. The error is the broker's.
func (p *prober) try(ctx context.Context, f func(ch *amqp091.Channel) error) error {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.turn }()
	if p.ch == nil || p.ch.IsClosed() {
		ch, err := p.conn.Channel()
		if err != nil {
			return err
		}
		p.ch = ch
	}
	err := f(p.ch)
	if err != nil {
		p.ch = nil
	}
	return err
}

// queue returns how many consumers a queue has. An address of direct reply-to is one that
// has no messages.
func (p *prober) queue(ctx context.Context, name string) (consumers int, err error) {
	err = p.try(ctx, func(ch *amqp091.Channel) error {
		q, err := ch.QueueDeclarePassive(name, false, false, false, false, nil)
		consumers = q.Consumers
		return err
	})
	return consumers, err
}

// exchange fails if there is no such exchange.
func (p *prober) exchange(ctx context.Context, name string) error {
	return p.try(ctx, func(ch *amqp091.Channel) error {
		return ch.ExchangeDeclarePassive(name, amqp091.ExchangeDirect, false, false, false, false, nil)
	})
}

// isGone reports whether err says that there is no such queue, exchange or address.
func isGone(err error) bool {
	e, ok := errors.AsType[*amqp091.Error](err)
	return ok && e.Code == amqp091.NotFound
}

// errorOf returns an error of the broker elsewhere as one of [warren.Error], so that
// errors.Is tells the same of both.
func errorOf(err error) error {
	if e, ok := errors.AsType[*amqp091.Error](err); ok && e.Server {
		return &warren.Error{Code: uint16(e.Code), Text: e.Reason}
	}
	return err
}

// checkRequest asks what a broker would say no to by closing the channel, which ends all
// calls, or what it cannot be asked with the request.
func (br *bridge) checkRequest(ctx context.Context, exchange, key, user string, immediate bool) error {
	if user != "" && br.user != "" && user != br.user {
		return &warren.Error{
			Code: amqp091.PreconditionFailed,
			Text: "PRECONDITION_FAILED - user_id property set to '" + user + "' but authenticated user was '" + br.user + "'",
		}
	}
	if exchange != "" {
		if err := br.prober.exchange(ctx, exchange); err != nil {
			return errorOf(err)
		}
	}
	if !immediate || br.immediate {
		return nil
	}
	if exchange != "" {
		return &warren.Error{
			Code: amqp091.NotImplemented, Text: "NOT_IMPLEMENTED - immediate=true",
			Hint: "this broker cannot tell whether the queues of an exchange have consumers: call without RequireConsumer",
		}
	}
	n, err := br.prober.queue(ctx, key)
	switch {
	case isGone(err):
		return &warren.Return{Code: amqp091.NoRoute, Text: "NO_ROUTE", RoutingKey: key}
	case err != nil:
		return errorOf(err)
	case n == 0:
		return &warren.Return{Code: amqp091.NoConsumers, Text: "NO_CONSUMERS", RoutingKey: key}
	}
	return nil
}

// watch looks now and then whether those are still there who have been waiting, or been
// waited for, for long.
func (br *bridge) watch() {
	every := time.NewTicker(br.broker.options.Heartbeat)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-br.ctx.Done():
			return
		}
		for address := range br.old(time.Now().Add(-br.broker.options.Heartbeat)) {
			if _, err := br.prober.queue(br.broker.ctx, address); isGone(err) {
				br.gone(address)
			}
		}
	}
}

// old are the addresses of all talks that began before a time.
func (br *bridge) old(before time.Time) map[string]bool {
	addresses := make(map[string]bool)
	br.mu.Lock()
	defer br.mu.Unlock()
	for _, talks := range [...]map[string]*talk{br.asked, br.served} {
		for _, t := range talks {
			if t.began.Before(before) && isReplyAddress(t.there.address) {
				addresses[t.there.address] = true
			}
		}
	}
	return addresses
}

// gone ends the talks with who had an address: handlers have no requester any more, and
// callers no server.
func (br *bridge) gone(address string) {
	var callers, servers []*talk
	br.mu.Lock()
	for _, t := range br.asked {
		if t.there.address == address && t.stream {
			servers = append(servers, t)
		}
	}
	for _, t := range br.served {
		if t.there.address == address {
			callers = append(callers, t)
		}
	}
	br.mu.Unlock()
	for _, t := range servers {
		t.fail(warren.ErrServerLost)
	}
	for _, t := range callers {
		t.cancel()
	}
}
