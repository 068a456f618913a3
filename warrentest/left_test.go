package warrentest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/warrentest"
)

// dialLeft connects the official client, and leaves the connection to the end.
func dialLeft(b *warrentest.Broker, name string) (*amqp091.Connection, error) {
	return amqp091.DialConfig("amqp://guest:guest@localhost/", amqp091.Config{
		Dial: b.Dial, Properties: amqp091.Table{"connection_name": name},
	})
}

// leaves runs f in a bubble and compares with what the end of the test reports, if it is
// to report what is left.
func leaves(t *testing.T, f func(t testing.TB, b *warrentest.Broker), want ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fake := run(t, func(fake testing.TB) {
			f(fake, warrentest.New(fake, warrentest.Options{NothingLeft: true, Quiet: true}))
		})
		require.Empty(t, fake.fatal)
		for i := range want {
			want[i] = "warrentest: left at the end of the test: " + want[i]
		}
		require.Equal(t, want, fake.errors)
	})
}

func TestTheEndReportsWhatIsLeft(t *testing.T) {
	leaves(t, func(t testing.TB, b *warrentest.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q", "done", "ready")
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		brokertest.Queues(t, brokertest.Channel(t, v), "q")
		brokertest.Fill(t, ch, "q", "1", "2", "3", "4")
		brokertest.Fill(t, ch, "ready", "1")
		brokertest.Take(t, ch, "q")
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Tag: "mine", Prefetch: 1})

		conn, err := dialLeft(b, "worker")
		require.NoError(t, err)
		client := brokertest.ClientChannel(t, conn)
		require.NoError(t, client.Qos(2, 0, false))
		_, err = client.Consume("q", "theirs", false, false, false, false, nil)
		require.NoError(t, err)

		gate := brokertest.NewGate()
		brokertest.Handle(t, v, "rpc", gate.Serve)
		brokertest.Call(context.Background(), v, "rpc", "x")
		<-gate.Entered
		b.WaitUnacked("q", 4)
	},
		"connection 'worker' of user 'guest' with 1 channel",
		"4 deliveries that nobody has settled in queue 'q': 1 of consumer 'mine' of the test's process, 2 of consumer 'theirs' of connection 'worker', 1 by basic.get, or of consumers that were cancelled",
		"1 delivery that nobody has settled in queue 'rpc' of virtual host 'v': 1 of a handler",
		"1 call that waits for an answer in virtual host 'v'",
	)
}

func TestTheEndReportsDeliveriesOfDeletedQueues(t *testing.T) {
	leaves(t, func(t testing.TB, b *warrentest.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q", "other")
		brokertest.Stream(t, ch, "log", warren.QueueOptions{Durable: true})
		for _, queue := range []string{"q", "other", "log"} {
			brokertest.Fill(t, ch, queue, "1", "2")
		}
		brokertest.Take(t, ch, "q")
		brokertest.Take(t, ch, "q")
		brokertest.Take(t, ch, "other")
		brokertest.Consume(t, ch, "log", warren.ConsumeOptions{Tag: "reader", Prefetch: 1, Offset: warren.StreamFirst()})
		b.WaitUnacked("log", 1)
		_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
	},
		"1 delivery that nobody has settled in queue 'log': 1 of consumer 'reader' of the test's process",
		"1 delivery that nobody has settled in queue 'other': 1 by basic.get, or of consumers that were cancelled",
		"at least 1 delivery that nobody has settled of queues that are deleted",
	)
}

func TestTheEndReportsNothingIfAllHasGone(t *testing.T) {
	leaves(t, func(t testing.TB, b *warrentest.Broker) {
		conn := named(t, b, "worker") // it is closed before the end of the broker
		client := brokertest.ClientChannel(t, conn)
		_, err := client.QueueDeclare("q", false, false, false, false, nil)
		require.NoError(t, err)
		brokertest.Fill(t, brokertest.Channel(t, b), "q", "1")
		_, _, err = client.Get("q", false)
		require.NoError(t, err)
	})
}

func TestTheEndWaitsForThoseWhoAreAboutToGo(t *testing.T) {
	leaves(t, func(t testing.TB, b *warrentest.Broker) {
		conn, err := dialLeft(b, "slow")
		require.NoError(t, err)
		go func() {
			time.Sleep(900 * time.Millisecond)
			conn.Close()
		}()
	})
}

func TestWhatIsLeftIsReportedOnlyIfAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := run(t, func(fake testing.TB) {
			b := warrentest.New(fake)
			_, err := dialLeft(b, "worker")
			require.NoError(t, err)
		})
		require.False(t, fake.Failed())
	})
}
