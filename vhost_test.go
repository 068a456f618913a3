package warren_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

func amVhost(t testing.TB, b *warren.Broker, name string) (*warren.VirtualHost, *warren.Channel) {
	t.Helper()
	v, err := b.VirtualHostDeclare(name)
	require.NoError(t, err)
	ch, err := v.Channel()
	require.NoError(t, err)
	return v, ch
}

func TestVirtualHostsAreSeparateWorlds(t *testing.T) {
	amTest(t, func(t *testing.T, b *warren.Broker) {
		root := amOpen(t, b)
		_, ch := amVhost(t, b, "other")
		amQueues(t, root, "q")
		amExchanges(t, root, warren.Fanout, "x")
		_, err := ch.QueueDeclarePassive("q")
		amFails(t, err, 404, 50, 10, "NOT_FOUND - no queue 'q' in vhost 'other'")
		amFails(t, ch.ExchangeDeclarePassive("x"), 404, 40, 10, "NOT_FOUND - no exchange 'x' in vhost 'other'")

		_, err = ch.QueueDeclare("q", warren.QueueOptions{Durable: true}) // same name, other properties
		require.NoError(t, err)
		require.NoError(t, ch.ExchangeDeclare("x", warren.Direct, warren.ExchangeOptions{}))
		amPut(t, root, "", "q", "of /")
		amPut(t, ch, "", "q", "of other")
		require.Equal(t, []string{"of /"}, amDrain(t, root, "q"))
		require.Equal(t, []string{"of other"}, amDrain(t, ch, "q"))

		require.NoError(t, ch.QueueBind("q", "", "amq.fanout", nil))
		amPut(t, root, "amq.fanout", "", "m")
		require.Empty(t, amDrain(t, ch, "q"), "predeclared exchanges are each world's own")
		_, err = ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		amState(t, root, "q")
	})
}

func TestVirtualHostDeclareAndFind(t *testing.T) {
	amTest(t, func(t *testing.T, b *warren.Broker) {
		_, err := b.VirtualHost("v")
		amFails(t, err, 530, 10, 40, "NOT_ALLOWED - vhost v not found")
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
	amTest(t, func(t *testing.T, b *warren.Broker) {
		root := amOpen(t, b)
		amQueues(t, root, "q")
		_, ch := amVhost(t, b, "v")
		amQueues(t, ch, "q")
		amPut(t, ch, "", "q", "1")
		c := amConsume(t, ch, "q", warren.ConsumeOptions{})
		amNext(t, c)
		errs := make(chan error)
		go func() { _, err := c.Next(context.Background()); errs <- err }()
		synctest.Wait()
		require.NoError(t, b.VirtualHostDelete("v"))
		require.ErrorIs(t, <-errs, warren.ErrClosed)
		require.ErrorIs(t, ch.Confirm(), warren.ErrClosed)
		_, err := b.VirtualHost("v")
		amFails(t, err, 530, 10, 40, "NOT_ALLOWED - vhost v not found")
		amFails(t, b.VirtualHostDelete("v"), 530, 10, 40, "NOT_ALLOWED - vhost v not found")
		amState(t, root, "q")
		require.Equal(t, 1, b.Stats().Sessions)
		require.Zero(t, b.Stats().Bytes)

		_, ch = amVhost(t, b, "v")
		_, err = ch.QueueDeclarePassive("q")
		require.ErrorIs(t, err, warren.ErrNotFound, "a new one of the name is empty")
	})
}

func TestTheDefaultVirtualHostStays(t *testing.T) {
	amTest(t, func(t *testing.T, b *warren.Broker) {
		require.ErrorIs(t, b.VirtualHostDelete("/"), warren.ErrAccessRefused)
		amOpen(t, b)
	})
}
