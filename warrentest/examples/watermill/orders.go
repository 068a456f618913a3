// Package orders is a small application with watermill: it publishes orders, and a worker
// ships them.
package orders

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill/message"
)

// The queues.
const (
	Orders  = "orders"
	Shipped = "shipped"
)

// Service is the application.
type Service struct {
	Publisher *amqp.Publisher
	router    *message.Router
}

// New connects the application. It works when Run is called.
func New(config amqp.Config) (*Service, error) {
	config.Publish.ConfirmDelivery = true
	publisher, err := amqp.NewPublisher(config, watermill.NopLogger{})
	if err != nil {
		return nil, fmt.Errorf("connect the publisher: %w", err)
	}
	subscriber, err := amqp.NewSubscriber(config, watermill.NopLogger{})
	if err != nil {
		return nil, fmt.Errorf("connect the subscriber: %w", err)
	}
	for _, queue := range []string{Orders, Shipped} {
		if err := subscriber.SubscribeInitialize(queue); err != nil {
			return nil, fmt.Errorf("declare %s: %w", queue, err)
		}
	}
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		return nil, fmt.Errorf("make the router: %w", err)
	}
	router.AddHandler("ship", Orders, subscriber, Shipped, publisher, ship)
	return &Service{Publisher: publisher, router: router}, nil
}

// ship ships an order and tells which.
func ship(order *message.Message) ([]*message.Message, error) {
	return []*message.Message{message.NewMessage(order.UUID, order.Payload)}, nil
}

// Publish publishes an order and returns when the broker has it.
func (s *Service) Publish(id string, body []byte) error {
	return s.Publisher.Publish(Orders, message.NewMessage(id, body))
}

// Run ships orders until ctx ends or Close is called.
func (s *Service) Run(ctx context.Context) error { return s.router.Run(ctx) }

// Close ends Run and the connections.
func (s *Service) Close() error { return s.router.Close() }
