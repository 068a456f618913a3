package warren_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
)

// Damage on disk costs the messages that it hit, and the host is told.
func TestMessagesThatCannotBeReadAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, &warren.Options{MemoryLimit: 4 << 20})
		ch := channelOf(t, b, "/")
		_, err := ch.QueueDeclare("q", warren.QueueOptions{Durable: true})
		require.NoError(t, err)
		const n = 12_000
		for range n {
			m := warren.Message{Body: make([]byte, 1000), DeliveryMode: warren.Persistent}
			require.NoError(t, ch.Publish(t.Context(), "", "q", m, warren.PublishOptions{}))
		}
		time.Sleep(time.Minute)
		page := ""
		for _, name := range dir.Names() {
			if strings.HasPrefix(name, "pages-") && len(dir.Bytes(name)) > len(dir.Bytes(page)) {
				page = name
			}
		}
		require.NoError(t, dir.Flip(page, int64(len(dir.Bytes(page)))*8/2))
		got := brokertest.Drain(t, ch, "q")
		require.Less(t, len(got), n)
		require.EqualValues(t, n-len(got), b.Stats().Unreadable)
		require.Zero(t, b.Stats().Ready)
	})
}

// In an opened broker, the memory limit bounds what is in memory, and publishers go on.
func TestQueuesOnDiskHoldMoreThanTheMemoryLimit(t *testing.T) {
	const limit, size, n = 4 << 20, 1000, 12_000
	for name, o := range map[string]warren.QueueOptions{
		"durable": {Durable: true}, "transient": {}, "priorities": {Durable: true, MaxPriority: 2},
		"stream": {Type: warren.Stream, Durable: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := openFiles(t, filestest.New(), &warren.Options{MemoryLimit: limit})
				ch := channelOf(t, b, "/")
				_, err := ch.QueueDeclare("q", o)
				require.NoError(t, err)
				most := int64(0)
				for i := range n {
					m := warren.Message{Body: fmt.Appendf(make([]byte, size), " %d", i)}
					if name == "durable" && i%3 > 0 || name == "priorities" {
						m.DeliveryMode = warren.Persistent
					}
					require.NoError(t, ch.Publish(t.Context(), "", "q", m, warren.PublishOptions{}))
					if i%100 == 0 {
						most = max(most, b.Stats().Memory)
					}
				}
				require.Less(t, most, int64(limit*9/8))
				time.Sleep(time.Minute)
				require.Equal(t, n, b.Stats().Ready)
				from := warren.ConsumeOptions{Prefetch: 10}
				if o.Type == warren.Stream {
					from.Args = warren.Table{"x-stream-offset": "first"}
				}
				c := brokertest.Consume(t, ch, "q", from)
				for i := range n {
					d := brokertest.Next(t, c)
					require.Equal(t, fmt.Sprintf(" %d", i), string(d.Body[size:]))
					require.NoError(t, d.Ack(false))
				}
				require.Zero(t, b.Stats().Waiting)
			})
		})
	}
}

