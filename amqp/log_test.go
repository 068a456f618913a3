package amqp_test

import (
	"bytes"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

// logOf returns what a server logs from a level on, while f uses it.
func logOf(t *testing.T, level slog.Level, f func(t *testing.T, srv *amqp.Server)) string {
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		o := slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}
		_, srv := brokertest.Serve(t, nil, &amqp.Options{Logger: slog.New(slog.NewTextHandler(&log, &o))})
		f(t, srv)
		require.NoError(t, srv.Close())
	})
	return log.String()
}

func TestTheLifeOfAConnectionIsLogged(t *testing.T) {
	life := func(t *testing.T, srv *amqp.Server) {
		r := dialRaw(t, srv)
		r.write([]byte(wire.ProtocolHeader))
		expect[*wire.ConnectionStart](r)
		ok := startOk("PLAIN", "\x00guest\x00guest")
		ok.ClientProperties["connection_name"] = "billing"
		r.send(0, ok)
		r.send(0, (*wire.ConnectionTuneOk)(expect[*wire.ConnectionTune](r)), &wire.ConnectionOpen{VirtualHost: "/"}, &wire.ChannelOpen{})
		expect[*wire.ConnectionOpenOk](r)
		expect[*wire.ConnectionClose](r) // for the channel 0
		r.send(0, &wire.ConnectionCloseOk{})
		r.over()
		synctest.Wait()

		r = rawChannel(t, srv)
		r.send(1, &wire.QueueDeclare{Queue: "none", Passive: true})
		expect[*wire.ChannelClose](r)
		r.hangUp()
		synctest.Wait()

		r = openRaw(t, srv)
		r.conn.Close()
		synctest.Wait()

		dialRaw(t, srv).conn.Close() // as those who look whether the port is open
	}
	require.Equal(t, `level=DEBUG msg="logged in" peer=client name=billing user=guest mechanism=PLAIN
level=DEBUG msg="connection opened" peer=client name=billing user=guest vhost=/
level=WARN msg="connection closed by the server" peer=client name=billing user=guest code=504 text="CHANNEL_ERROR - unexpected method in connection state running"
level=DEBUG msg="connection closed" peer=client name=billing user=guest
level=DEBUG msg="logged in" peer=client user=guest mechanism=PLAIN
level=DEBUG msg="connection opened" peer=client user=guest vhost=/
level=INFO msg="channel closed by the server" peer=client user=guest channel=1 code=404 text="NOT_FOUND - no queue 'none' in vhost '/'"
level=DEBUG msg="connection closed" peer=client user=guest
level=DEBUG msg="logged in" peer=client user=guest mechanism=PLAIN
level=DEBUG msg="connection opened" peer=client user=guest vhost=/
level=DEBUG msg="connection closed" peer=client user=guest reason="the client hung up"
`, logOf(t, slog.LevelDebug, life))
	require.NotContains(t, logOf(t, slog.LevelInfo, life), "opened", "what is ordinary is for debugging")
}
