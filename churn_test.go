package warren_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// TestWhatComesAndGoesIsCounted counts in each way in which something can come or go,
// while nobody reads events.
func TestWhatComesAndGoesIsCounted(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		queues := func(declared, deleted uint64) {
			t.Helper()
			s := b.Stats()
			require.Equal(t, []uint64{declared, deleted}, []uint64{s.QueuesDeclared, s.QueuesDeleted})
		}
		users := func(opened, closed, channelsOpened, channelsClosed uint64) {
			t.Helper()
			s := b.Stats()
			require.Equal(t, []uint64{opened, closed, channelsOpened, channelsClosed},
				[]uint64{s.SessionsOpened, s.SessionsClosed, s.ChannelsOpened, s.ChannelsClosed})
		}
		queues(0, 0)
		users(0, 0, 0, 0)
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		s, err := v.Session()
		require.NoError(t, err)
		ch := brokertest.Channel(t, s)
		users(1, 0, 1, 0)
		brokertest.Queues(t, ch, "a", "b")
		brokertest.Queue(t, ch, "a", warren.QueueOptions{})
		queues(2, 0)
		_, err = ch.QueueDelete("a", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		_, err = ch.QueueDelete("a", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		queues(2, 1)
		brokertest.Queue(t, ch, "own", warren.QueueOptions{Exclusive: true})
		require.NoError(t, ch.Close())
		require.NoError(t, ch.Close())
		users(1, 0, 1, 1)
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		users(1, 1, 1, 1)
		queues(3, 2)
		require.NoError(t, brokertest.Handle(t, b, "rpc", brokertest.Echo).Close())
		queues(4, 3)

		// A virtual host goes with its queues and sessions.
		s, err = v.Session()
		require.NoError(t, err)
		brokertest.Queue(t, brokertest.Channel(t, s), "own", warren.QueueOptions{Exclusive: true})
		queues(5, 3)
		require.NoError(t, b.VirtualHostDelete("v"))
		queues(5, 5)
		users(2, 2, 2, 2)

		// The queues of a broker that closes are not deleted, but its sessions are over.
		brokertest.Queues(t, brokertest.Channel(t, b), "left")
		require.NoError(t, b.Close())
		queues(6, 5)
		users(3, 3, 3, 3)
	})
}
