// Package orders is a small application with the pubsub package of go-cloud: it publishes
// orders, and a worker ships them.
package orders

import (
	"context"
	"fmt"

	"gocloud.dev/pubsub"
)

// Publish publishes an order and returns when the broker has it.
func Publish(ctx context.Context, orders *pubsub.Topic, id string, body []byte) error {
	return orders.Send(ctx, &pubsub.Message{Body: body, Metadata: map[string]string{"id": id}})
}

// Ship ships orders until ctx ends, and publishes which are shipped.
func Ship(ctx context.Context, orders *pubsub.Subscription, shipped *pubsub.Topic) error {
	for {
		order, err := orders.Receive(ctx)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if err := shipped.Send(ctx, &pubsub.Message{Body: order.Body, Metadata: order.Metadata}); err != nil {
			order.Nack()
			return fmt.Errorf("publish: %w", err)
		}
		order.Ack()
	}
}
