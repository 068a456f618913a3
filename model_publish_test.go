package warren_test

import (
	"errors"
	"maps"
	"slices"

	"github.com/warrenmq/warren"

	"github.com/warrenmq/warren/internal/wire"
)

func (ch *mbModelChannel) Confirm() error {
	switch {
	case ch.closed:
		return warren.ErrClosed
	case ch.tx:
		return mbFail("confirm.select", 406, "cannot switch from tx to confirm mode")
	}
	ch.confirm = true
	return nil
}

func (ch *mbModelChannel) Tx() error {
	switch {
	case ch.closed:
		return warren.ErrClosed
	case ch.confirm:
		return mbFail("tx.select", 406, "cannot switch from confirm to tx mode")
	}
	ch.tx = true
	return nil
}

// TxCommit hands over the publishes, then settles.
func (ch *mbModelChannel) TxCommit() error {
	switch {
	case ch.closed:
		return warren.ErrClosed
	case !ch.tx:
		return mbFail("tx.commit", 406, "channel is not transactional")
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
func (ch *mbModelChannel) TxRollback() error {
	switch {
	case ch.closed:
		return warren.ErrClosed
	case !ch.tx:
		return mbFail("tx.rollback", 406, "channel is not transactional")
	}
	ch.publishes = nil
	ch.unhold()
	return nil
}

// mbPublishing is a message on its way, with where it goes.
type mbPublishing struct {
	mbMessage
	options   warren.PublishOptions
	queues    []*mbQueue
	addresses []string
}

// prepare makes the checks and the routing of basic.publish.
func (ch *mbModelChannel) prepare(exchange, key string, msg warren.Message, o warren.PublishOptions) (*mbPublishing, error) {
	const method = "basic.publish"
	x := ch.model.exchanges[exchange]
	switch {
	case ch.closed:
		return nil, warren.ErrClosed
	case x == nil:
		return nil, mbNoExchange(method, exchange)
	case x.options.Internal:
		return nil, mbFail(method, 403, "cannot publish to internal exchange '%s' in vhost '/'", exchange)
	case mbIsReplyName(msg.ReplyTo) && ch.reply == nil:
		return nil, mbFail(method, 406, "fast reply consumer does not exist")
	case mbIsReplyName(msg.ReplyTo):
		msg.ReplyTo = ch.reply.address
	}
	keys := []string{key}
	headers := maps.Clone(msg.Headers)
	for _, name := range []string{"CC", "BCC"} {
		switch v := headers[name].(type) {
		case nil:
		case []any:
			keys = append(keys, mbKeys(v)...)
		default:
			return nil, mbFail(method, 406, "invalid message: {unacceptable_type_in_header,%q,longstr}", name)
		}
	}
	blind := mbKeys(headers["BCC"])
	delete(headers, "BCC")
	msg.Headers = headers
	p := &mbPublishing{mbMessage: mbMessage{Message: msg, exchange: exchange, key: key, blind: blind}, options: o}
	p.queues, p.addresses = ch.model.route(x, keys, headers)
	return p, nil
}

// send puts the message into its queues. One that nobody took is returned if
// the publisher asked for it.
func (m *mbModel) send(p *mbPublishing) error {
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
		if p.exchange != "" || !mbIsReplyAddress(p.key) {
			m.counts.Unroutable++
		}
		return nil
	}
	m.counts.Returned++
	return r
}

// give puts the message into its queues.
func (m *mbModel) give(p *mbPublishing) (taken, refused bool) {
	for _, q := range p.queues {
		switch {
		case q.deleted || p.options.Immediate && !q.takesAtOnce():
		case q.push(p.mbMessage):
			taken = true
		default:
			refused = true
		}
	}
	for _, address := range p.addresses {
		taken = m.reply(address, p.mbMessage) || taken
	}
	return taken, refused
}

func (ch *mbModelChannel) Publish(exchange, key string, msg warren.Message, o warren.PublishOptions) error {
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

func (ch *mbModelChannel) PublishConfirm(exchange, key string, msg warren.Message, o warren.PublishOptions) (tag uint64, acked bool, err error) {
	if !ch.closed && !ch.confirm {
		return 0, false, mbFail("basic.publish", 406, "channel is not in confirm mode")
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
