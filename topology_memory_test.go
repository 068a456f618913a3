package warren_test

import (
	"context"
	"fmt"
	"math/bits"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// topologyParts makes, and takes away, the parts of a topology that clients can make
// as many of as they like. The channel of a part has the queue q.
var topologyParts = []struct {
	name string
	code error // of a refusal; nil: one of several
	make func(ch *warren.Channel, i int) error
	drop func(ch *warren.Channel, i int) error // nil: it ends with its channel
}{
	{
		"queues", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error { return declare(ch, i, warren.QueueOptions{}) },
		dropQueue,
	}, {
		"exclusive queues", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error { return declare(ch, i, warren.QueueOptions{Exclusive: true}) },
		nil,
	}, {
		"queues with an argument", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error { return declare(ch, i, warren.QueueOptions{Args: longArgs(i)}) },
		dropQueue,
	}, {
		"queues with many arguments", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error { return declare(ch, i, warren.QueueOptions{Args: manyArgs(i)}) },
		dropQueue,
	}, {
		"queues with rules", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error {
			return declare(ch, i, warren.QueueOptions{MessageTTL: 1e10, MaxLength: 3, DeadLetter: &warren.DeadLetter{}, DeliveryLimit: 3})
		},
		dropQueue,
	}, {
		"priority queues", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error { return declare(ch, i, warren.QueueOptions{MaxPriority: 255}) },
		dropQueue,
	}, {
		"priority queues that were used", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error {
			if err := declare(ch, i, warren.QueueOptions{MaxPriority: 255}); err != nil {
				return err
			}
			for priority := range 5 {
				m := warren.Message{Priority: uint8(8 * priority)}
				if err := ch.Publish(context.Background(), "", numbered(i), m, warren.PublishOptions{}); err != nil {
					return err
				}
			}
			_, err := ch.QueuePurge(numbered(i))
			return err
		},
		dropQueue,
	}, {
		"queues that drop duplicates", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error {
			err := declare(ch, i, warren.QueueOptions{Deduplicate: &warren.Deduplication{}, MaxLength: 1})
			for n := 0; n < 128 && err == nil; n++ {
				m := warren.Message{Headers: warren.Table{warren.DeduplicationHeader: n}}
				err = ch.Publish(context.Background(), "", numbered(i), m, warren.PublishOptions{})
			}
			_, err2 := ch.QueuePurge(numbered(i))
			return firstError(err, err2)
		},
		dropQueue,
	}, {
		"streams", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error {
			return declare(ch, i, warren.QueueOptions{Type: warren.Stream, Durable: true})
		},
		dropQueue,
	}, {
		"queues that were used", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error {
			if err := declare(ch, i, warren.QueueOptions{}); err != nil {
				return err
			}
			err := ch.Publish(context.Background(), "", numbered(i), warren.Message{}, warren.PublishOptions{})
			_, _, err2 := ch.Get(numbered(i), true)
			return firstError(err, err2)
		},
		dropQueue,
	}, {
		"exchanges", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error {
			return ch.ExchangeDeclare(numbered(i), warren.Topic, warren.ExchangeOptions{})
		},
		dropExchange,
	}, {
		"delayed exchanges", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error {
			return ch.ExchangeDeclare(numbered(i), warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Fanout})
		},
		dropExchange,
	}, {
		"exchanges with a binding", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error {
			err := ch.ExchangeDeclare(numbered(i), warren.Topic, warren.ExchangeOptions{AutoDelete: true})
			return firstError(err, ch.QueueBind("q", "", numbered(i), nil))
		},
		func(ch *warren.Channel, i int) error {
			return firstError(ch.QueueUnbind("q", "", numbered(i), nil), dropExchange(ch, i))
		},
	}, {
		"keys", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error { return ch.QueueBind("q", numbered(i), "amq.direct", nil) },
		func(ch *warren.Channel, i int) error { return ch.QueueUnbind("q", numbered(i), "amq.direct", nil) },
	}, {
		"patterns", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error { return ch.QueueBind("q", pattern(i), "amq.topic", nil) },
		func(ch *warren.Channel, i int) error { return ch.QueueUnbind("q", pattern(i), "amq.topic", nil) },
	}, {
		"headers", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error { return ch.QueueBind("q", "", "amq.headers", manyArgs(i)) },
		func(ch *warren.Channel, i int) error { return ch.QueueUnbind("q", "", "amq.headers", manyArgs(i)) },
	}, {
		"consumers", warren.ErrPreconditionFailed,
		func(ch *warren.Channel, i int) error {
			_, err := ch.Consume("q", warren.ConsumeOptions{Tag: numbered(i)})
			return err
		},
		func(ch *warren.Channel, i int) error { return ch.Cancel(numbered(i)) },
	}, {
		"channels", &warren.Error{Code: 506},
		func(ch *warren.Channel, i int) error {
			_, err := ch.Session().Channel()
			return err
		},
		nil,
	}, {
		"reply consumers", nil, // of the channel or of the consumer
		func(ch *warren.Channel, i int) error {
			other, err := ch.Session().Channel()
			if err == nil {
				_, err = other.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
			}
			return err
		},
		nil,
	},
}

