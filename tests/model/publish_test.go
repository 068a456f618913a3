package model_test

import (
	"errors"
	"maps"
	"slices"

	"github.com/warrenmq/warren"

	"github.com/warrenmq/warren/internal/wire"
)

func (ch *modelChannel) Confirm() error {
	switch {
	case ch.closed:
		return warren.ErrClosed
	case ch.tx:
		return failure("confirm.select", 406, "cannot switch from tx to confirm mode")
	}
	ch.confirm = true
	return nil
}

func (ch *modelChannel) Tx() error {
	switch {
	case ch.closed:
		return warren.ErrClosed
	case ch.confirm:
		return failure("tx.select", 406, "cannot switch from confirm to tx mode")
	}
	ch.tx = true
	return nil
}

// TxCommit hands over the publishes, then settles.
func (ch *modelChannel) TxCommit() error {
	switch {
	case ch.closed:
		return warren.ErrClosed
	case !ch.tx:
		return failure("tx.commit", 406, "channel is not transactional")
	}
	var returns []error
	for _, p := range ch.publishes {
		returns = append(returns, ch.model.send(p))
	}
	ch.publishes = nil
	for held := slices.Clone(ch.held); len(held) > 0; {
		n := 1
		for n < len(held) && held[n].fate == held[0].fate {
			n++
		}
		ch.settle(held[:n], held[0].fate)
		held = held[n:]
	}
	return errors.Join(returns...)
}

// TxRollback: what was settled waits again, with the tag it had.
func (ch *modelChannel) TxRollback() error {
	switch {
	case ch.closed:
		return warren.ErrClosed
	case !ch.tx:
		return failure("tx.rollback", 406, "channel is not transactional")
	}
	ch.publishes = nil
	ch.unhold()
	return nil
}

// modelPublishing is a message on its way, with where it goes.
type modelPublishing struct {
	modelMessage
	options   warren.PublishOptions
	queues    []*modelQueue
	addresses []string
}

// prepare makes the checks and the routing of basic.publish.
func (ch *modelChannel) prepare(exchange, key string, msg warren.Message, o warren.PublishOptions) (*modelPublishing, error) {
	const method = "basic.publish"
	x := ch.model.exchanges[exchange]
	switch {
	case ch.closed:
		return nil, warren.ErrClosed
	case x == nil:
		return nil, noExchangeError(method, exchange)
	case x.options.Internal:
		return nil, failure(method, 403, "cannot publish to internal exchange '%s' in vhost '/'", exchange)
	case isReplyName(msg.ReplyTo) && ch.reply == nil:
		return nil, failure(method, 406, "fast reply consumer does not exist")
	case isReplyName(msg.ReplyTo):
		msg.ReplyTo = ch.reply.address
	}
	keys := []string{key}
	headers := maps.Clone(msg.Headers)
	for _, name := range []string{"CC", "BCC"} {
		switch v := headers[name].(type) {
		case nil:
		case []any:
			keys = append(keys, keysOf(v)...)
		default:
			return nil, failure(method, 406, "invalid message: {unacceptable_type_in_header,%q,longstr}", name)
		}
	}
	blind := keysOf(headers["BCC"])
	delete(headers, "BCC")
	msg.Headers = headers
	p := &modelPublishing{modelMessage: modelMessage{Message: msg, exchange: exchange, key: key, blind: blind}, options: o}
	p.queues, p.addresses = ch.model.route(x, keys, headers)
	return p, nil
}

// send puts the message into its queues. One that nobody took is returned if
// the publisher asked for it.
func (m *model) send(p *modelPublishing) error {
	taken, refused := m.give(p)
	r := &warren.Return{Message: p.Message, Exchange: p.exchange, RoutingKey: p.key}
	switch {
	case refused:
		return warren.ErrNacked
	case taken:
		return nil
	case p.options.Immediate:
		r.Code, r.Text = wire.CodeNoConsumers, "NO_CONSUMERS"
	case p.options.Mandatory:
		r.Code, r.Text = wire.CodeNoRoute, "NO_ROUTE"
	default:
		if p.exchange != "" || !isReplyAddress(p.key) {
			m.counts.Unroutable++
		}
		return nil
	}
	m.counts.Returned++
	return r
}

// give puts the message into its queues.
func (m *model) give(p *modelPublishing) (taken, refused bool) {
	for _, q := range p.queues {
		switch {
		case q.deleted || p.options.Immediate && !q.takesAtOnce():
		case q.push(p.modelMessage):
			taken = true
		default:
			refused = true
		}
	}
	for _, address := range p.addresses {
		taken = m.reply(address, p.modelMessage) || taken
	}
	return taken, refused
}

func (ch *modelChannel) Publish(exchange, key string, msg warren.Message, o warren.PublishOptions) error {
	p, err := ch.prepare(exchange, key, msg, o)
	switch {
	case err != nil:
		return err
	case ch.tx:
		ch.publishes = append(ch.publishes, p)
		return nil
	case ch.confirm:
		ch.published++
	}
	return ch.model.send(p)
}

func (ch *modelChannel) PublishConfirm(exchange, key string, msg warren.Message, o warren.PublishOptions) (tag uint64, acked bool, err error) {
	if !ch.closed && !ch.confirm {
		return 0, false, failure("basic.publish", 406, "channel is not in confirm mode")
	}
	p, err := ch.prepare(exchange, key, msg, o)
	if err != nil {
		return 0, false, err
	}
	ch.published++
	err = ch.model.send(p)
	if err == warren.ErrNacked {
		return ch.published, false, nil
	}
	return ch.published, true, err
}
