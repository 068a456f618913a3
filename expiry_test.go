package warren_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// At the very moment of its death a message is not delivered any more,
// whoever is faster: who asks for it, or the timer.
func TestAnExpiredMessageIsNeverDelivered(t *testing.T) {
	for range 50 {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queue(t, ch, "q", warren.QueueOptions{MessageTTL: time.Second})
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
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MessageTTL: 24 * time.Hour})
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

// TestVeryManyMessagesExpireAtOnce: they are taken out a few thousand at a time, but all
// of them, and what stands behind them is delivered.
func TestVeryManyMessagesExpireAtOnce(t *testing.T) {
	const many = 20_000
	for _, letters := range []bool{true, false} {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			var o warren.QueueOptions
			if letters {
				o.DeadLetter = &warren.DeadLetter{RoutingKey: "letters"}
			}
			brokertest.Queue(t, ch, "q", o)
			brokertest.Queues(t, ch, "letters")
			for i := range many {
				require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{Body: []byte(fmt.Sprint(i)), Expiration: "1000"}, warren.PublishOptions{}))
			}
			require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{Body: []byte("stays")}, warren.PublishOptions{}))
			time.Sleep(time.Second)
			c, err := ch.Consume("q", warren.ConsumeOptions{NoAck: true}) // at the very moment
			require.NoError(t, err)
			d, err := c.Next(t.Context())
			require.NoError(t, err)
			require.Equal(t, "stays", string(d.Body))
			brokertest.Later(0)
			require.Zero(t, brokertest.Ready(t, ch, "q"))
			if !letters {
				require.Zero(t, brokertest.Ready(t, ch, "letters"))
				return
			}
			for i, body := range brokertest.Drain(t, ch, "letters") {
				require.Equal(t, fmt.Sprint(i), body)
			}
			require.Equal(t, uint64(many), b.Stats().DeadLettered)
		})
	}
}
