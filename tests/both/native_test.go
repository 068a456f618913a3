package both_test

import (
	"context"
	"testing/synctest"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// nativeChannel is a channel of the broker itself.
type nativeChannel struct {
	*warren.Channel
	session *warren.Session
}

type nativeConsumer struct{ *warren.Consumer }

func (ch nativeChannel) Publish(exchange, key string, msg warren.Message, o warren.PublishOptions) error {
	return ch.Channel.Publish(context.Background(), exchange, key, msg, o)
}

func (ch nativeChannel) Consume(queue string, o warren.ConsumeOptions) (sideConsumer, error) {
	c, err := ch.Channel.Consume(queue, o)
	return nativeConsumer{c}, err
}

func (ch nativeChannel) QosGlobal(prefetch int) error {
	return ch.Qos(prefetch, warren.QosOptions{Global: true})
}

func (ch nativeChannel) Lose() { ch.session.Close() }

func (ch nativeChannel) Closed() error {
	synctest.Wait()
	return ch.Qos(0, warren.QosOptions{})
}

func (c nativeConsumer) next() (warren.Delivery, bool) {
	synctest.Wait()
	d, err := c.Next(brokertest.NoWait())
	return d, err == nil
}
