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

func TestARestartKeepsWhatIsDurable(t *testing.T) {
	withDisk(t, func(t *testing.T, b *warrentest.Broker, conn *amqp091.Connection, ch *amqp091.Channel) {
		closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
		_, err := ch.QueueDeclare("transient", false, false, false, false, nil)
		require.NoError(t, err)
		require.True(t, publishTo(t, ch, "persistent").Wait())
		require.NoError(t, ch.Publish("", "q", false, false, amqp091.Publishing{Body: []byte("transient")}))
		b.WaitReady("q", 2)
		b.MemoryAlarm()
		b.FailSync(nil)
		b.Restart()
		require.Error(t, <-closed)
		b.RequireMessages("q", "persistent")
		ch = brokertest.ClientChannel(t, brokertest.Dial(t, b.Dial, amqp091.Config{}))
		require.NoError(t, ch.Confirm(false))
		require.True(t, publishTo(t, ch, "another").Wait())
		_, err = ch.QueueDeclarePassive("transient", false, false, false, false, nil)
		var refused *amqp091.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, amqp091.NotFound, refused.Code)
		b.Restart()
		b.RequireMessages("q", "persistent", "another")
	})
}

// TestAClientThatDialsWhileTheBrokerRestarts has a client that dials again and again.
func TestAClientThatDialsWhileTheBrokerRestarts(t *testing.T) {
	withDisk(t, func(t *testing.T, b *warrentest.Broker, conn *amqp091.Connection, _ *amqp091.Channel) {
		worker := make(chan error)
		go func() {
			<-conn.NotifyClose(make(chan *amqp091.Error, 1))
			for {
				c, err := amqp091.DialConfig("amqp://", amqp091.Config{Dial: b.Dial})
				if err == nil {
					worker <- c.Close()
					return
				}
				if !errors.Is(err, syscall.ECONNREFUSED) {
					worker <- err
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		undo := b.SlowSync(100 * time.Millisecond)
		b.Restart()
		undo()
		require.NoError(t, <-worker)
	})
}

func TestARestartEndsWhatTheProgramHas(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := warrentest.New(t, warrentest.Options{Dir: dir})
		ch, err := b.Channel()
		require.NoError(t, err)
		b.Answer("rpc", warrentest.Reply("1"))
		b.Ask("rpc", "?").RequireReply("1")
		b.Restart()
		_, err = ch.QueueDeclare("q", warren.QueueOptions{})
		require.ErrorIs(t, err, warren.ErrClosed)
		b.Answer("rpc", warrentest.Reply("2"))
		b.Ask("rpc", "?").RequireReply("2")
	})
}

func TestARestartKeepsTheURL(t *testing.T) {
	b := warrentest.New(t, warrentest.Options{Dir: t.TempDir()})
	url := b.URL()
	conn, err := amqp091.Dial(url)
	require.NoError(t, err)
	closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
	b.Restart()
	require.Error(t, <-closed)
	require.Equal(t, url, b.URL())
	conn, err = amqp091.Dial(url)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestARestartNeedsADirectory(t *testing.T) {
	fails(t, "warrentest: Restart needs a broker with a directory, or nothing would be left: set Options.Dir, for example to t.TempDir()",
		func(_ testing.TB, b *warrentest.Broker) { b.Restart() })
}