func numbered(i int) string { return fmt.Sprintf("%012d", i) }

func pattern(i int) string { return fmt.Sprintf("%06d.a.*.b.#.c", i) }

func longArgs(i int) warren.Table { return warren.Table{"x": strings.Repeat("x", 10_000), "i": i} }

func manyArgs(i int) warren.Table {
	t := warren.Table{}
	for k := range 300 {
		t[fmt.Sprint("key", k)] = int64(1000 * (k + i))
	}
	return t
}

func declare(ch *warren.Channel, i int, o warren.QueueOptions) error {
	_, err := ch.QueueDeclare(numbered(i), o)
	return err
}

func dropQueue(ch *warren.Channel, i int) error {
	_, err := ch.QueueDelete(numbered(i), warren.QueueDeleteOptions{})
	return err
}

func dropExchange(ch *warren.Channel, i int) error {
	return ch.ExchangeDelete(numbered(i), warren.ExchangeDeleteOptions{})
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// openWithQueue opens a session with one channel, on which q is declared.
func openWithQueue(t *testing.T, b *warren.Broker) *warren.Channel {
	ch := brokertest.Channel(t, brokertest.Session(t, b))
	brokertest.Queues(t, ch, "q")
	return ch
}

// TestTopologyCountsWhatItHolds compares what is counted with the heap. More may be
// counted, but not by much.
func TestTopologyCountsWhatItHolds(t *testing.T) {
	for _, part := range topologyParts {
		t.Run(part.name, func(t *testing.T) {
			const n = 300
			b := brokertest.New(t, nil)
			ch := openWithQueue(t, b)
			require.NoError(t, part.make(ch, 0))
			counted := b.Stats().TopologyBytes
			held := heapOf(func() {
				for i := range n {
					require.NoError(t, part.make(ch, i+1))
				}
			})
			counted = b.Stats().TopologyBytes - counted
			t.Logf("%d bytes each, %d counted", held/n, counted/n)
			require.GreaterOrEqual(t, counted*10, int64(held)*8, "%d bytes each, %d counted", held/n, counted/n)
			require.LessOrEqual(t, counted, int64(held)*6*64/bits.UintSize, "%d bytes each, %d counted", held/n, counted/n)
			runtime.KeepAlive(ch)
		})
	}
}

// TestTopologyIsRefusedAtItsShareOfMemory: a part that is refused disturbs nothing
// else, and what goes makes room again.
func TestTopologyIsRefusedAtItsShareOfMemory(t *testing.T) {
	for _, part := range topologyParts {
		t.Run(part.name, func(t *testing.T) {
			brokertest.RunWith(t, &warren.Options{MemoryLimit: 100_000, MaxChannels: -1}, func(t *testing.T, b *warren.Broker) {
				other := openWithQueue(t, b)
				brokertest.Queues(t, other, "other")
				ch := brokertest.Channel(t, brokertest.Session(t, b))
				before := b.Stats().TopologyBytes
				made, err := 0, error(nil)
				for made < 20_000 && err == nil {
					if err = part.make(ch, made); err == nil {
						made++
					}
				}
				if part.code != nil {
					require.ErrorIs(t, err, part.code)
				}
				require.ErrorContains(t, err, "memory limit of the topology (8388608 bytes) is reached")
				require.LessOrEqual(t, b.Stats().TopologyBytes, int64(8<<20))
				require.Greater(t, made, 10)

				brokertest.Fill(t, other, "other", "x")
				d, ok, err := other.Get("other", true)
				require.NoError(t, err)
				require.True(t, ok)
				require.Equal(t, "x", string(d.Body))

				if part.drop == nil {
					require.NoError(t, ch.Session().Close())
					ch = brokertest.Channel(t, brokertest.Session(t, b))
				} else {
					for i := range made + 1 { // of the last one a part may be there
						require.NoError(t, part.drop(ch, i))
					}
				}
				require.Equal(t, before, b.Stats().TopologyBytes)
				require.NoError(t, part.make(ch, 0))
			})
		})
	}
}

// TestADeletedQueueCountsUntilItsDeliveriesAreSettled: they refer to it, and to their
// consumers.
func TestADeletedQueueCountsUntilItsDeliveriesAreSettled(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		empty := b.Stats().TopologyBytes
		brokertest.Queues(t, ch, "q")
		queue := b.Stats().TopologyBytes
		brokertest.Fill(t, ch, "q", "x", "y")
		c, err := ch.Consume("q", warren.ConsumeOptions{Prefetch: 1})
		require.NoError(t, err)
		first, err := c.Next(t.Context())
		require.NoError(t, err)
		consumer := b.Stats().TopologyBytes
		require.NoError(t, c.Cancel())
		require.Equal(t, consumer, b.Stats().TopologyBytes)
		second, ok, err := ch.Get("q", false)
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, first.Ack(false))
		require.Equal(t, queue, b.Stats().TopologyBytes)
		_, err = ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.Equal(t, queue, b.Stats().TopologyBytes)
		require.NoError(t, second.Ack(false))
		require.Equal(t, empty, b.Stats().TopologyBytes)
	})
}

