package remote_test

import (
	"net"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

// BenchmarkPublish compares a publish that waits for the confirm with the same by hand,
// over TCP, by one goroutine and by several that share a connection.
func BenchmarkPublish(b *testing.B) {
	_, srv := brokertest.Serve(b, nil, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	go srv.Serve(l)
	url := "amqp://guest:guest@" + l.Addr().String() + "/"
	r, err := remote.Dial(b.Context(), []string{url}, nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, r.Close()) })
	conn, err := amqp091.Dial(url)
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	ch := brokertest.ClientChannel(b, conn)
	require.NoError(b, ch.Confirm(false))
	body := make([]byte, 100)

	byHand := func() error {
		c, err := ch.PublishWithDeferredConfirmWithContext(b.Context(), "amq.topic", "k", false, false,
			amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: body})
		if err == nil {
			_, err = c.WaitContext(b.Context())
		}
		return err
	}
	byRemote := func() error { return r.Publish(b.Context(), "amq.topic", "k", warren.Message{Body: body}) }
	for _, c := range []struct {
		name    string
		publish func() error
	}{{"by hand", byHand}, {"remote", byRemote}} {
		b.Run("one/"+c.name, func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, c.publish())
			}
		})
		b.Run("many/"+c.name, func(b *testing.B) {
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := c.publish(); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
