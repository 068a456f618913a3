package orders_test

import (
	"strconv"
	"testing"

	"github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/warrentest"
	orders "github.com/warrenmq/warren/warrentest/examples/amqp091"
)

func TestOrdersAreShipped(t *testing.T) {
	b := warrentest.New(t)
	conn, err := amqp091.DialConfig("amqp://", amqp091.Config{Dial: b.Dial})
	require.NoError(t, err)
	defer conn.Close()
	ch, err := orders.Open(conn)
	require.NoError(t, err)
	go orders.Ship(t.Context(), ch)

	for i := range 3 {
		require.NoError(t, orders.Publish(t.Context(), ch, orders.Orders, strconv.Itoa(i), []byte("a book")))
	}

	b.WaitReady(orders.Shipped, 3)
}
