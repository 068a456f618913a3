package warren_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/topology"
	"github.com/warrenmq/warren/internal/wire"
)

// onStuckDisk runs f with a broker whose disk gets stuck: what it does with files of this
// prefix takes until f has returned.
func onStuckDisk(t *testing.T, prefix string, f func(t *testing.T, b *warren.Broker, stick func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, &warren.Options{CloseTimeout: 5 * time.Second})
		free := make(chan struct{})
		f(t, b, func() {
			time.Sleep(time.Minute) // nothing is left to be written
			dir.BeforeReads(func(name string) {
				if strings.HasPrefix(name, prefix) {
					<-free
				}
			})
			dir.Before(func(op filestest.Op) error {
				if strings.HasPrefix(op.Name, prefix) {
					<-free
				}
				return nil
			})
		})
		close(free)
		dir.Before(nil)
		b.Close()
	})
}

// waitingFor runs f and requires that it waits.
func waitingFor(t testing.TB, f func() error) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	synctest.Wait()
	require.Empty(t, done, "it waits")
	return done
}

func TestACallThatWaitsForTheDiskEndsWithItsChannel(t *testing.T) {
	for name, call := range map[string]func(ch *warren.Channel) error{
		"a declaration": func(ch *warren.Channel) error {
			_, err := ch.QueueDeclare("new", warren.QueueOptions{Durable: true})
			return err
		},
		"an exchange": func(ch *warren.Channel) error {
			return ch.ExchangeDeclare("new", warren.Topic, warren.ExchangeOptions{Durable: true})
		},
		"a binding":      func(ch *warren.Channel) error { return ch.QueueBind("q", "k", "amq.topic", nil) },
		"a deletion":     func(ch *warren.Channel) error { _, err := ch.QueueDelete("q", warren.QueueDeleteOptions{}); return err },
		"the end of one": func(ch *warren.Channel) error { return ch.QueueUnbind("q", "old", "amq.topic", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			onStuckDisk(t, topology.Prefix, func(t *testing.T, b *warren.Broker, stick func()) {
				ch := channelOf(t, b, "/")
				brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true})
				require.NoError(t, ch.QueueBind("q", "old", "amq.topic", nil))
				stick()
				done := waitingFor(t, func() error { return call(ch) })
				time.Sleep(time.Hour)
				require.Empty(t, done)
				require.NoError(t, ch.Close())
				require.ErrorIs(t, <-done, warren.ErrClosed)

				begun := time.Now()
				ch = channelOf(t, b, "/")
				brokertest.Queues(t, ch, "transient")
				brokertest.Fill(t, ch, "transient", "x")
				require.Equal(t, []string{"x"}, brokertest.Drain(t, ch, "transient"), "others go on")
				require.Zero(t, time.Since(begun))
			})
		})
	}
}

// TestAConnectionThatWaitsForTheDiskEnds has a client that hangs up while its declaration
// is not on disk.
func TestAConnectionThatWaitsForTheDiskEnds(t *testing.T) {
	onStuckDisk(t, topology.Prefix, func(t *testing.T, b *warren.Broker, stick func()) {
		server := amqp.NewServer(b, nil)
		stick()
		r := dialRaw(t, server)
		r.send(1, &wire.QueueDeclare{Queue: "q", Durable: true})
		time.Sleep(time.Second)
		require.Equal(t, "the disk is slow", expect[*wire.ConnectionBlocked](r).Reason)
		time.Sleep(10 * time.Minute) // its heartbeats are not heard, and that is no fault of its
		require.Equal(t, 1, b.Stats().Sessions)
		other := dialRaw(t, server)
		other.send(1, &wire.QueueDeclare{Queue: "transient"})
		expect[*wire.QueueDeclareOk](other)
		r.conn.Close()
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, b.Stats().Sessions, "that of the other client")
		require.NoError(t, server.Close())
		synctest.Wait()
		require.Zero(t, b.Stats().Sessions)
	})
}

// TestAMessageOnAStuckDiskKeepsNobody has messages on disk only, which cannot be read: who
// waits for them ends with the channel, and Close does not wait for ever.
func TestAMessageOnAStuckDiskKeepsNobody(t *testing.T) {
	onStuckDisk(t, "", func(t *testing.T, b *warren.Broker, stick func()) {
		ch := channelOf(t, b, "/")
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true})
		for i := range 3000 {
			require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: []byte(fmt.Sprint(i)), DeliveryMode: warren.Persistent}, warren.PublishOptions{}))
		}
		warren.PageOut(b)
		stick()
		get := func(ch *warren.Channel) error {
			for {
				if _, ok, err := ch.Get("q", true); !ok {
					return err
				}
			}
		}
		done := waitingFor(t, func() error { return get(ch) })
		time.Sleep(time.Hour)
		require.Empty(t, done)
		require.NoError(t, ch.Close())
		require.ErrorIs(t, <-done, warren.ErrClosed)

		ch = channelOf(t, b, "/")
		done = waitingFor(t, func() error { return get(ch) })
		begun := time.Now()
		b.Close()
		require.Less(t, time.Since(begun), 20*time.Second)
		<-done
	})
}
