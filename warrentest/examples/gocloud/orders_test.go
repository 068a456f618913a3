package orders_test

import (
	"strconv"
	"testing"

	"github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"gocloud.dev/pubsub/rabbitpubsub"

	"github.com/warrenmq/warren/warrentest"
	orders "github.com/warrenmq/warren/warrentest/examples/gocloud"
)

// topology is what the application finds in production.
const topology = `{
	"exchanges": [
		{"name": "orders", "vhost": "/", "type": "fanout", "durable": true},
		{"name": "shipped", "vhost": "/", "type": "fanout", "durable": true}
	],
	"queues": [
		{"name": "orders", "vhost": "/", "durable": true},
		{"name": "shipped", "vhost": "/", "durable": true}
	],
	"bindings": [
		{"source": "orders", "vhost": "/", "destination": "orders", "destination_type": "queue", "routing_key": ""},
		{"source": "shipped", "vhost": "/", "destination": "shipped", "destination_type": "queue", "routing_key": ""}
	]
}`

func TestOrdersAreShipped(t *testing.T) {
	b := warrentest.New(t, warrentest.Options{Definitions: []byte(topology)})
	conn, err := amqp091.DialConfig("amqp://", amqp091.Config{Dial: b.Dial})
	require.NoError(t, err)
	defer conn.Close()
	incoming := rabbitpubsub.OpenTopic(conn, "orders", nil)
	defer incoming.Shutdown(t.Context())
	subscription := rabbitpubsub.OpenSubscription(conn, "orders", nil)
	defer subscription.Shutdown(t.Context())
	shipped := rabbitpubsub.OpenTopic(conn, "shipped", nil)
	defer shipped.Shutdown(t.Context())
	go orders.Ship(t.Context(), subscription, shipped)

	for i := range 3 {
		require.NoError(t, orders.Publish(t.Context(), incoming, strconv.Itoa(i), []byte("a book")))
	}

	b.WaitReady("shipped", 3)
}
