package orders_test

import (
	"strconv"
	"testing"

	watermill "github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/warrentest"
	orders "github.com/warrenmq/warren/warrentest/examples/watermill"
)

func TestOrdersAreShipped(t *testing.T) {
	b := warrentest.New(t)
	config := watermill.NewDurableQueueConfig("amqp://")
	config.Connection.AmqpConfig = &amqp091.Config{Dial: b.Dial}
	service, err := orders.New(config)
	require.NoError(t, err)
	defer service.Close()
	go service.Run(t.Context())

	for i := range 3 {
		require.NoError(t, service.Publish(strconv.Itoa(i), []byte("a book")))
	}

	b.WaitReady(orders.Shipped, 3)
}
