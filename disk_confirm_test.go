package warren_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// onDisk runs f in a bubble with a broker whose disk does what the test says. The
// durable queues q and r are bound to amq.fanout, as is the transient queue t.
func onDisk(t *testing.T, f func(t *testing.T, b *warren.Broker, d *warren.FakeDisk)) {
	t.Helper()
	onDiskWith(t, nil, f)
}

// onDiskWith is onDisk with options for the broker.
func onDiskWith(t *testing.T, o *warren.Options, f func(t *testing.T, b *warren.Broker, d *warren.FakeDisk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, d := warren.NewOnDisk(o)
		defer b.Close()
		ch := brokertest.Channel(t, b)
		for _, name := range []string{"q", "r", "t"} {
			brokertest.Queue(t, ch, name, warren.QueueOptions{Durable: name != "t"})
			require.NoError(t, ch.QueueBind(name, "", "amq.fanout", nil))
		}
		f(t, b, d)
	})
}

func confirmChannel(t testing.TB, b *warren.Broker) *warren.Channel {
	t.Helper()
	ch := brokertest.Channel(t, b)
	require.NoError(t, ch.Confirm())
	return ch
}

func persistent(body string) warren.Message {
	return warren.Message{Body: []byte(body), DeliveryMode: warren.Persistent}
}

// send publishes and requires that there is no error yet.
func send(t testing.TB, ch *warren.Channel, exchange, key string, msg warren.Message) *warren.Confirmation {
	t.Helper()
	c, err := ch.PublishConfirm(t.Context(), exchange, key, msg, warren.PublishOptions{})
	require.NoError(t, err)
	return c
}

func isUnanswered(t testing.TB, c *warren.Confirmation) {
	t.Helper()
	require.False(t, c.Acked())
	select {
	case <-c.Done():
		require.Fail(t, "an answer", "%v", c.Wait(t.Context()))
	default:
	}
}

// begin starts an operation and requires that it waits.
func begin(t testing.TB, f func() error) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	synctest.Wait()
	require.Empty(t, done, "it waits")
	return done
}

func TestAPersistentMessageIsConfirmedWhenItIsSynced(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := confirmChannel(t, b)
		c := send(t, ch, "", "q", persistent("1"))
		isUnanswered(t, c)
		require.Equal(t, "1", string(brokertest.Take(t, ch, "q").Body), "a consumer need not wait")
		isUnanswered(t, c)
		d.Sync(0)
		isAnswered(t, c, 1, true)

		c = send(t, ch, "amq.fanout", "", persistent("2"))
		require.Equal(t, []string{"q 1", "q 2", "r 2"}, d.Kept())
		d.Sync(1)
		isUnanswered(t, c)
		d.Sync(0)
		isAnswered(t, c, 2, true)

		isAnswered(t, send(t, ch, "", "q", warren.Message{Body: []byte("transient message")}), 3, true)
		isAnswered(t, send(t, ch, "", "t", persistent("transient queue")), 4, true)
		isAnswered(t, send(t, ch, "", "nobody", persistent("")), 5, true)
		require.Empty(t, d.Kept())
	})
}

func TestPublishInConfirmModeWaitsForTheSync(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := confirmChannel(t, b)
		publish := func() error {
			return ch.Publish(t.Context(), "", "q", persistent("m"), warren.PublishOptions{})
		}
		one, other := begin(t, publish), begin(t, publish)
		d.Sync(0)
		require.NoError(t, <-one)
		require.NoError(t, <-other)

		failed := begin(t, publish)
		d.Fail(errors.New("no such device"))
		err := <-failed
		require.ErrorIs(t, err, warren.ErrNacked)
		require.ErrorIs(t, err, warren.ErrStorage)
		require.ErrorContains(t, err, "no such device")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = ch.Publish(ctx, "", "q", persistent("m"), warren.PublishOptions{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, warren.ErrNacked)
		d.Sync(0)
		require.Equal(t, 4, brokertest.Ready(t, ch, "q"), "each is in the queue")

		plain := brokertest.Channel(t, b)
		require.NoError(t, plain.Publish(t.Context(), "", "q", persistent("m"), warren.PublishOptions{}), "without confirms nobody waits")
	})
}

func TestOneSyncServesAllChannels(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		const channels, each = 20, 50
		var list []*warren.Confirmation
		for range channels {
			ch := confirmChannel(t, b)
			for range each {
				list = append(list, send(t, ch, "", "q", persistent("m")))
			}
		}
		now, ever := d.Waiters()
		require.Equal(t, channels, now, "one of a channel")
		require.Equal(t, channels, ever)
		d.Sync(0)
		for i, c := range list {
			isAnswered(t, c, uint64(i%each+1), true)
		}
		now, ever = d.Waiters()
		require.Zero(t, now)
		require.Equal(t, channels, ever)
	})
}

func TestConfirmsComeInTheOrderOfTheRecords(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := confirmChannel(t, b)
		var list []*warren.Confirmation
		for range 10 {
			list = append(list, send(t, ch, "", "q", persistent("m")))
		}
		for left := 9; left >= 0; left-- {
			d.Sync(uint64(left))
			for i, c := range list {
				require.Equal(t, i < 10-left, c.Acked(), "%d of 10, and %d are left", i, left)
			}
		}
	})
}

