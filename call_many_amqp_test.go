package warren_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// serveByAMQP lets a client of its own serve a queue that is bound to amq.fanout.
func serveByAMQP(t *testing.T, dial brokertest.Dialer, queue string, serve func(ch *amqp091.Channel, d amqp091.Delivery)) *amqp091.Connection {
	conn := brokertest.Dial(t, dial, amqp091.Config{})
	ch := brokertest.ClientChannel(t, conn)
	_, err := ch.QueueDeclare(queue, false, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.QueueBind(queue, "", "amq.fanout", false, nil))
	requests, err := ch.Consume(queue, "", false, false, false, false, nil)
	require.NoError(t, err)
	go func() {
		for d := range requests {
			serve(ch, d)
		}
	}()
	return conn
}

func replyTo(ch *amqp091.Channel, d amqp091.Delivery, msg amqp091.Publishing) {
	msg.CorrelationId = d.CorrelationId
	ch.Publish("", d.ReplyTo, false, false, msg)
	d.Ack(false)
}

// Servers over AMQP answer, fail, reject, are slow, answer twice and die, each for itself.
func TestManyOverAMQP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		answer := func(body string) func(ch *amqp091.Channel, d amqp091.Delivery) {
			return func(ch *amqp091.Channel, d amqp091.Delivery) { replyTo(ch, d, amqp091.Publishing{Body: []byte(body)}) }
		}
		serveByAMQP(t, srv.Dial, "tells", func(ch *amqp091.Channel, d amqp091.Delivery) {
			answer(fmt.Sprint(d.Exchange, " ", d.RoutingKey, " ", d.Expiration, " ", string(d.Body)))(ch, d)
		})
		serveByAMQP(t, srv.Dial, "fails", func(ch *amqp091.Channel, d amqp091.Delivery) {
			replyTo(ch, d, amqp091.Publishing{Headers: amqp091.Table{warren.ErrorCodeHeader: "busy", warren.ErrorTextHeader: "later"}})
		})
		serveByAMQP(t, srv.Dial, "rejects", func(_ *amqp091.Channel, d amqp091.Delivery) { d.Reject(false) })
		serveByAMQP(t, srv.Dial, "slow", func(ch *amqp091.Channel, d amqp091.Delivery) {
			time.Sleep(time.Hour)
			answer("late")(ch, d)
		})
		serveByAMQP(t, srv.Dial, "twice", func(ch *amqp091.Channel, d amqp091.Delivery) {
			answer("first")(ch, d)
			answer("second")(ch, d)
		})
		var dying *amqp091.Connection
		dying = serveByAMQP(t, srv.Dial, "dies", func(*amqp091.Channel, amqp091.Delivery) {
			time.Sleep(time.Second)
			go dying.Close()
		})
		synctest.Wait()
		serveByAMQP(t, srv.Dial, "dies", func(ch *amqp091.Channel, d amqp091.Delivery) {
			answer(fmt.Sprint("redelivered: ", d.Redelivered))(ch, d)
		})
		brokertest.Handle(t, b, "handler", brokertest.Echo)
		require.NoError(t, brokertest.Channel(t, b).QueueBind("handler", "", "amq.fanout", nil))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		answers, failed := gather(b.CallMany(ctx, "amq.fanout", "key", aRequest))
		require.Equal(t, map[string]string{
			"tells": "amq.fanout key 60000 x", "twice": "first", "dies": "redelivered: true", "handler": "x",
		}, answers)
		require.Len(t, failed, 3)
		require.True(t, warren.Repeatable(failed["fails"]))
		require.ErrorIs(t, failed["fails"], warren.ErrBusy)
		require.ErrorContains(t, failed["fails"], "no answer from queue 'fails': warren: the handler failed: busy: later")
		require.ErrorIs(t, failed["rejects"], warren.ErrRequestDropped)
		require.ErrorIs(t, failed["slow"], context.DeadlineExceeded)
		require.Zero(t, b.Stats().Requesters)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, uint64(2), b.Stats().RepliesTooLate, "the second one and the late one")
		brokertest.Clean(t, b)
	})
}
