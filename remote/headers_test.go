package remote_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/remote"
)

// Headers come there and back as they would in one process.
func TestHeadersOfAllTypesGoThereAndBack(t *testing.T) {
	headers := warren.Table{
		"int": int64(math.MaxInt), "decimal": warren.Decimal{Scale: 2, Value: 314}, "void": nil, "bytes": []byte{1, 2},
		"time": time.Unix(7, 0), "table": warren.Table{"list": []any{"x", warren.Table{"true": true}}},
	}
	sent := warren.Table{}
	for k, v := range headers {
		sent[k] = v
	}
	sent["int"] = math.MaxInt // which AMQP has no type for
	with(t, func(t *testing.T, _ *warren.Broker, client, server *remote.Broker) {
		_, err := server.Handle("echo", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Headers: warren.Table{"got": req.Headers, "sent": sent}, CorrelationId: req.CorrelationId + "?"}, nil
		})
		require.NoError(t, err)
		for range 2 {
			msg := warren.Message{Headers: sent, CorrelationId: "mine", UserId: "guest", Expiration: "60000"}
			reply, err := client.Call(t.Context(), "echo", msg)
			require.NoError(t, err)
			for _, which := range []string{"got", "sent"} {
				got := reply.Headers[which].(warren.Table)
				got["time"] = got["time"].(time.Time).Local()
				require.Equal(t, headers, got, which)
			}
		}
	})
}
