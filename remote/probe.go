package remote

import (
	"context"
	"errors"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// consumers asks how many consumers a queue elsewhere has. An address of direct reply-to is
// one that has no messages.
func (br *bridge) consumers(ctx context.Context, queue string) (int, error) {
	found := make(chan int, 1)
	err := br.declare(ctx, wire.QueueDeclareID, func(ch *amqp091.Channel) error {
		q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
		if err == nil {
			found <- q.Consumers
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return <-found, nil
}

// isGone reports whether nobody has an address elsewhere any more.
func (br *bridge) isGone(address string) bool {
	_, err := br.consumers(br.ctx, address)
	return errors.Is(err, warren.ErrNotFound)
}

// checkRequest asks what a broker would say no to by closing the channel, which ends all
// calls, or what it cannot be asked with the request.
func (br *bridge) checkRequest(ctx context.Context, exchange, key, user string, immediate bool) error {
	if err := br.checkUser(user); err != nil {
		return err
	}
	if exchange != "" {
		err := br.declare(ctx, wire.ExchangeDeclareID, func(ch *amqp091.Channel) error {
			return ch.ExchangeDeclarePassive(exchange, amqp091.ExchangeDirect, false, false, false, false, nil)
		})
		if err != nil {
			return err
		}
	}
	if !immediate || !br.rabbit {
		return nil
	}
	if exchange != "" {
		return refusedHere(amqp091.NotImplemented, "NOT_IMPLEMENTED - immediate=true",
			"this broker cannot tell whether the queues of an exchange have consumers: call without RequireConsumer")
	}
	n, err := br.consumers(ctx, key)
	switch {
	case errors.Is(err, warren.ErrNotFound):
		return &warren.Return{Code: amqp091.NoRoute, Text: "NO_ROUTE", RoutingKey: key}
	case err != nil:
		return err
	case n == 0:
		return &warren.Return{Code: amqp091.NoConsumers, Text: "NO_CONSUMERS", RoutingKey: key}
	}
	return nil
}

// refusedHere is the error of a publish that the broker would refuse.
func refusedHere(code uint16, text, hint string) error {
	m := wire.BasicPublishID
	return &warren.Error{Code: code, Class: uint16(m >> 16), Method: uint16(m & 0xffff), Text: text, Hint: hint}
}

// checkUser fails if the property user_id is not the user who has logged in.
func (br *bridge) checkUser(user string) error {
	if user == "" || br.user == "" || user == br.user {
		return nil
	}
	return refusedHere(amqp091.PreconditionFailed, "PRECONDITION_FAILED - user_id property set to '"+user+"' but authenticated user was '"+br.user+"'", "")
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
			if br.isGone(address) {
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
		switch {
		case t.there.address != address:
		case t.stream:
			servers = append(servers, t)
		default:
			t.there.address = "" // another one has it, or it was answered
		}
	}
	for _, t := range br.served {
		if t.there.address == address {
			callers = append(callers, t)
		}
	}
	br.mu.Unlock()
	for _, t := range servers {
		t.request.fail(warren.ErrServerLost)
	}
	for _, t := range callers {
		t.context.end()
	}
}
