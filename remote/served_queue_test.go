package remote_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

func echo(_ context.Context, req *warren.Request) (warren.Message, error) { return req.Message, nil }

// RabbitMQ from 4.3 on ends the connection of who declares a queue that is neither durable
// nor exclusive.
func TestQueuesOfHandlersAtRabbitMQ(t *testing.T) {
	for like, transient := range map[warren.Like]bool{warren.LikeRabbitMQ: false, warren.LikeLavinMQ: true} {
		for name, o := range map[string]remote.Options{"plain": {}, "quorum": {QuorumQueues: true}} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					real, srv := brokertest.Serve(t, &warren.Options{Like: like}, nil)
					o.Dial = srv.Dial
					b, err := remote.Dial(t.Context(), anyURL, &o)
					require.NoError(t, err)
					defer b.Close()
					_, err = b.Handle("passing", echo)
					require.NoError(t, err)
					_, err = b.Handle("lasting", echo, warren.HandleOptions{Durable: true})
					require.NoError(t, err)
					for _, queue := range []string{"passing", "lasting"} {
						_, err = b.Call(t.Context(), queue, warren.Message{})
						require.NoError(t, err)
						q, err := real.VirtualHosts()[0].Queue(queue)
						require.NoError(t, err)
						require.Equal(t, queue == "lasting" || !transient, q.Durable)
						require.Equal(t, queue == "passing", q.Arguments["x-expires"] != nil)
						require.Equal(t, o.QuorumQueues && queue == "lasting", q.Arguments["x-queue-type"] == "quorum")
					}
				})
			})
		}
	}
}

// A handler that is to outlive its server does not begin at a queue that does not.
func TestADurableHandlerNeedsAQueueThatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, &warren.Options{Like: warren.LikeRabbitMQ}, nil)
		b, err := remote.Dial(t.Context(), anyURL, &remote.Options{Dial: srv.Dial})
		require.NoError(t, err)
		defer b.Close()
		h, err := b.Handle("q", echo)
		require.NoError(t, err)
		_, err = b.Handle("q", echo, warren.HandleOptions{Durable: true})
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		require.NoError(t, h.Close())
	})
}
