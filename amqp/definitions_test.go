package amqp_test

import (
	"os"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/brokertest"
)

// importFile imports a file of the broker's tests, which names things that are
// not supported.
func (t *env) importFile(name string) {
	t.Helper()
	f, err := os.Open("../testdata/definitions/" + name)
	require.NoError(t, err)
	defer f.Close()
	require.Error(t, t.broker.DefinitionsImport(f))
}

func TestUsersOfRabbitMQsDefinitionsLogIn(t *testing.T) {
	withServer(t, func(t *env) {
		t.importFile("rabbitmq-3.10.8.json")
		for _, user := range []string{"dora", "mick"} {
			_, err := t.login("amqp://" + user + ":" + user + "-secret@localhost/shop")
			require.NoError(t, err)
			t.isRefused("amqp://"+user+":"+user+"-secret@localhost/", "NOT_ALLOWED - access to vhost '/' refused for user '"+user+"'")
		}
		conn, err := t.login("amqp://clara:clara-secret@localhost/shop")
		require.NoError(t, err)
		ch := brokertest.ClientChannel(t, conn)
		closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
		t.put(ch, "orders", "order.new", "hers")
		t.put(ch, "orders", "invoice", "not hers")
		t.isClose(closed, 403, "ACCESS_REFUSED - access to topic 'invoice' in exchange 'orders' in vhost 'shop' refused for user 'clara'")
		_, err = t.login("amqp://dora:wrong@localhost/shop")
		require.ErrorIs(t, err, amqp091.ErrCredentials)
	})
}

func TestTheTopologyOfRabbitMQsDefinitionsIsThere(t *testing.T) {
	withServer(t, func(t *env) {
		t.importFile("rabbitmq-3.10.8.json")
		conn, err := t.login("amqp://dora:dora-secret@localhost/shop")
		require.NoError(t, err)
		ch := brokertest.ClientChannel(t, conn)
		for _, name := range []string{"orders", "orders.dead", "urgent", "raft", "scratch", "exotic"} {
			_, err := ch.QueueDeclarePassive(name, false, false, false, false, nil)
			require.NoError(t, err, name)
		}
		for _, name := range []string{"orders", "dlx", "unrouted", "by-header", "brief"} {
			require.NoError(t, ch.ExchangeDeclarePassive(name, "", false, false, false, false, nil), name)
		}
		t.put(ch, "orders", "order.new", "routed")
		t.put(ch, "orders", "invoice", "astray")
		t.put(ch, "amq.topic", "raft", "raft")
		for queue, body := range map[string]string{"orders": "routed", "orders.dead": "astray", "raft": "raft"} {
			require.Equal(t, []string{body}, t.bodies(t.consume(ch, queue, "", true), 1), queue)
		}
		_, err = ch.QueueDeclare("new", false, false, false, false, nil)
		require.ErrorContains(t, err, "ACCESS_REFUSED - configure access to queue 'new' in vhost 'shop' refused for user 'dora'")

		guest, err := t.login("amqp://guest:guest@localhost/shop")
		require.NoError(t, err)
		_, err = brokertest.ClientChannel(t, guest).QueueDeclare("orders", true, false, false, false, amqp091.Table{
			"x-message-ttl": 60000, "x-max-length": int64(5e9), "x-dead-letter-exchange": "dlx",
			"x-dead-letter-routing-key": "orders.dead", "x-overflow": "reject-publish",
		})
		require.NoError(t, err, "its arguments have the types that clients send")
	})
}

func TestUsersOfLavinMQsDefinitionsLogIn(t *testing.T) {
	withServer(t, func(t *env) {
		t.importFile("lavinmq.json")
		conn, err := t.login("amqp://olga:olga-secret@localhost/plant")
		require.NoError(t, err)
		_, err = brokertest.ClientChannel(t, conn).QueueDeclarePassive("sensors", false, false, false, false, nil)
		require.NoError(t, err)
		_, err = t.login("amqp://bert:bert-secret@localhost/plant")
		require.ErrorIs(t, err, amqp091.ErrCredentials)
	})
}
