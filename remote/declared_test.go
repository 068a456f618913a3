package remote_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/remote"
)

// What was declared is declared again on a new connection: also what the broker elsewhere
// has lost meanwhile, and the bindings of queues that ended with the connection.
func TestTopologyComesAgain(t *testing.T) {
	with(t, func(t *testing.T, real *warren.Broker, client, server *remote.Broker) {
		shops(t, server)
		q, err := client.QueueDeclare("", warren.QueueOptions{MaxLength: 7})
		require.NoError(t, err)
		require.NotEmpty(t, q.Name)
		require.NoError(t, client.ExchangeDeclare("all", warren.Topic, warren.ExchangeOptions{Durable: true}))
		require.NoError(t, client.ExchangeBind("all", "", "shops", nil))
		require.NoError(t, client.QueueBind(q.Name, "#", "all", nil))
		count := func() int { return len(real.VirtualHosts()[0].Bindings()) }
		before := count()

		closeSessions(real)
		ch, err := real.Channel()
		require.NoError(t, err)
		require.NoError(t, ch.ExchangeDelete("shops", warren.ExchangeDeleteOptions{}))
		require.NoError(t, ch.ExchangeDelete("all", warren.ExchangeDeleteOptions{}))
		_, err = ch.QueueDelete(q.Name, warren.QueueDeleteOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.Less(t, count(), before)

		time.Sleep(time.Minute)
		require.Equal(t, before, count())
		bodies, errs := ask(t.Context(), client, "shops", "", warren.CallManyOptions{Count: 3})
		require.Empty(t, errs)
		require.Len(t, bodies, 3)
		_, err = client.QueueDeclare(q.Name, warren.QueueOptions{MaxLength: 8})
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		q, err = client.QueueDeclare(q.Name, warren.QueueOptions{MaxLength: 7})
		require.NoError(t, err)
		require.Equal(t, 1, q.Messages)
	})
}

func TestExclusiveQueuesHaveNoSession(t *testing.T) {
	with(t, func(t *testing.T, real *warren.Broker, client, _ *remote.Broker) {
		for _, d := range []warren.Declarer{real, client} {
			_, err := d.QueueDeclare("mine", warren.QueueOptions{Exclusive: true})
			require.ErrorIs(t, err, warren.ErrPreconditionFailed)
		}
	})
}

// A queue that was deleted and declared otherwise is declared again as it was last.
func TestTheLastDeclarationComesAgain(t *testing.T) {
	with(t, func(t *testing.T, real *warren.Broker, client, _ *remote.Broker) {
		ch, err := real.Channel()
		require.NoError(t, err)
		remove := func() {
			_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			require.NoError(t, err)
		}
		for _, most := range []int64{7, 8} {
			_, err := client.QueueDeclare("q", warren.QueueOptions{MaxLength: most})
			require.NoError(t, err)
			remove()
		}
		closeSessions(real)
		time.Sleep(time.Minute)
		q, err := real.VirtualHosts()[0].Queue("q")
		require.NoError(t, err)
		require.EqualValues(t, 8, q.Arguments["x-max-length"])
	})
}
