package amqp_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

func TestLikeRabbitMQsSmallestFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, &warren.Options{Like: warren.LikeRabbitMQ}, &amqp.Options{FrameMax: 4096})
		r := dialRaw(t, srv)
		r.login()
		require.Equal(t, uint32(8192), expect[*wire.ConnectionTune](r).FrameMax)
		r.send(0, &wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 8191})
		r.closed(wire.CodeNotAllowed, "NOT_ALLOWED - negotiated frame_max = 8191 is lower than the minimum allowed value (8192)")
	})
}

func TestLikeLavinMQRefusesOldMethods(t *testing.T) {
	for _, m := range []wire.Method{&wire.AccessRequest{}, &wire.BasicRecoverAsync{Requeue: true}} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := brokertest.Serve(t, &warren.Options{Like: warren.LikeLavinMQ}, nil)
			r := rawChannel(t, srv)
			r.send(1, m)
			r.closed(wire.CodeNotImplemented, "NOT_IMPLEMENTED - "+m.ID().String())
		})
	}
}
