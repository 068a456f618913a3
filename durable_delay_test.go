package warren_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/topology"
)

// runDurableDelay runs f in a bubble with an opened broker that has a durable delayed
// exchange "later", which routes by keys to the durable queues "q" and "r", and a channel
// in confirm mode.
func runDurableDelay(t *testing.T, f func(t *testing.T, dir *filestest.Dir, b *warren.Broker, ch *warren.Channel)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		ch := channelOf(t, b, "/")
		laterExchange(t, ch)
		for _, name := range []string{"q", "r"} {
			_, err := ch.QueueDeclare(name, warren.QueueOptions{Durable: true})
			require.NoError(t, err)
			require.NoError(t, ch.QueueBind(name, name, "later", nil))
		}
		require.NoError(t, ch.Confirm())
		f(t, dir, b, ch)
	})
}

func laterExchange(t testing.TB, ch *warren.Channel) {
	t.Helper()
	require.NoError(t, ch.ExchangeDeclare("later", warren.DelayedMessage, warren.ExchangeOptions{Durable: true, DelayedType: warren.Direct}))
}

// putLater publishes a persistent message that is to be delayed.
func putLater(t testing.TB, ch *warren.Channel, key, body string, d time.Duration) {
	t.Helper()
	msg := delayed(body, d)
	msg.DeliveryMode = warren.Persistent
	require.NoError(t, ch.Publish(t.Context(), "later", key, msg, warren.PublishOptions{}))
}

func TestDelayedMessagesSurviveARestart(t *testing.T) {
	runDurableDelay(t, func(t *testing.T, dir *filestest.Dir, b *warren.Broker, ch *warren.Channel) {
		putLater(t, ch, "q", "hour", time.Hour)
		putLater(t, ch, "q", "half", time.Hour/2)
		putLater(t, ch, "q", "hour too", time.Hour)
		require.NoError(t, ch.Publish(t.Context(), "later", "q", delayed("transient", time.Hour), warren.PublishOptions{}))
		require.Equal(t, 4, b.Stats().Delayed)
		brokertest.Later(10 * time.Minute)
		b = reopened(t, b, dir)
		ch = channelOf(t, b, "/")
		synctest.Wait()
		require.Equal(t, 3, b.Stats().Delayed)
		putLater(t, ch, "q", "third", 50*time.Minute)
		brokertest.Later(20*time.Minute - time.Millisecond)
		require.Empty(t, brokertest.Drain(t, ch, "q"))
		brokertest.Later(2 * time.Millisecond)
		require.Equal(t, []string{"half"}, brokertest.Drain(t, ch, "q"))
		b = reopened(t, b, dir)
		ch = channelOf(t, b, "/")
		brokertest.Later(time.Hour)
		require.Equal(t, []string{"hour", "hour too", "third"}, brokertest.Drain(t, ch, "q"), "the same time, the same order")
		b = reopened(t, b, dir)
		brokertest.Later(time.Hour)
		require.Empty(t, brokertest.Drain(t, channelOf(t, b, "/"), "q"), "each came once")
		require.Zero(t, b.Stats().Delayed)
		require.NoError(t, b.Close())
	})
}

// TestWhatCameDueWithoutABrokerIsRoutedInOrder has more messages than are loaded at a time.
func TestWhatCameDueWithoutABrokerIsRoutedInOrder(t *testing.T) {
	runDurableDelay(t, func(t *testing.T, dir *filestest.Dir, b *warren.Broker, ch *warren.Channel) {
		const n = 1000
		want := make([]string, n)
		for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
			want[i] = fmt.Sprint(i)
			putLater(t, ch, "q", want[i], time.Hour+time.Duration(i)*time.Second)
		}
		putLater(t, ch, "q", "late", 24*time.Hour)
		require.NoError(t, b.Close())
		time.Sleep(2 * time.Hour)
		b = openFiles(t, dir, nil)
		brokertest.Later(time.Second)
		ch = channelOf(t, b, "/")
		require.Equal(t, want, brokertest.Drain(t, ch, "q"))
		require.Equal(t, 1, b.Stats().Delayed)
		require.NoError(t, b.Close())
	})
}

func TestAConfirmOfADelayedMessageWaitsForTheSync(t *testing.T) {
	runDurableDelay(t, func(t *testing.T, dir *filestest.Dir, b *warren.Broker, ch *warren.Channel) {
		brokertest.Later(time.Minute)
		held := make(chan struct{})
		dir.Before(func(op filestest.Op) error {
			if op.Kind == filestest.Sync {
				<-held
			}
			return nil
		})
		confirmed := make(chan struct{})
		go func() {
			putLater(t, ch, "q", "kept", time.Hour)
			close(confirmed)
		}()
		brokertest.Later(time.Minute)
		select {
		case <-confirmed:
			require.Fail(t, "confirmed before it was synced")
		default:
		}
		require.Equal(t, 1, b.Stats().Delayed)
		close(held)
		<-confirmed
		dir.Before(nil)
		afterPowerCuts(t, dir, func(b *warren.Broker) {
			brokertest.Later(2 * time.Hour)
			require.Equal(t, []string{"kept"}, brokertest.Drain(t, channelOf(t, b, "/"), "q"))
		})
		require.NoError(t, b.Close())
	})
}

