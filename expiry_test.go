package warren_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestAMessageLivesAsLongAsTheSmallerTimeToLive(t *testing.T) {
	const day = 24 * time.Hour
	eachBoth(t, map[string]struct {
		queue      time.Duration // zero: none
		expiration string
		lives      time.Duration
	}{
		"the queue's":                         {day, "", day},
		"the message's":                       {0, "86400000", day},
		"the message's is smaller":            {day, "1500", 1500 * time.Millisecond},
		"the queue's is smaller":              {1500 * time.Millisecond, "86400000", 1500 * time.Millisecond},
		"a millisecond":                       {0, "1", time.Millisecond},
		"ten years, which is RabbitMQ's most": {0, "315360000000", 3650 * day},
	}, func(t *both, c struct {
		queue      time.Duration
		expiration string
		lives      time.Duration
	}) {
		ch := t.open()
		t.declare(ch, "q", warren.QueueOptions{MessageTTL: c.queue})
		t.send(ch, "q", warren.Message{Body: []byte("m"), Expiration: c.expiration})
		brokertest.Later(c.lives - time.Microsecond)
		require.Equal(t, 1, t.ready())
		brokertest.Later(time.Microsecond)
		require.Zero(t, t.ready(), "nobody has to look for it to go")
		require.Empty(t, t.drain(ch, "q"))
	})
}

func TestATimeToLiveOfZero(t *testing.T) {
	eachBoth(t, map[string]struct {
		queue      warren.Table
		expiration string
	}{
		"of the queue":   {queue: warren.Table{"x-message-ttl": 0}},
		"of the message": {expiration: warren.Milliseconds(0)},
	}, func(t *both, c struct {
		queue      warren.Table
		expiration string
	}) {
		ch, other := t.open(), t.open()
		t.declare(ch, "q", warren.QueueOptions{Args: c.queue, DeadLetter: t.deadLetters(ch)})
		put := func(body string) { t.send(ch, "q", warren.Message{Body: []byte(body), Expiration: c.expiration}) }
		put("nobody is there")
		require.Equal(t, []string{"nobody is there"}, t.drain(ch, "dead"))

		consumer := t.consume(other, "q", warren.ConsumeOptions{Prefetch: 1})
		put("taken at once")
		put("no room")
		d, ok := consumer.next()
		require.True(t, ok)
		require.Equal(t, "taken at once", string(d.Body))
		require.Equal(t, []string{"no room"}, t.drain(ch, "dead"))
		require.NoError(t, other.Nack(d.DeliveryTag, false, true))
		require.Empty(t, t.read(consumer), "what comes back has expired")
		require.Equal(t, []string{"taken at once"}, t.drain(ch, "dead"))
	})
}

func TestExpiredMessagesGoWhenTheyReachTheHead(t *testing.T) {
	runBoth(t, func(t *both) {
		ch := t.open()
		t.declare(ch, "q", warren.QueueOptions{DeadLetter: t.deadLetters(ch)})
		t.put(ch, "q", "first")
		for range 3 {
			t.send(ch, "q", warren.Message{Body: []byte("short"), Expiration: "1000"})
		}
		t.put(ch, "q", "last")
		brokertest.Later(time.Hour)
		require.Equal(t, 5, t.ready(), "the queue looks at its head only")
		first := t.take(ch, "q")
		require.Equal(t, "first", string(first.Body))
		require.Equal(t, []string{"short", "short", "short"}, t.drain(ch, "dead"))
		require.Equal(t, []string{"last"}, t.drain(ch, "q"))
		require.NoError(t, ch.Nack(first.DeliveryTag, false, true))
		require.Equal(t, []string{"first"}, t.drain(ch, "q"))
	})
}

func TestARequeuedMessageKeepsItsDeadline(t *testing.T) {
	runBoth(t, func(t *both) {
		ch := t.open()
		t.declare(ch, "q", warren.QueueOptions{MessageTTL: 10 * time.Second, DeadLetter: t.deadLetters(ch)})
		t.put(ch, "q", "back in time", "too late")
		inTime, late := t.take(ch, "q"), t.take(ch, "q")
		brokertest.Later(6 * time.Second)
		require.NoError(t, ch.Nack(inTime.DeliveryTag, false, true))
		brokertest.Later(4*time.Second - 1)
		require.Equal(t, 1, t.ready())
		brokertest.Later(1)
		require.Equal(t, []string{"back in time"}, t.drain(ch, "dead"))
		brokertest.Later(time.Hour)
		require.Empty(t, t.drain(ch, "dead"), "what is out does not expire")
		require.NoError(t, ch.Nack(late.DeliveryTag, false, true))
		require.Equal(t, []string{"too late"}, t.drain(ch, "dead"))
		require.Empty(t, t.drain(ch, "q"))
	})
}

