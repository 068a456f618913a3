package warren_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestMaxChannels(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{MaxChannels: 2}, func(t *testing.T, b *warren.Broker) {
		s, err := b.Session()
		require.NoError(t, err)
		one, err := s.Channel()
		require.NoError(t, err)
		_, err = s.Channel()
		require.NoError(t, err)
		_, err = s.Channel()
		brokertest.Fails(t, err, 530, 20, 10, "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)")
		brokertest.Channel(t, b) // another session counts for itself
		require.NoError(t, one.Close())
		_, err = s.Channel()
		require.NoError(t, err, "a closed channel does not count")
	})
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		s, err := b.Session()
		require.NoError(t, err)
		for range 2047 {
			_, err = s.Channel()
			require.NoError(t, err)
		}
		_, err = s.Channel()
		brokertest.Fails(t, err, 530, 20, 10, "NOT_ALLOWED - number of channels opened (2047) has reached the negotiated channel_max (2047)")
	})
}

func TestExclusiveQueuesEndWithTheirSession(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		watcher := brokertest.Channel(t, b)
		s, err := b.Session()
		require.NoError(t, err)
		ch := brokertest.Channel(t, s)
		for _, q := range []string{"mine", "deleted"} {
			brokertest.Queue(t, ch, q, warren.QueueOptions{Exclusive: true, Durable: true})
		}
		_, err = ch.QueueDelete("deleted", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		brokertest.Queues(t, watcher, "deleted") // somebody else's now
		brokertest.Queues(t, ch, "shared")
		require.NoError(t, ch.Close())
		_, err = watcher.QueueDeclarePassive("mine")
		require.ErrorIs(t, err, warren.ErrResourceLocked, "a queue outlives the channel that declared it")
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		_, err = watcher.QueueDeclarePassive("mine")
		require.ErrorIs(t, err, warren.ErrNotFound)
		brokertest.State(t, watcher, "deleted")
		brokertest.State(t, watcher, "shared")
	})
}

func TestChannelOfTheBrokerEndsItsSession(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, watcher := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "mine", warren.QueueOptions{Exclusive: true})
		require.Equal(t, 2, b.Stats().Sessions)
		require.NoError(t, ch.Close())
		require.NoError(t, ch.Close())
		require.Equal(t, 1, b.Stats().Sessions)
		_, err := watcher.QueueDeclarePassive("mine")
		require.ErrorIs(t, err, warren.ErrNotFound)
		_, err = ch.Session().Channel()
		require.ErrorIs(t, err, warren.ErrClosed)
	})
}

func TestSessionCloseEndsItsChannels(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		watcher := brokertest.Channel(t, b)
		brokertest.Queues(t, watcher, "q", "empty") // a consumer of q could get what the other channel gives back
		s, err := b.Session()
		require.NoError(t, err)
		require.NotEmpty(t, s.ID())
		require.Equal(t, "/", s.VirtualHost().Name())
		one, err := s.Channel()
		require.NoError(t, err)
		two, err := s.Channel()
		require.NoError(t, err)
		brokertest.Put(t, one, "", "q", "1")
		brokertest.Take(t, one, "q")
		c := brokertest.Consume(t, two, "empty", warren.ConsumeOptions{})
		errs := make(chan error)
		go func() { _, err := c.Next(context.Background()); errs <- err }()
		synctest.Wait()
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-errs, warren.ErrClosed)
		require.Equal(t, warren.Queue{Name: "q", Messages: 1}, brokertest.State(t, watcher, "q"))
		require.ErrorIs(t, one.Confirm(), warren.ErrClosed)
		require.ErrorIs(t, two.Confirm(), warren.ErrClosed)
	})
}

func TestAClosedChannelDoesNothing(t *testing.T) {
	for name, do := range map[string]func(ch *warren.Channel) error{
		"exchange.declare": func(ch *warren.Channel) error {
			return ch.ExchangeDeclare("x", warren.Fanout, warren.ExchangeOptions{})
		},
		"exchange.declare passive": func(ch *warren.Channel) error { return ch.ExchangeDeclarePassive("amq.fanout") },
		"exchange.delete":          func(ch *warren.Channel) error { return ch.ExchangeDelete("x", warren.ExchangeDeleteOptions{}) },
		"exchange.bind":            func(ch *warren.Channel) error { return ch.ExchangeBind("amq.fanout", "", "amq.direct", nil) },
		"exchange.unbind":          func(ch *warren.Channel) error { return ch.ExchangeUnbind("amq.fanout", "", "amq.direct", nil) },
		"queue.declare":            func(ch *warren.Channel) error { _, err := ch.QueueDeclare("new", warren.QueueOptions{}); return err },
		"queue.declare passive":    func(ch *warren.Channel) error { _, err := ch.QueueDeclarePassive("q"); return err },
		"queue.bind":               func(ch *warren.Channel) error { return ch.QueueBind("q", "", "amq.fanout", nil) },
		"queue.unbind":             func(ch *warren.Channel) error { return ch.QueueUnbind("q", "", "amq.fanout", nil) },
		"queue.purge":              func(ch *warren.Channel) error { _, err := ch.QueuePurge("q"); return err },
		"queue.delete":             func(ch *warren.Channel) error { _, err := ch.QueueDelete("q", warren.QueueDeleteOptions{}); return err },
		"basic.qos":                func(ch *warren.Channel) error { return ch.Qos(1, warren.QosOptions{}) },
		"basic.qos global":         func(ch *warren.Channel) error { return ch.Qos(1, warren.QosOptions{Global: true}) },
		"basic.consume":            func(ch *warren.Channel) error { _, err := ch.Consume("q", warren.ConsumeOptions{}); return err },
		"basic.cancel":             func(ch *warren.Channel) error { return ch.Cancel("t") },
		"basic.publish": func(ch *warren.Channel) error {
			return brokertest.Send(ch, "", "q", warren.Message{}, warren.PublishOptions{})
		},
		"basic.get":      func(ch *warren.Channel) error { _, _, err := ch.Get("q", true); return err },
		"basic.ack":      func(ch *warren.Channel) error { return ch.Ack(1, false) },
		"basic.ack all":  func(ch *warren.Channel) error { return ch.Ack(0, true) },
		"basic.nack":     func(ch *warren.Channel) error { return ch.Nack(1, false, true) },
		"basic.reject":   func(ch *warren.Channel) error { return ch.Reject(1, true) },
		"basic.recover":  func(ch *warren.Channel) error { return ch.Recover(true) },
		"channel.flow":   func(ch *warren.Channel) error { return ch.Flow(false) },
		"confirm.select": func(ch *warren.Channel) error { return ch.Confirm() },
		"tx.select":      func(ch *warren.Channel) error { return ch.Tx() },
		"tx.commit":      func(ch *warren.Channel) error { return ch.TxCommit() },
		"tx.rollback":    func(ch *warren.Channel) error { return ch.TxRollback() },
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch, watcher := brokertest.Channel(t, b), brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				brokertest.Put(t, ch, "", "q", "m")
				require.NoError(t, ch.Close())
				err := do(ch)
				require.ErrorIs(t, err, warren.ErrClosed)
				require.ErrorIs(t, err, net.ErrClosed)
				require.Equal(t, warren.Queue{Name: "q", Messages: 1}, brokertest.State(t, watcher, "q"))
				require.Equal(t, 1, b.Stats().Queues)
			})
		})
	}
}
