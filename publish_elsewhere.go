package warren

import (
	"context"
	"errors"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// publishElsewhere is Publish on a channel whose exchanges are at another broker. It
// checks what can be checked here, so that a bad message does not close the channel over
// there, which others use.
func (ch *Channel) publishElsewhere(ctx context.Context, exchange, key string, msg *Message, o PublishOptions) error {
	if err := ch.checkOpen(); err != nil {
		return err
	}
	m := *msg // only a copy leaves the caller's stack
	props := m.properties()
	if err := checkName(wire.BasicPublishID, "exchange name", exchange); err != nil {
		return err
	}
	if err := checkName(wire.BasicPublishID, "routing key", key); err != nil {
		return err
	}
	if ch.vhost.isReplyName(props.ReplyTo) {
		return errNoReplyConsumer(props.ReplyTo)
	}
	var p publishing
	if _, err := p.setProperties(&ch.vhost.broker.queues, props); err != nil {
		return err
	}
	props.Headers = msg.Headers // with BCC, which is for the other broker
	err := ch.vhost.elsewhere.Publish(ctx, &link.Outgoing{
		Exchange: exchange, RoutingKey: key, Mandatory: o.Mandatory, Immediate: o.Immediate, Properties: props,
	})
	if r, ok := errors.AsType[*Return](err); ok {
		r.Message = m
	}
	return err
}

// confirmElsewhere is PublishConfirm on such a channel. It waits for the confirm.
func (ch *Channel) confirmElsewhere(ctx context.Context, exchange, key string, msg *Message, o PublishOptions) (*Confirmation, error) {
	c := &Confirmation{}
	c.answered.Store(true)
	err := ch.publishElsewhere(ctx, exchange, key, msg, o)
	if errors.Is(err, ErrNacked) {
		c.err, err = err, nil
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}
