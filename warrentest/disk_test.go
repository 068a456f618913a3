package warrentest_test

import (
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/warrentest"
)

// withDisk runs f in a bubble with a broker that has a directory, and a client's channel in
// confirm mode. There is a durable queue "q".
func withDisk(t *testing.T, f func(t *testing.T, b *warrentest.Broker, conn *amqp091.Connection, ch *amqp091.Channel)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := warrentest.New(t, warrentest.Options{Dir: dir})
		conn := brokertest.Dial(t, b.Dial, amqp091.Config{})
		ch := brokertest.ClientChannel(t, conn)
		_, err := ch.QueueDeclare("q", true, false, false, false, nil)
		require.NoError(t, err)
		require.NoError(t, ch.Confirm(false))
		f(t, b, conn, ch)
	})
}

// publishTo publishes a persistent message to the queue "q".
func publishTo(t *testing.T, ch *amqp091.Channel, body string) *amqp091.DeferredConfirmation {
	t.Helper()
	c, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: []byte(body)})
	require.NoError(t, err)
	return c
}

func TestADiskThatFailsNacksAndBlocks(t *testing.T) {
	for name, c := range map[string]struct {
		fail   func(b *warrentest.Broker, err error) (undo func())
		err    error
		reason string
	}{
		"sync":       {(*warrentest.Broker).FailSync, nil, "storage has failed"},
		"write":      {(*warrentest.Broker).FailWrites, errors.New("broken"), "storage has failed"},
		"full":       {(*warrentest.Broker).FailWrites, syscall.ENOSPC, "low on disk"},
		"full, sync": {(*warrentest.Broker).FailSync, syscall.EDQUOT, "low on disk"},
	} {
		t.Run(name, func(t *testing.T) {
			withDisk(t, func(t *testing.T, b *warrentest.Broker, conn *amqp091.Connection, ch *amqp091.Channel) {
				blocked := conn.NotifyBlocked(make(chan amqp091.Blocking, 10))
				require.True(t, publishTo(t, ch, "good").Wait())
				undo := c.fail(b, c.err)
				require.False(t, publishTo(t, ch, "bad").Wait())
				b.WaitFor("the alarm of the disk", func() bool { return b.Capacity().DiskAlarm })
				late := publishTo(t, ch, "late")
				require.Equal(t, amqp091.Blocking{Active: true, Reason: c.reason}, <-blocked)
				if c.err == nil {
					c.err = syscall.EIO
				}
				require.ErrorIs(t, b.Stats().DiskError, c.err)
				undo()
				require.Equal(t, amqp091.Blocking{}, <-blocked)
				require.True(t, late.Wait())
				undo() // it does nothing any more
				require.True(t, publishTo(t, ch, "again").Wait())
			})
		})
	}
}

func TestASlowDiskConfirmsLate(t *testing.T) {
	withDisk(t, func(t *testing.T, b *warrentest.Broker, _ *amqp091.Connection, ch *amqp091.Channel) {
		undo := b.SlowSync(3 * time.Second)
		start := time.Now()
		require.True(t, publishTo(t, ch, "late").Wait())
		require.GreaterOrEqual(t, time.Since(start), 3*time.Second)
		undo()
		time.Sleep(time.Minute) // what has begun is slow
		start = time.Now()
		require.True(t, publishTo(t, ch, "soon").Wait())
		require.Less(t, time.Since(start), time.Second)
	})
}

func TestADiskThatHangsDoesNotConfirm(t *testing.T) {
	withDisk(t, func(t *testing.T, b *warrentest.Broker, _ *amqp091.Connection, ch *amqp091.Channel) {
		undo := b.SlowSync(1000 * time.Hour)
		c := publishTo(t, ch, "never")
		time.Sleep(time.Hour)
		require.False(t, c.Acked())
		require.NoError(t, ch.Publish("", "q", false, false, amqp091.Publishing{Body: []byte("transient")}))
		b.WaitReady("q", 2)
		undo()
		require.True(t, c.Wait())
	})
}

func TestABrokerEndsAlthoughItsDiskFails(t *testing.T) {
	for _, fail := range []func(b *warrentest.Broker){
		func(b *warrentest.Broker) { b.FailSync(nil) },
		func(b *warrentest.Broker) { b.FailWrites(nil) },
		func(b *warrentest.Broker) { b.SlowSync(1000 * time.Hour) },
	} {
		withDisk(t, func(t *testing.T, b *warrentest.Broker, _ *amqp091.Connection, ch *amqp091.Channel) {
			fail(b)
			publishTo(t, ch, "m")
			synctest.Wait()
		})
	}
}

func TestTheOptionsOfABrokerWithADirectoryStayAsTheyAre(t *testing.T) {
	o := &warren.Options{Mailbox: 7}
	b := warrentest.New(t, warrentest.Options{Dir: t.TempDir(), Broker: o})
	require.Equal(t, &warren.Options{Mailbox: 7}, o)
	b.FailSync(nil)()
}

func TestFaultsOfADiskNeedADisk(t *testing.T) {
	for name, f := range map[string]func(b *warrentest.Broker){
		"FailSync":   func(b *warrentest.Broker) { b.FailSync(nil) },
		"FailWrites": func(b *warrentest.Broker) { b.FailWrites(nil) },
		"SlowSync":   func(b *warrentest.Broker) { b.SlowSync(time.Second) },
	} {
		fails(t, "warrentest: "+name+" needs a broker with a disk: set Options.Dir, for example to t.TempDir()",
			func(_ testing.TB, b *warrentest.Broker) { f(b) })
	}
}