func TestMessagesExpireBesideConsumersWithoutRoom(t *testing.T) {
	runBoth(t, func(t *both) {
		ch, other := t.open(), t.open()
		t.declare(ch, "q", warren.QueueOptions{MessageTTL: time.Minute, DeadLetter: t.deadLetters(ch)})
		consumer := t.consume(other, "q", warren.ConsumeOptions{Prefetch: 1})
		t.put(ch, "q", "1", "2")
		d, ok := consumer.next()
		require.True(t, ok)
		brokertest.Later(time.Minute)
		require.Equal(t, []string{"2"}, t.drain(ch, "dead"))
		t.put(ch, "q", "3")
		require.NoError(t, other.Ack(d.DeliveryTag, false))
		require.Equal(t, []string{"3"}, t.read(consumer))
	})
}

// At the very moment of its death a message is not delivered any more,
// whoever is faster: who asks for it, or the timer.
func TestAnExpiredMessageIsNeverDelivered(t *testing.T) {
	for range 50 {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			_, err := ch.QueueDeclare("q", warren.QueueOptions{MessageTTL: time.Second})
			require.NoError(t, err)
			brokertest.Put(t, ch, "", "q", "1", "2")
			var asking sync.WaitGroup
			for range 3 {
				asking.Go(func() {
					time.Sleep(time.Second)
					_, ok, err := ch.Get("q", true)
					require.NoError(t, err)
					require.False(t, ok)
				})
			}
			time.Sleep(time.Second)
			require.Zero(t, brokertest.Ready(t, ch, "q"))
			require.Empty(t, brokertest.Read(t, brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})))
			asking.Wait()
		})
	}
}

func TestATimeToLiveBeginsAtTheCommit(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.Tx())
		require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{Expiration: "1000"}, warren.PublishOptions{}))
		brokertest.Later(time.Hour)
		require.NoError(t, ch.TxCommit())
		brokertest.Later(time.Second - 1)
		require.Equal(t, 1, b.Stats().Ready)
		brokertest.Later(1)
		require.Zero(t, b.Stats().Ready)
	})
}

func TestATimeToLiveBeginsWhenThereIsMemory(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{MemoryLimit: 1000}, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "full", "q")
		require.NoError(t, brokertest.Send(ch, "", "full", warren.Message{Body: make([]byte, 2000)}, warren.PublishOptions{}))
		go func() {
			time.Sleep(time.Hour)
			ch.QueuePurge("full")
		}()
		require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{Expiration: "1000"}, warren.PublishOptions{}))
		brokertest.Later(time.Second - 1)
		require.Equal(t, 1, b.Stats().Ready)
		brokertest.Later(1)
		require.Zero(t, b.Stats().Ready)
	})
}

// A backlog that expires costs a timer, not one for each message.
func TestABacklogExpiresAtItsHead(t *testing.T) {
	messages := brokertest.Less(1_000_000, 50)
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		_, err := ch.QueueDeclare("q", warren.QueueOptions{MessageTTL: 24 * time.Hour})
		require.NoError(t, err)
		held := heapOf(func() {
			for i := range messages {
				if i == messages/2 {
					time.Sleep(time.Hour)
				}
				if err := brokertest.Send(ch, "", "q", warren.Message{}, warren.PublishOptions{}); err != nil {
					require.NoError(t, err)
				}
			}
		})
		require.Less(t, held/uint64(messages), uint64(90), "bytes a message: a timer alone would be more")
		brokertest.Later(23*time.Hour - 1)
		require.Equal(t, messages, b.Stats().Ready)
		brokertest.Later(1)
		require.Equal(t, messages/2, b.Stats().Ready)
		brokertest.Later(time.Hour)
		require.Zero(t, b.Stats().Ready)
		require.Zero(t, b.Stats().Bytes)
	})
}