func TestArgumentsHaveASize(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		args := func(n int) warren.Table { return warren.Table{"x": strings.Repeat("x", n)} }
		const most = 16<<10 - 4 - 2 - 1 - 4 // beside the table's length, the key, the tag, the text's length
		for what, f := range map[string]func(warren.Table) error{
			"queue": func(args warren.Table) error {
				_, err := ch.QueueDeclare("new", warren.QueueOptions{Args: args})
				return err
			},
			"exchange": func(args warren.Table) error {
				return ch.ExchangeDeclare("new", warren.Direct, warren.ExchangeOptions{Args: args})
			},
			"binding": func(args warren.Table) error { return ch.QueueBind("q", "", "amq.headers", args) },
			"consumer": func(args warren.Table) error {
				_, err := ch.Consume("q", warren.ConsumeOptions{Args: args})
				return err
			},
		} {
			require.NoError(t, f(args(most)), what)
			err := f(args(most + 1))
			require.ErrorIs(t, err, warren.ErrPreconditionFailed, what)
			require.ErrorContains(t, err, "arguments of 16385 bytes exceed 16384", what)
		}
	})
}

// TestADeletedVirtualHostGivesAllBack: with what its channels have, and they are used.
func TestADeletedVirtualHostGivesAllBack(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		ch := brokertest.Channel(t, v)
		brokertest.Queues(t, ch, "q")
		for _, part := range topologyParts {
			require.NoError(t, part.make(ch, 0), part.name)
			require.NoError(t, b.VirtualHostDelete("v"))
			require.Zero(t, b.Stats().TopologyBytes, part.name)
			v, err = b.VirtualHostDeclare("v")
			require.NoError(t, err)
			ch = brokertest.Channel(t, v)
			brokertest.Queues(t, ch, "q")
		}
	})
}

// TestChannelsKeepLittleOfWhatWasDeleted: a channel remembers where it has published.
func TestChannelsKeepLittleOfWhatWasDeleted(t *testing.T) {
	b := brokertest.New(t, nil)
	var channels []*warren.Channel
	kept := heapOf(func() {
		for i := range 200 {
			ch := brokertest.Channel(t, b)
			name := numbered(i)
			require.NoError(t, declare(ch, i, warren.QueueOptions{Args: manyArgs(i)}))
			require.NoError(t, ch.ExchangeDeclare(name, warren.Fanout, warren.ExchangeOptions{Args: manyArgs(i)}))
			for _, exchange := range []string{"", name} {
				require.NoError(t, brokertest.Send(ch, exchange, name, warren.Message{}, warren.PublishOptions{}))
			}
			require.NoError(t, firstError(dropQueue(ch, i), dropExchange(ch, i)))
			channels = append(channels, ch)
		}
	})
	require.Less(t, kept/uint64(len(channels)), uint64(8<<10))
	runtime.KeepAlive(channels)
}
