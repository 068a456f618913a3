package warren

import (
	"context"
	"fmt"
)

// PublishFor is Publish with a value instead of a body. It waits for the confirm, see
// [Broker.Publish]. Headers and other properties of the message are in
// [EventOptions].Properties.
func PublishFor(ctx context.Context, p Publisher, exchange, key string, event any, opts ...EventOptions) error {
	o := eventOptions(opts)
	msg, err := encoded(o.Codec, o.Properties, event)
	if err != nil {
		return fmt.Errorf("warren: encode the event '%s' for exchange '%s': %w", key, exchange, err)
	}
	return p.Publish(ctx, exchange, key, msg, opts...)
}

// EnqueueFor is Enqueue with a value instead of a body. It waits for the confirm, see
// [Broker.Enqueue]. Headers and other properties of the message are in
// [EnqueueOptions].Properties.
func EnqueueFor(ctx context.Context, p Publisher, queue string, job any, opts ...EnqueueOptions) error {
	o := enqueueOptions(opts)
	msg, err := encoded(o.Codec, o.Properties, job)
	if err != nil {
		return fmt.Errorf("warren: encode the job for queue '%s': %w", queue, err)
	}
	return p.Enqueue(ctx, queue, msg, opts...)
}

// encoded returns a message with the given properties and a value as its body.
func encoded(c Codec, properties Message, v any) (Message, error) {
	c = codecOrJSON(c)
	body, err := c.Marshal(v)
	properties.Body = body
	if properties.ContentType == "" {
		properties.ContentType = c.ContentType()
	}
	return properties, err
}