func TestAnUnusedQueueExpires(t *testing.T) {
	const day = 24 * time.Hour
	eachBoth(t, map[string]struct {
		use   func(t *both, ch sideChannel)
		stays bool // for another day
	}{
		"if nothing is done": {func(*both, sideChannel) {}, false},
		"publishing is no use": {func(t *both, ch sideChannel) {
			t.put(ch, "q", "m")
		}, false},
		"declaring is": {func(t *both, ch sideChannel) {
			t.declare(ch, "q", warren.QueueOptions{Expires: day})
		}, true},
		"declaring passively is": {func(t *both, ch sideChannel) {
			_, err := ch.QueueDeclarePassive("q")
			require.NoError(t, err)
		}, true},
		"get is, with nothing there": {func(t *both, ch sideChannel) {
			_, ok, err := ch.Get("q", true)
			require.NoError(t, err)
			require.False(t, ok)
		}, true},
		"a consumer is, until it goes": {func(t *both, ch sideChannel) {
			t.consume(ch, "q", warren.ConsumeOptions{Tag: "c"})
			brokertest.Later(10 * day)
			require.NoError(t, ch.Cancel("c"))
		}, true},
		"a consumer whose connection is lost is": {func(t *both, _ sideChannel) {
			ch := t.open()
			t.consume(ch, "q", warren.ConsumeOptions{})
			brokertest.Later(10 * day)
			ch.Lose()
		}, true},
		"a purge is no use": {func(t *both, ch sideChannel) {
			_, err := ch.QueuePurge("q")
			require.NoError(t, err)
		}, false},
	}, func(t *both, c struct {
		use   func(t *both, ch sideChannel)
		stays bool
	}) {
		ch := t.open()
		t.declare(ch, "q", warren.QueueOptions{Expires: day})
		require.NoError(t, ch.QueueBind("q", "k", "amq.direct", nil))
		brokertest.Later(day - time.Second)
		c.use(t, ch)
		brokertest.Later(time.Second)
		if c.stays {
			require.Equal(t, 1, t.broker.Stats().Queues)
			brokertest.Later(day - time.Second - 1)
			require.Equal(t, 1, t.broker.Stats().Queues)
			brokertest.Later(1)
		}
		require.Zero(t, t.broker.Stats().Queues)
		require.ErrorIs(t, ch.Publish("amq.direct", "k", warren.Message{}, warren.PublishOptions{Mandatory: true}), warren.ErrNoRoute,
			"its bindings are gone")
		t.refuses(404, "NOT_FOUND - no queue 'q' in vhost '/'", func(ch sideChannel) error {
			_, err := ch.QueueDeclarePassive("q")
			return err
		})
		t.declare(ch, "q", warren.QueueOptions{}) // the name is free
	})
}

func TestAnExpiredQueueDropsItsMessages(t *testing.T) {
	runBoth(t, func(t *both) {
		ch := t.open()
		t.declare(ch, "q", warren.QueueOptions{Expires: time.Minute, DeadLetter: t.deadLetters(ch)})
		t.put(ch, "q", "out", "ready")
		out := t.take(ch, "q")
		brokertest.Later(time.Minute)
		require.Equal(t, 1, t.broker.Stats().Queues)
		require.Zero(t, t.broker.Stats().Bytes)
		require.NoError(t, ch.Reject(out.DeliveryTag, false), "it can still be settled")
		require.Empty(t, t.drain(ch, "dead"), "nothing is dead-lettered")
	})
}

// Whatever happens to the queue at the moment at which its timer rings, it
// happens once, and nobody hangs.
func TestAQueueIsDeletedWhileItsTimerRings(t *testing.T) {
	for name, do := range map[string]func(ch *warren.Channel) error{
		"deleted": func(ch *warren.Channel) error {
			_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			return err
		},
		"deleted if empty": func(ch *warren.Channel) error { // which it is not, if the timer is late
			ch.QueueDelete("q", warren.QueueDeleteOptions{IfEmpty: true})
			return nil
		},
		"purged": func(ch *warren.Channel) error {
			ch.QueuePurge("q")
			return nil
		},
		"the broker's end": func(ch *warren.Channel) error { return ch.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			for range 50 {
				brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
					ch := brokertest.Channel(t, b)
					brokertest.Queues(t, ch, "dead")
					_, err := ch.QueueDeclare("q", warren.QueueOptions{
						MessageTTL: time.Second, Expires: time.Second, DeadLetter: &warren.DeadLetter{RoutingKey: "dead"},
					})
					require.NoError(t, err)
					brokertest.Put(t, ch, "", "q", "1", "2")
					time.Sleep(time.Second)
					require.NoError(t, do(ch))
					synctest.Wait()
					require.Equal(t, 1, b.Stats().Queues, "dead is left")
					require.Zero(t, b.Stats().Consumers)
				})
			}
		})
	}
}
