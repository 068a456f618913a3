// Package orders is a small application with amqp091-go: it publishes orders, and a worker
// ships them.
package orders

import (
	"context"
	"errors"
	"fmt"

	"github.com/rabbitmq/amqp091-go"
)

// The queues.
const (
	Orders  = "orders"
	Shipped = "shipped"
)

// ErrNacked says that the broker has not taken a message.
var ErrNacked = errors.New("the broker has not taken the message")

// Open opens a channel with confirms and declares the queues.
func Open(conn *amqp091.Connection) (*amqp091.Channel, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	for _, queue := range []string{Orders, Shipped} {
		if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
			return nil, fmt.Errorf("declare %s: %w", queue, err)
		}
	}
	return ch, ch.Confirm(false)
}

// Publish publishes a message and returns when the broker has it.
func Publish(ctx context.Context, ch *amqp091.Channel, queue, id string, body []byte) error {
	confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, amqp091.Publishing{
		MessageId:    id,
		DeliveryMode: amqp091.Persistent,
		Body:         body,
	})
	if err != nil {
		return fmt.Errorf("publish %s: %w", id, err)
	}
	if acked, err := confirm.WaitContext(ctx); err != nil {
		return fmt.Errorf("publish %s: %w", id, err)
	} else if !acked {
		return fmt.Errorf("publish %s: %w", id, ErrNacked)
	}
	return nil
}

// Ship ships orders until ctx ends, and publishes which are shipped.
func Ship(ctx context.Context, ch *amqp091.Channel) error {
	deliveries, err := ch.ConsumeWithContext(ctx, Orders, "", false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	for d := range deliveries {
		if err := Publish(ctx, ch, Shipped, d.MessageId, d.Body); err != nil {
			return err
		}
		if err := d.Ack(false); err != nil {
			return fmt.Errorf("ack %s: %w", d.MessageId, err)
		}
	}
	return ctx.Err()
}
