package warren_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
)

// TestQueuesOfAStartObeyTheirPolicies has queues and an exchange that policies limit, and
// opens their broker again.
func TestQueuesOfAStartObeyTheirPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		ch := channelOf(t, b, "/")
		for _, name := range []string{"short", "timed", "dead", "else"} {
			brokertest.Queue(t, ch, name, warren.QueueOptions{Durable: true})
		}
		require.NoError(t, ch.ExchangeDeclare("x", warren.Topic, warren.ExchangeOptions{Durable: true}))
		require.NoError(t, ch.ExchangeDeclare("other", warren.Fanout, warren.ExchangeOptions{Durable: true}))
		require.NoError(t, ch.QueueBind("else", "", "other", nil))
		v := brokertest.VirtualHost(t, b, "/")
		for _, p := range []warren.Policy{
			{Name: "short", Pattern: "^short$", Definition: warren.Table{"max-length": 5, "overflow": "reject-publish"}},
			{Name: "timed", Pattern: "^timed$", Definition: warren.Table{"message-ttl": 3_600_000, "dead-letter-exchange": "", "dead-letter-routing-key": "dead"}},
			{Name: "x", Pattern: "^x$", ApplyTo: warren.ApplyToExchanges, Definition: warren.Table{"alternate-exchange": "other"}},
		} {
			require.NoError(t, v.PolicySet(p))
		}
		require.NoError(t, v.OperatorPolicySet(warren.Policy{Name: "less", Pattern: "^short$", Definition: warren.Table{"max-length": 3}}))
		require.NoError(t, persistently(t, ch, "timed", "old"))
		time.Sleep(30 * time.Minute)
		for _, crash := range []bool{false, true} {
			if crash {
				dir = dir.Clone()
				b = openFiles(t, dir, nil)
			} else {
				b = reopened(t, b, dir)
			}
			ch = channelOf(t, b, "/")
			for range 10 {
				if err := persistently(t, ch, "short", ""); err != nil {
					require.ErrorIs(t, err, warren.ErrNacked)
				}
			}
			require.Equal(t, 3, brokertest.Ready(t, ch, "short"))
			brokertest.Put(t, ch, "x", "no such key", "alternate")
			require.Equal(t, []string{"alternate"}, brokertest.Drain(t, ch, "else"))
			require.Equal(t, 1, brokertest.Ready(t, ch, "timed"))
		}
		brokertest.Later(31 * time.Minute)
		require.Equal(t, 0, brokertest.Ready(t, ch, "timed"))
		require.Equal(t, []string{"old"}, brokertest.Drain(t, ch, "dead"))
		require.NoError(t, b.Close())
	})
}
