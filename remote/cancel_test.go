package remote_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

// A client in another language cancels requests that have the same correlation id, one
// that was answered, one that never was, and says nonsense. Nobody else is disturbed.
func TestCancelsOfAClientOfAnotherLanguage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		server, err := remote.Dial(t.Context(), anyURL, &remote.Options{Dial: srv.Dial})
		require.NoError(t, err)
		defer server.Close()
		ended := make(chan error, 3)
		_, err = server.Handle("slow", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			if string(req.Body) == "at once" {
				return req.Message, nil
			}
			select {
			case <-ctx.Done():
				ended <- ctx.Err()
			case <-time.After(time.Hour):
				ended <- nil
			}
			return req.Message, nil
		})
		require.NoError(t, err)

		conn, err := amqp091.DialConfig(anyURL[0], amqp091.Config{Dial: srv.Dial})
		require.NoError(t, err)
		defer conn.Close()
		ch := brokertest.ClientChannel(t, conn)
		replies, err := ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		require.NoError(t, err)
		publish := func(to, id, body string, headers amqp091.Table) {
			m := amqp091.Publishing{Headers: headers, ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: id, Body: []byte(body)}
			require.NoError(t, ch.Publish("", to, false, false, m))
		}
		wants := amqp091.Table{"x-warren-cancels": true}
		publish("slow", "same", "", wants)
		publish("slow", "same", "", wants)
		publish("slow", "other", "", wants)
		address := ""
		for range 3 {
			d := <-replies
			require.EqualValues(t, 0, d.Headers["x-warren-credit"])
			address = d.ReplyTo
		}
		publish("slow", "over", "at once", wants)
		require.Equal(t, "at once", string((<-replies).Body))

		cancel := amqp091.Table{"x-warren-cancel": true}
		publish(address, "over", "", cancel)
		publish(address, "unknown", "", cancel)
		publish(address, "", "", cancel)
		publish(address, "other", "", amqp091.Table{"x-warren-cancel": "yes"})
		publish(address, "other", "", amqp091.Table{"x-warren-credit": int64(-1)})
		publish(address, "other", "nonsense", nil)
		synctest.Wait()
		require.Empty(t, ended)
		publish(address, "same", "", cancel)
		for range 2 {
			require.ErrorIs(t, <-ended, context.Canceled)
		}
		require.NoError(t, <-ended, "the other goes on")
	})
}
