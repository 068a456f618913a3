package amqp_test

import (
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

// login logs the official client in.
func (t *env) login(url string) (*amqp091.Connection, error) {
	conn, err := amqp091.DialConfig(url, amqp091.Config{Dial: t.server.Dial})
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

func (t *env) isRefused(url, text string) {
	t.Helper()
	_, err := t.login(url)
	var e *amqp091.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, text, e.Reason)
}

func TestUsersOfTheBrokerLogIn(t *testing.T) {
	withServer(t, func(t *env) {
		require.NoError(t, t.broker.UserDeclare("ann", "secret"))
		v, err := t.broker.VirtualHost("/")
		require.NoError(t, err)
		t.isRefused("amqp://ann:secret@localhost/", "NOT_ALLOWED - access to vhost '/' refused for user 'ann'")
		require.NoError(t, v.PermissionsSet("ann", warren.AllPermissions()))
		_, err = t.login("amqp://ann:wrong@localhost/")
		require.ErrorIs(t, err, amqp091.ErrCredentials)
		_, err = t.login("amqp://bob:secret@localhost/")
		require.ErrorIs(t, err, amqp091.ErrCredentials)
		conn, err := t.login("amqp://ann:secret@localhost/")
		require.NoError(t, err)
		ch := brokertest.ClientChannel(t, conn)
		q := t.queue(ch, "")
		require.NoError(t, ch.PublishWithContext(t.Context(), "", q, false, false, amqp091.Publishing{UserId: "ann"}))
		require.Equal(t, 1, t.ready(q))
	})
}

func TestARefusedOperationClosesTheChannelAlone(t *testing.T) {
	withServer(t, func(t *env) {
		v, err := t.broker.VirtualHost("/")
		require.NoError(t, err)
		require.NoError(t, v.PermissionsSet("guest", warren.Permissions{Configure: "^amq.gen"}))
		refused := func(what, kind, name string) string {
			return "ACCESS_REFUSED - " + what + " access to " + kind + " '" + name + "' in vhost '/' refused for user 'guest'"
		}
		t.channelFails(403, refused("configure", "queue", "q"), func(ch *amqp091.Channel) error {
			_, err := ch.QueueDeclare("q", false, false, false, false, nil)
			return err
		})
		t.channelFails(403, refused("write", "exchange", "amq.default"), func(ch *amqp091.Channel) error {
			return ch.PublishWithContext(t.Context(), "", "q", false, false, amqp091.Publishing{})
		})
		t.channelFails(403, refused("read", "queue", "q"), func(ch *amqp091.Channel) error {
			_, _, err := ch.Get("q", true)
			return err
		})
	})
}

func TestARefusedTopicClosesTheChannelAlone(t *testing.T) {
	withServer(t, func(t *env) {
		v, err := t.broker.VirtualHost("/")
		require.NoError(t, err)
		require.NoError(t, v.TopicPermissionsSet("guest", warren.TopicPermissions{Exchange: "amq.topic", Write: "^w", Read: "^r"}))
		refused := func(key string) string {
			return "ACCESS_REFUSED - access to topic '" + key + "' in exchange 'amq.topic' in vhost '/' refused for user 'guest'"
		}
		put := func(key string, headers amqp091.Table) func(ch *amqp091.Channel) error {
			return func(ch *amqp091.Channel) error {
				return ch.PublishWithContext(t.Context(), "amq.topic", key, false, false, amqp091.Publishing{Headers: headers})
			}
		}
		ch := t.open()
		t.queue(ch, "q")
		require.NoError(t, ch.QueueBind("q", "r.#", "amq.topic", false, nil))
		require.NoError(t, ch.QueueBind("q", "#", "amq.fanout", false, nil))
		require.NoError(t, t.native().QueueBind("q", "w.#", "amq.topic", nil))
		t.channelFails(403, refused("x"), put("x", nil))
		t.channelFails(403, refused("cc"), put("w", amqp091.Table{"CC": []any{"cc"}}))
		t.channelFails(403, refused("bcc"), put("w", amqp091.Table{"BCC": []any{"bcc"}}))
		t.channelFails(403, refused("#"), func(ch *amqp091.Channel) error { return ch.QueueBind("q", "#", "amq.topic", false, nil) })
		require.Zero(t, t.ready("q"))
		require.NoError(t, put("w.1", amqp091.Table{"CC": []any{"w.2"}})(ch))
		require.Equal(t, 1, t.ready("q"))
	})
}

func TestADeletedUserIsDisconnected(t *testing.T) {
	withServer(t, func(t *env) {
		other := t.open()
		require.NoError(t, t.broker.UserDeclare("ann", "secret"))
		v, err := t.broker.VirtualHost("/")
		require.NoError(t, err)
		require.NoError(t, v.PermissionsSet("ann", warren.AllPermissions()))
		conn, err := t.login("amqp://ann:secret@localhost/")
		require.NoError(t, err)
		closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
		require.NoError(t, t.broker.UserDelete("ann"))
		t.isClose(closed, 320, "CONNECTION_FORCED - user 'ann' was deleted")
		t.queue(other, "")
		require.NoError(t, t.broker.UserDelete("guest"))
		_, err = t.login("amqp://guest:guest@localhost/")
		require.ErrorIs(t, err, amqp091.ErrCredentials)
	})
}

func TestAVirtualHostBoundsItsClients(t *testing.T) {
	withServer(t, func(t *env) {
		v, err := t.broker.VirtualHost("/")
		require.NoError(t, err)
		v.LimitsSet(warren.VirtualHostLimits{MaxConnections: 1})
		conn := t.dial()
		const url = "amqp://guest:guest@localhost/"
		t.isRefused(url, "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (1) is reached")
		require.NoError(t, conn.Close())
		time.Sleep(time.Second) // in the bubble: the server has seen the end
		_, err = t.login(url)
		require.NoError(t, err)
	})
}

func TestWhoTheHostLetsInIsBoundedIfTheBrokerKnowsHim(t *testing.T) {
	all := &amqp.Options{Authenticate: func(l amqp.Login) bool { return l.Password == "token" }}
	withServerOf(t, nil, all, func(t *env) {
		require.NoError(t, t.broker.UserDeclare("ann", ""))
		t.isRefused("amqp://ann:token@localhost/", "NOT_ALLOWED - access to vhost '/' refused for user 'ann'")
		conn, err := t.login("amqp://bob:token@localhost/")
		require.NoError(t, err)
		ch := brokertest.ClientChannel(t, conn)
		q := t.queue(ch, "")
		require.NoError(t, ch.PublishWithContext(t.Context(), "", q, false, false, amqp091.Publishing{UserId: "bob"}))
		require.Equal(t, 1, t.ready(q))
		closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
		require.NoError(t, ch.PublishWithContext(t.Context(), "", q, false, false, amqp091.Publishing{UserId: "ann"}))
		t.isClose(closed, 406, "PRECONDITION_FAILED - user_id property set to 'ann' but authenticated user was 'bob'")
		require.NoError(t, conn.UpdateSecret("token", "in time"))
		lost := conn.NotifyClose(make(chan *amqp091.Error, 1))
		require.Error(t, conn.UpdateSecret("forged", "too late"))
		t.isClose(lost, 530, "NOT_ALLOWED - New secret was refused by one of the backends")
	})
}

func TestTheUsersPasswordIsNotAskedForAgain(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(0, &wire.ConnectionUpdateSecret{NewSecret: "anything", Reason: "it is time"})
		expect[*wire.ConnectionUpdateSecretOk](r)
	})
}