func TestAFailureNacksThoseWhoWait(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := confirmChannel(t, b)
		first, second := send(t, ch, "", "q", persistent("1")), send(t, ch, "", "q", persistent("2"))
		d.Sync(1)
		d.Fail(errors.New("no such device"))
		later := send(t, ch, "", "q", persistent("3"))
		isAnswered(t, first, 1, true)
		isAnswered(t, second, 2, false)
		require.ErrorIs(t, second.Wait(t.Context()), warren.ErrStorage)
		isUnanswered(t, later)
		d.Sync(0)
		isAnswered(t, later, 3, true)
		isAnswered(t, second, 2, false)
	})
}

func TestAnAnswerIsAwaitedByMany(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		c := send(t, confirmChannel(t, b), "", "q", persistent("m"))
		wait := func() error { return c.Wait(t.Context()) }
		one, other := begin(t, wait), begin(t, wait)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, c.Wait(ctx), context.Canceled)
		d.Sync(0)
		require.NoError(t, <-one)
		require.NoError(t, <-other)
		require.NoError(t, c.Wait(ctx))
	})
}

func TestCloseOfAChannelWhileConfirmsWait(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := confirmChannel(t, b)
		var list []*warren.Confirmation
		for range 1000 {
			list = append(list, send(t, ch, "", "q", persistent("m")))
		}
		publish := begin(t, func() error {
			return ch.Publish(context.Background(), "", "q", persistent("m"), warren.PublishOptions{})
		})
		require.NoError(t, ch.Close())
		for _, c := range list {
			require.False(t, c.Acked())
			require.ErrorIs(t, c.Wait(t.Context()), warren.ErrClosed)
		}
		require.ErrorIs(t, <-publish, warren.ErrClosed)
		d.Sync(0)
		require.False(t, list[0].Acked(), "the answer does not change")
	})
}

func TestCloseOfTheBrokerStoresWhatConfirmsWaitFor(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := confirmChannel(t, b)
		var list []*warren.Confirmation
		for range 1000 {
			list = append(list, send(t, ch, "", "q", persistent("m")))
		}
		publish := begin(t, func() error {
			return ch.Publish(context.Background(), "", "q", persistent("m"), warren.PublishOptions{})
		})
		require.NoError(t, b.Close())
		for i, c := range list {
			isAnswered(t, c, uint64(i+1), true)
		}
		require.NoError(t, <-publish)
	})
}

func TestCloseOfTheBrokerWhileTheDiskIsStuck(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := confirmChannel(t, b)
		var list []*warren.Confirmation
		for range 1000 {
			list = append(list, send(t, ch, "", "q", persistent("m")))
		}
		d.Stuck = true
		start := time.Now()
		require.ErrorIs(t, b.Close(), context.DeadlineExceeded)
		require.Equal(t, 10*time.Second, time.Since(start))
		for _, c := range list {
			require.False(t, c.Acked())
			require.ErrorIs(t, c.Wait(t.Context()), warren.ErrClosed)
		}
	})
}

func TestTxCommitWaitsForWhatIsDurableOfIt(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := brokertest.TxChannel(t, b)
		put := func(queue string, msg warren.Message) {
			require.NoError(t, brokertest.Send(ch, "", queue, msg, warren.PublishOptions{}))
		}
		put("t", persistent("transient queue"))
		put("q", warren.Message{Body: []byte("transient message")})
		require.NoError(t, ch.TxCommit())

		put("q", persistent("1"))
		put("q", warren.Message{Body: []byte("2")})
		put("r", persistent("3"))
		require.Empty(t, d.Kept(), "not before the commit")
		commit := begin(t, ch.TxCommit)
		d.Sync(1)
		synctest.Wait()
		require.Empty(t, commit, "all of them")
		d.Sync(0)
		require.NoError(t, <-commit)

		take := func() {
			d := brokertest.Take(t, ch, "q")
			require.NoError(t, d.Ack(false))
		}
		take()
		require.NoError(t, ch.TxCommit(), "the message is transient")
		take()
		commit = begin(t, ch.TxCommit)
		d.Sync(0)
		require.NoError(t, <-commit)

		put("nobody", persistent("returned"))
		require.NoError(t, ch.Publish(t.Context(), "", "nobody", persistent(""), warren.PublishOptions{Mandatory: true}))
		put("q", persistent("4"))
		commit = begin(t, ch.TxCommit)
		d.Fail(errors.New("no such device"))
		err := <-commit
		require.ErrorIs(t, err, warren.ErrNacked)
		require.ErrorIs(t, err, warren.ErrStorage)
		require.ErrorIs(t, err, warren.ErrNoRoute, "the rest is told, too")

		put("q", persistent("5"))
		commit = begin(t, ch.TxCommit)
		require.NoError(t, ch.Close())
		require.ErrorIs(t, <-commit, warren.ErrClosed)
	})
}

func TestAStreamOnDiskConfirmsWhenItIsSynced(t *testing.T) {
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		ch := confirmChannel(t, b)
		brokertest.Stream(t, ch, "s", warren.QueueOptions{})
		c := send(t, ch, "", "s", warren.Message{Body: []byte("also a transient one")})
		isUnanswered(t, c)
		d.Sync(0)
		isAnswered(t, c, 1, true)
	})
}