// TestAConfirmWaitsForTheDeclarationOfADelayedExchange publishes to an exchange whose
// declaration is not on disk yet: without it the message would be lost.
func TestAConfirmWaitsForTheDeclarationOfADelayedExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		ch, other := channelOf(t, b, "/"), channelOf(t, b, "/")
		require.NoError(t, other.Confirm())
		brokertest.Later(time.Minute)
		held := make(chan struct{})
		dir.Before(func(op filestest.Op) error {
			if strings.HasPrefix(op.Name, topology.Prefix) {
				<-held
			}
			return nil
		})
		declared, confirmed := make(chan struct{}), make(chan struct{})
		go func() {
			laterExchange(t, ch)
			close(declared)
		}()
		synctest.Wait()
		go func() {
			putLater(t, other, "q", "x", time.Hour)
			close(confirmed)
		}()
		brokertest.Later(time.Minute)
		select {
		case <-confirmed:
			require.Fail(t, "confirmed before its exchange was synced")
		default:
		}
		close(held)
		<-declared
		<-confirmed
		require.NoError(t, b.Close())
	})
}

// TestAPowerCutWhileMessagesAreReleasedLosesNone cuts the power before each operation of
// the disk while messages go from a delayed exchange to their queue.
func TestAPowerCutWhileMessagesAreReleasedLosesNone(t *testing.T) {
	runDurableDelay(t, func(t *testing.T, dir *filestest.Dir, b *warren.Broker, ch *warren.Channel) {
		const n = 12
		for i := range n {
			putLater(t, ch, "q", fmt.Sprint(i), time.Hour+time.Duration(i)*300*time.Millisecond)
		}
		require.NoError(t, b.Close())
		for at, cut := 1, true; cut; at++ {
			disk := dir.Clone()
			b := openFiles(t, disk, nil)
			last := disk.Ops() + at
			disk.CutAt(last)
			brokertest.Later(time.Hour + time.Minute)
			cut = disk.Ops() >= last
			after := openFiles(t, disk.Image(rand.New(rand.NewPCG(uint64(at), 0))), nil)
			b.Close()
			brokertest.Later(2 * time.Hour)
			seen := make(map[string]bool)
			for _, body := range brokertest.Drain(t, channelOf(t, after, "/"), "q") {
				seen[body] = true
			}
			require.Len(t, seen, n, "the power was cut at operation %d", at)
			require.NoError(t, after.Close())
		}
	})
}

func TestDeletionOfADelayedExchangeIsForGood(t *testing.T) {
	runDurableDelay(t, func(t *testing.T, dir *filestest.Dir, b *warren.Broker, ch *warren.Channel) {
		putLater(t, ch, "q", "lost", time.Hour)
		b = reopened(t, b, dir)
		ch = channelOf(t, b, "/")
		require.NoError(t, ch.ExchangeDelete("later", warren.ExchangeDeleteOptions{}))
		laterExchange(t, ch)
		require.NoError(t, ch.QueueBind("q", "q", "later", nil))
		require.NoError(t, ch.Confirm())
		putLater(t, ch, "q", "new", time.Hour)
		require.Equal(t, 1, b.Stats().Delayed)
		afterPowerCuts(t, dir, func(b *warren.Broker) {
			brokertest.Later(2 * time.Hour)
			require.Equal(t, []string{"new"}, brokertest.Drain(t, channelOf(t, b, "/"), "q"))
		})
		b = reopened(t, b, dir)
		brokertest.Later(2 * time.Hour)
		require.Empty(t, brokertest.Drain(t, channelOf(t, b, "/"), "r"))
		require.NoError(t, b.Close())
	})
}

func TestDelayedMessagesKeepTheirKeysAndProperties(t *testing.T) {
	runDurableDelay(t, func(t *testing.T, dir *filestest.Dir, b *warren.Broker, ch *warren.Channel) {
		msg := warren.Message{
			Body: []byte("x"), DeliveryMode: warren.Persistent, Type: "t", Expiration: "60000",
			Headers: warren.Table{warren.DelayHeader: int64(3_600_000), "CC": []any{"q"}, "BCC": []any{"r"}},
		}
		require.NoError(t, ch.Publish(t.Context(), "later", "none", msg, warren.PublishOptions{}))
		b = reopened(t, b, dir)
		ch = channelOf(t, b, "/")
		brokertest.Later(time.Hour + time.Millisecond)
		for _, name := range []string{"q", "r"} {
			d := brokertest.Take(t, ch, name)
			require.Equal(t, warren.Table{warren.DelayHeader: int64(-3_600_000), "CC": []any{"q"}}, d.Headers)
			require.Equal(t, []string{"x", "t", "60000", "later", "none"}, []string{string(d.Body), d.Type, d.Expiration, d.Exchange, d.RoutingKey})
			require.False(t, d.Redelivered)
			require.NoError(t, d.Nack(false, true))
		}
		brokertest.Later(time.Minute)
		require.Empty(t, brokertest.Drain(t, ch, "q"), "its expiration begins when the delay is over")
		require.NoError(t, b.Close())
	})
}

// TestACloseWhileMessagesAreReleased closes brokers in the moment in which very many
// messages are due: each message is in the queue or kept back.
func TestACloseWhileMessagesAreReleased(t *testing.T) {
	runDurableDelay(t, func(t *testing.T, dir *filestest.Dir, b *warren.Broker, _ *warren.Channel) {
		const n = 3000
		want := make([]string, n)
		ch := channelOf(t, b, "/") // without confirms: no time passes
		for i := range n {
			want[i] = fmt.Sprint(i)
			putLater(t, ch, "q", want[i], time.Hour)
		}
		time.Sleep(time.Hour)
		for range 5 {
			b = reopened(t, b, dir)
		}
		brokertest.Later(time.Second)
		require.Equal(t, want, brokertest.Drain(t, channelOf(t, b, "/"), "q"))
		b = reopened(t, b, dir)
		require.Empty(t, brokertest.Drain(t, channelOf(t, b, "/"), "q"))
		require.NoError(t, b.Close())
	})
}