// However messages are spread over queues, publishers never wait for a consumer that does
// not come, because there is room on disk.
func TestPublishersNeedNoConsumerWhileThereIsDisk(t *testing.T) {
	kinds := []warren.QueueOptions{{Durable: true}, {}, {Durable: true, MaxPriority: 4}, {Type: warren.Stream, Durable: true}}
	for name, c := range map[string]struct{ limit, queues, size, each int }{
		"few large messages":   {8 << 20, 4, 1 << 20, 15},
		"many queues":          {4 << 20, 800, 1 << 10, 30},
		"many queues with one": {4 << 20, 60, 256 << 10, 1},
	} {
		for policy, refuses := range map[string]warren.MemoryPolicy{"": warren.BlockPublishers, ", refused": warren.FailPublishers} {
			t.Run(name+policy, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := openFiles(t, filestest.New(), &warren.Options{MemoryLimit: int64(c.limit), MemoryPolicy: refuses})
					ch := channelOf(t, b, "/")
					for i := range c.queues {
						_, err := ch.QueueDeclare(fmt.Sprint(i), kinds[i%len(kinds)])
						require.NoError(t, err)
					}
					begin, most := time.Now(), int64(0)
					for n := range c.each {
						for i := range c.queues {
							m := warren.Message{Body: fmt.Appendf(make([]byte, c.size), " %d", n)}
							if i%8 < 6 { // also transient messages in durable queues
								m.DeliveryMode = warren.Persistent
							}
							err := ch.Publish(t.Context(), "", fmt.Sprint(i), m, warren.PublishOptions{})
							for refuses == warren.FailPublishers && errors.Is(err, warren.ErrMemoryLimit) {
								time.Sleep(100 * time.Millisecond)
								err = ch.Publish(t.Context(), "", fmt.Sprint(i), m, warren.PublishOptions{})
							}
							require.NoError(t, err)
							most = max(most, b.Stats().Memory)
						}
					}
					require.Less(t, most, int64(c.limit*5/4))
					require.Less(t, time.Since(begin), time.Minute)
					require.Equal(t, c.queues*c.each, b.Stats().Ready)
					for i := range c.queues {
						if i%len(kinds) == 3 {
							continue
						}
						for n, body := range brokertest.Drain(t, ch, fmt.Sprint(i)) {
							require.Equal(t, fmt.Sprintf(" %d", n), body[c.size:])
						}
					}
				})
			})
		}
	}
}

// Messages that expire on disk become letters no faster than these go to disk: none is
// dropped because there is no memory for it.
func TestDeadLettersOfABacklogFindMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, n, size = 4 << 20, 40, 1 << 20
		b := openFiles(t, filestest.New(), &warren.Options{MemoryLimit: limit})
		ch := channelOf(t, b, "/")
		brokertest.Queue(t, ch, "dead", warren.QueueOptions{Durable: true})
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true, MessageTTL: time.Minute, DeadLetter: &warren.DeadLetter{RoutingKey: "dead"}})
		for range n {
			m := warren.Message{Body: make([]byte, size), DeliveryMode: warren.Persistent}
			require.NoError(t, ch.Publish(t.Context(), "", "q", m, warren.PublishOptions{}))
		}
		time.Sleep(2 * time.Minute)
		require.Zero(t, brokertest.Ready(t, ch, "q"))
		require.Equal(t, n, brokertest.Ready(t, ch, "dead"))
		require.Less(t, b.Stats().Memory, int64(2*limit))
	})
}

// A consumer that takes all it can, and settles nothing, gets no more from the disk than
// memory has room for, until it does.
func TestAConsumerThatSettlesNothingDoesNotFillTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, n, size = 4 << 20, 400, 100 << 10
		b := openFiles(t, filestest.New(), &warren.Options{MemoryLimit: limit})
		ch := channelOf(t, b, "/")
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true})
		for i := range n {
			m := warren.Message{Body: fmt.Appendf(make([]byte, size), " %d", i), DeliveryMode: warren.Persistent}
			require.NoError(t, ch.Publish(t.Context(), "", "q", m, warren.PublishOptions{}))
		}
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: n})
		got, most := 0, 0
		for acked := 0; acked < n; acked = got {
			for {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				d, err := c.Next(ctx)
				cancel()
				if err != nil { // it gets no more
					break
				}
				require.Equal(t, fmt.Sprintf(" %d", got), string(d.Body[size:]))
				got++
			}
			require.Less(t, b.Stats().Memory, int64(2*limit))
			require.Greater(t, got, acked)
			most = max(most, got-acked)
			require.NoError(t, ch.Ack(uint64(got), true))
		}
		require.Greater(t, most, limit/size/2, "it has what there is room for")
		require.Zero(t, b.Stats().Ready)
	})
}
