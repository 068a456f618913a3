package remote_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

// A broker tells how large a message may be when somebody exceeds it, by the end of the
// channel. That happens once.
func TestMessagesThatAreTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, &warren.Options{MaxMessageSize: 5000}, nil)
		large := warren.Message{Body: make([]byte, 5001)}
		dial := func() *remote.Broker {
			b, err := remote.Dial(t.Context(), anyURL, &remote.Options{Dial: srv.Dial})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, b.Close()) })
			return b
		}
		server, client := dial(), dial()
		served := 0
		_, err := server.Handle("long", func(context.Context, *warren.Request) (warren.Message, error) {
			served++
			return large, nil
		})
		require.NoError(t, err)
		_, err = server.Handle("echo", echo)
		require.NoError(t, err)

		_, err = client.Call(t.Context(), "echo", large)
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		brokertest.Later(time.Second)
		since := client.State()
		require.Equal(t, remote.Connected, since.Kind)
		_, err = client.Call(t.Context(), "echo", large)
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		require.ErrorContains(t, err, "message size 5001 is larger than configured max size 5000")
		require.ErrorIs(t, client.Enqueue(t.Context(), "jobs", large), warren.ErrPreconditionFailed)
		_, err = client.Call(t.Context(), "echo", warren.Message{Body: make([]byte, 5000)})
		require.NoError(t, err)
		require.Equal(t, since, client.State(), "the connection goes on")

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 2 {
			_, err = client.Call(ctx, "long", warren.Message{})
			require.ErrorIs(t, err, warren.ErrHandlerCodec)
			require.ErrorContains(t, err, "larger than")
		}
		require.Equal(t, 2, served, "it does not come again")
		require.Equal(t, since, client.State())
	})
}

// The limit is forgotten with the connection: the next broker may have another one.
func TestABrokerWithALargerLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, small := brokertest.Serve(t, &warren.Options{MaxMessageSize: 5000}, nil)
		_, large := brokertest.Serve(t, nil, nil)
		b, err := remote.Dial(t.Context(), []string{"amqp://small/", "amqp://large/"}, &remote.Options{
			Dial: func(network, addr string) (net.Conn, error) {
				if addr == "small:5672" {
					return small.Dial(network, addr)
				}
				return large.Dial(network, addr)
			},
		})
		require.NoError(t, err)
		defer b.Close()
		job := warren.Message{Body: make([]byte, 5001)}
		for range 2 {
			require.ErrorIs(t, b.Enqueue(t.Context(), "jobs", job), warren.ErrPreconditionFailed)
		}
		require.NoError(t, small.Close())
		brokertest.Later(time.Minute)
		require.NoError(t, b.Enqueue(t.Context(), "jobs", job))
	})
}
