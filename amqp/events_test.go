package amqp_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/memconn"
	"github.com/warrenmq/warren/internal/wire"
)

// TestEventsOfAConnection: events have the client's own number of a channel.
func TestEventsOfAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var events []warren.Event
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e, err := range b.Events(ctx) {
				if err == nil {
					events = append(events, e)
				}
			}
		}()
		synctest.Wait()
		r := dialRaw(t, srv)
		r.open(0)
		r.send(7, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
		id := b.Sessions()[0].ID
		r.send(7, &wire.ChannelClose{})
		expect[*wire.ChannelCloseOk](r)
		r.send(9, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
		r.send(0, &wire.ConnectionClose{})
		expect[*wire.ConnectionCloseOk](r)
		synctest.Wait()
		cancel()
		<-done
		var got []warren.EventKind
		var channels []uint64
		for _, e := range events {
			require.Equal(t, "guest", e.User)
			require.Equal(t, id, e.Session)
			require.Equal(t, "/", e.VirtualHost)
			require.Empty(t, e.Reason)
			got, channels = append(got, e.Kind), append(channels, e.Channel)
		}
		require.Equal(t, []warren.EventKind{
			"connection.created", "channel.created", "channel.closed", "channel.created", "channel.closed", "connection.closed",
		}, got)
		require.Equal(t, []uint64{0, 7, 7, 9, 9, 0}, channels)
		s := b.Stats()
		require.Equal(t, []uint64{1, 1, 2, 2}, []uint64{s.SessionsOpened, s.SessionsClosed, s.ChannelsOpened, s.ChannelsClosed})
	})
}

// TestLoginsAreCounted: a login that the broker decides about counts, and one that is
// refused for another reason than its password counts as refused.
func TestLoginsAreCounted(t *testing.T) {
	logins := func(b *warren.Broker) [2]uint64 { return [2]uint64{b.Stats().Logins, b.Stats().LoginsRefused} }
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		expect[*wire.ConnectionTune](loginRaw(t, srv, "PLAIN", "\x00guest\x00guest"))
		require.Equal(t, [2]uint64{1, 0}, logins(b))
		loginRaw(t, srv, "PLAIN", "\x00guest\x00wrong").over()
		require.Equal(t, [2]uint64{1, 1}, logins(b))
		loginRaw(t, srv, "PLAIN", "guest").closed(502, "SYNTAX_ERROR - response to authentication mechanism PLAIN invalid")
		require.Equal(t, [2]uint64{1, 1}, logins(b), "that was no login")
		require.NoError(t, b.Authenticate("guest", "guest"))
		require.Error(t, b.Authenticate("guest", "wrong"))
		require.Equal(t, [2]uint64{2, 2}, logins(b))
	})
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		client, server := memconn.Pipe(0)
		go srv.ServeConn(connFrom{server, net.TCPAddrFromAddrPort(netip.MustParseAddrPort("10.0.0.1:9"))})
		r := rawOver(t, client)
		r.login("authentication_failure_close")
		r.closed(403, wrongLogin)
		require.Equal(t, [2]uint64{0, 1}, logins(b), "guest is for this machine only")
	})
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, &amqp.Options{Authenticate: func(amqp.Login) bool { return true }})
		expect[*wire.ConnectionTune](loginRaw(t, srv, "PLAIN", "\x00guest\x00any"))
		require.Equal(t, [2]uint64{0, 0}, logins(b), "the host has decided")
	})
}
