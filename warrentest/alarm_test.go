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

// alarms are those that a test can set, with what a client is told.
var alarms = map[string]struct {
	set    func(b *warrentest.Broker) (clear func())
	reason string
	err    error
}{
	"memory": {(*warrentest.Broker).MemoryAlarm, "low on memory", warren.ErrMemoryLimit},
	"disk":   {(*warrentest.Broker).DiskAlarm, "low on disk", warren.ErrDiskFull},
}

// atAnAlarm runs f in a bubble for each alarm, with a queue "q".
func atAnAlarm(t *testing.T, f func(t *testing.T, b *warrentest.Broker, set func() (clear func()), reason string, err error)) {
	for name, a := range alarms {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *warrentest.Broker) {
				ch, err := b.Channel()
				require.NoError(t, err)
				brokertest.Queues(t, ch, "q")
				f(t, b, func() func() { return a.set(b) }, a.reason, a.err)
			})
		})
	}
}

func TestAtAnAlarmPublishersAreBlocked(t *testing.T) {
	atAnAlarm(t, func(t *testing.T, b *warrentest.Broker, set func() func(), reason string, _ error) {
		conn := brokertest.Dial(t, b.Dial, amqp091.Config{})
		ch := brokertest.ClientChannel(t, conn)
		blocked := conn.NotifyBlocked(make(chan amqp091.Blocking, 10))
		require.NoError(t, ch.Confirm(false))
		clear := set()
		time.Sleep(time.Minute)
		require.Empty(t, blocked, "who does not publish is not told")
		publish := func() *amqp091.DeferredConfirmation {
			c, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp091.Publishing{Body: []byte("m")})
			require.NoError(t, err)
			return c
		}
		c := publish()
		require.Equal(t, amqp091.Blocking{Active: true, Reason: reason}, <-blocked)
		time.Sleep(time.Hour)
		require.False(t, c.Acked())
		b.RequireMessages("q")
		clear()
		require.Equal(t, amqp091.Blocking{}, <-blocked)
		require.True(t, c.Wait())
		b.RequireMessages("q", "m")
		require.True(t, publish().Wait())
		clear() // it does nothing any more
		synctest.Wait()
		require.Empty(t, blocked)
	})
}

func TestAtAnAlarmConsumersGoOn(t *testing.T) {
	atAnAlarm(t, func(t *testing.T, b *warrentest.Broker, set func() func(), _ string, _ error) {
		publisher := brokertest.ClientChannel(t, brokertest.Dial(t, b.Dial, amqp091.Config{}))
		for range 2 {
			require.NoError(t, publisher.Publish("", "q", false, false, amqp091.Publishing{Body: []byte("m")}))
		}
		b.WaitReady("q", 2)
		defer set()()
		consumer := brokertest.ClientChannel(t, brokertest.Dial(t, b.Dial, amqp091.Config{}))
		got, err := consumer.Consume("q", "", false, false, false, false, nil)
		require.NoError(t, err)
		for range 2 {
			d := <-got
			require.NoError(t, d.Ack(false))
		}
		_, err = consumer.QueueDeclare("other", false, false, false, false, nil)
		require.NoError(t, err)
		b.WaitIdle()
	})
}

func TestAtAnAlarmTheProgramsOwnPublishersWait(t *testing.T) {
	atAnAlarm(t, func(t *testing.T, b *warrentest.Broker, set func() func(), _ string, reason error) {
		ch, err := b.Channel()
		require.NoError(t, err)
		clear := set()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err = ch.Publish(ctx, "", "q", warren.Message{}, warren.PublishOptions{})
		require.ErrorIs(t, err, reason)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		room := b.Capacity()
		require.Equal(t, []bool{reason == warren.ErrMemoryLimit, reason == warren.ErrDiskFull}, []bool{room.MemoryAlarm, room.DiskAlarm})
		time.AfterFunc(time.Hour, clear)
		start := time.Now()
		require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{}, warren.PublishOptions{}))
		require.Equal(t, time.Hour, time.Since(start))
		room = b.Capacity()
		require.False(t, room.MemoryAlarm || room.DiskAlarm)
	})
}

// TestAtAnAlarmRepliesGoThrough has a call that began before the alarm.
func TestAtAnAlarmRepliesGoThrough(t *testing.T) {
	atAnAlarm(t, func(t *testing.T, b *warrentest.Broker, set func() func(), _ string, _ error) {
		script := b.Answer("rpc", warrentest.Reply("late").Held())
		question := b.Ask("rpc", "?")
		script.Wait(1)
		defer set()()
		script.Release()
		question.RequireReply("late")
	})
}

func TestOneOfSeveralAlarmsIsEnough(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		events := b.Events(t.Context())
		ch, err := b.Channel()
		require.NoError(t, err)
		clears := []func(){b.DiskAlarm(), b.MemoryAlarm(), b.MemoryAlarm()}
		published := make(chan error)
		go func() { published <- ch.Publish(t.Context(), "", "nowhere", warren.Message{}, warren.PublishOptions{}) }()
		for _, clear := range clears {
			synctest.Wait()
			require.Empty(t, published)
			require.Equal(t, 1, b.Stats().Waiting)
			clear()
		}
		require.NoError(t, <-published)
		var alarms []string
		for e, err := range events {
			require.NoError(t, err)
			if e.Kind == warren.AlarmStarted || e.Kind == warren.AlarmEnded {
				alarms = append(alarms, string(e.Kind)+" "+e.Name)
			}
			if len(alarms) == 4 {
				break
			}
		}
		require.Equal(t, []string{"alarm.set disk", "alarm.set memory", "alarm.cleared disk", "alarm.cleared memory"}, alarms)
	})
}

func TestAnAlarmFailsWhoRefusesToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warrentest.New(t, warrentest.Options{Broker: &warren.Options{MemoryPolicy: warren.FailPublishers, MemoryLimit: -1}})
		ch, err := b.Channel()
		require.NoError(t, err)
		publish := func() error { return ch.Publish(t.Context(), "", "nowhere", warren.Message{}, warren.PublishOptions{}) }
		clear := b.MemoryAlarm()
		require.ErrorIs(t, publish(), warren.ErrMemoryLimit)
		clear()
		require.NoError(t, publish())
		clear = b.DiskAlarm()
		require.ErrorIs(t, publish(), warren.ErrDiskFull)
		clear()
		require.NoError(t, publish())
	})
}
