package warren_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func newVirtualHost(t testing.TB, b *warren.Broker, name string) (*warren.VirtualHost, *warren.Channel) {
	t.Helper()
	v, err := b.VirtualHostDeclare(name)
	require.NoError(t, err)
	ch := brokertest.Channel(t, v)
	return v, ch
}

func TestVirtualHostsAreSeparateWorlds(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		root := brokertest.Channel(t, b)
		_, ch := newVirtualHost(t, b, "other")
		brokertest.Queues(t, root, "q")
		brokertest.Exchanges(t, root, warren.Fanout, "x")
		_, err := ch.QueueDeclarePassive("q")
		brokertest.Fails(t, err, 404, 50, 10, "NOT_FOUND - no queue 'q' in vhost 'other'")
		brokertest.Fails(t, ch.ExchangeDeclarePassive("x"), 404, 40, 10, "NOT_FOUND - no exchange 'x' in vhost 'other'")

		_, err = ch.QueueDeclare("q", warren.QueueOptions{Durable: true}) // same name, other properties
		require.NoError(t, err)
		require.NoError(t, ch.ExchangeDeclare("x", warren.Direct, warren.ExchangeOptions{}))
		brokertest.Put(t, root, "", "q", "of /")
		brokertest.Put(t, ch, "", "q", "of other")
		require.Equal(t, []string{"of /"}, brokertest.Drain(t, root, "q"))
		require.Equal(t, []string{"of other"}, brokertest.Drain(t, ch, "q"))

		require.NoError(t, ch.QueueBind("q", "", "amq.fanout", nil))
		brokertest.Put(t, root, "amq.fanout", "", "m")
		require.Empty(t, brokertest.Drain(t, ch, "q"), "predeclared exchanges are each world's own")
		_, err = ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		brokertest.State(t, root, "q")
	})
}

func TestVirtualHostDeclareAndFind(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		_, err := b.VirtualHost("v")
		brokertest.Fails(t, err, 530, 10, 40, "NOT_ALLOWED - vhost v not found")
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		require.Equal(t, "v", v.Name())
		same, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		require.Same(t, v, same)
		same, err = b.VirtualHost("v")
		require.NoError(t, err)
		require.Same(t, v, same)
		_, err = b.VirtualHostDeclare("")
		require.ErrorIs(t, err, warren.ErrNotAllowed)
		root, err := b.VirtualHost(warren.DefaultVirtualHost)
		require.NoError(t, err)
		require.Equal(t, "/", root.Name())
		require.Equal(t, 2, b.Stats().VirtualHosts)
	})
}

func TestVirtualHostDeleteTakesEverythingWithIt(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		root := brokertest.Channel(t, b)
		brokertest.Queues(t, root, "q")
		_, ch := newVirtualHost(t, b, "v")
		brokertest.Queues(t, ch, "q")
		brokertest.Put(t, ch, "", "q", "1")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		brokertest.Next(t, c)
		errs := make(chan error)
		go func() { _, err := c.Next(context.Background()); errs <- err }()
		synctest.Wait()
		require.NoError(t, b.VirtualHostDelete("v"))
		require.ErrorIs(t, <-errs, warren.ErrClosed)
		require.ErrorIs(t, ch.Confirm(), warren.ErrClosed)
		_, err := b.VirtualHost("v")
		brokertest.Fails(t, err, 530, 10, 40, "NOT_ALLOWED - vhost v not found")
		brokertest.Fails(t, b.VirtualHostDelete("v"), 530, 10, 40, "NOT_ALLOWED - vhost v not found")
		brokertest.State(t, root, "q")
		require.Equal(t, 1, b.Stats().Sessions)
		require.Zero(t, b.Stats().Bytes)

		_, ch = newVirtualHost(t, b, "v")
		_, err = ch.QueueDeclarePassive("q")
		require.ErrorIs(t, err, warren.ErrNotFound, "a new one of the name is empty")
	})
}

func TestTheDefaultVirtualHostStays(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		for _, name := range []string{"/", ""} { // the empty name means the same
			require.ErrorIs(t, b.VirtualHostDelete(name), warren.ErrAccessRefused)
			_, err := brokertest.Channel(t, b).QueueDeclare("q"+name, warren.QueueOptions{})
			require.NoError(t, err)
		}
	})
}
