package warren_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// loses are options of a queue that loses at once what it gets.
func loses(exchange, key string) warren.QueueOptions {
	return warren.QueueOptions{
		Args:       warren.Table{"x-max-length": int64(0)},
		DeadLetter: &warren.DeadLetter{Exchange: exchange, RoutingKey: key},
	}
}

// meshed makes n queues that dead-letter to all of them.
func meshed(t *testing.T, ch *warren.Channel, n int) {
	brokertest.Exchanges(t, ch, warren.Fanout, "dlx")
	for i := range n {
		name := fmt.Sprint("q", i)
		brokertest.Queue(t, ch, name, loses("dlx", ""))
		require.NoError(t, ch.QueueBind(name, "", "dlx", nil))
	}
}

// TestDeadLetterCyclesAreBounded: of twelve queues that dead-letter to all of them, a
// message that goes through each order of them becomes 1.3 billion letters.
func TestDeadLetterCyclesAreBounded(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		meshed(t, ch, 12)
		brokertest.Fill(t, ch, "q0", "m")
		brokertest.Later(time.Millisecond)
		s := b.Stats()
		require.Positive(t, s.LettersDropped)
		require.LessOrEqual(t, s.Published, uint64(1+4096+4*12))
		require.Greater(t, s.Published, uint64(4096))
		require.Zero(t, s.Ready)

		brokertest.Fill(t, ch, "q0", "m")
		brokertest.Later(time.Millisecond)
		require.Equal(t, 2*s.LettersDropped, b.Stats().LettersDropped, "each message has a count of its own")
	})
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		meshed(t, ch, 6)
		brokertest.Fill(t, ch, "q0", "m")
		require.Equal(t, uint64(1+5+5*4+5*4*3+5*4*3*2+5*4*3*2*1), b.Stats().Published, "few queues: RabbitMQ's rule alone")
		require.Zero(t, b.Stats().LettersDropped)
	})
}

// TestDeadLetterCyclesEndWithTheBroker: Close does not wait for letters.
func TestDeadLetterCyclesEndWithTheBroker(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		meshed(t, ch, 300)
		brokertest.Fill(t, ch, "q0", "m", "m", "m")
		require.NoError(t, b.Close())
		brokertest.Later(time.Millisecond)
		require.Zero(t, b.Stats().Memory, "nothing waits to be sent")
	})
}

// TestDeadLettersToManyQueuesAreAllDelivered: a letter goes to thousands of queues,
// where it expires, and all copies come to one archive.
func TestDeadLettersToManyQueuesAreAllDelivered(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		const many = 3000 // 6,000 letters
		ch := brokertest.Channel(t, b)
		brokertest.Exchanges(t, ch, warren.Fanout, "dlx")
		brokertest.Queue(t, ch, "first", warren.QueueOptions{MessageTTL: time.Second, DeadLetter: &warren.DeadLetter{Exchange: "dlx"}})
		brokertest.Queues(t, ch, "archive")
		for i := range many {
			name := fmt.Sprint("q", i)
			brokertest.Queue(t, ch, name, warren.QueueOptions{MessageTTL: time.Second, DeadLetter: &warren.DeadLetter{RoutingKey: "archive"}})
			require.NoError(t, ch.QueueBind(name, "", "dlx", nil))
		}
		brokertest.Fill(t, ch, "first", "m")
		brokertest.Later(3 * time.Second)
		require.Equal(t, many, brokertest.Ready(t, ch, "archive"))
		require.Zero(t, b.Stats().LettersDropped)
	})
}

// TestRejectionsBeginTheCountOfDeadLettersAgain: a message is rejected, waits and is
// tried again, more often than it could die by itself.
func TestRejectionsBeginTheCountOfDeadLettersAgain(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		const rounds = 600
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "work", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "wait"}})
		brokertest.Queue(t, ch, "wait", warren.QueueOptions{MessageTTL: time.Second, DeadLetter: &warren.DeadLetter{RoutingKey: "work"}})
		brokertest.Fill(t, ch, "work", "m")
		for i := range rounds {
			d := brokertest.Take(t, ch, "work")
			if i > 0 {
				require.Equal(t, int64(i), d.Headers["x-death"].([]any)[0].(warren.Table)["count"])
			}
			require.NoError(t, d.Reject(false))
			brokertest.Later(time.Second)
		}
		require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, "work"))
		require.Zero(t, b.Stats().LettersDropped)
	})
}

// TestDeathsInARowAreBounded: a chain of queues, each of which loses its messages to the
// next.
func TestDeathsInARowAreBounded(t *testing.T) {
	for _, c := range []struct {
		deaths  int
		arrives []string
		dropped uint64
	}{{256, []string{"m"}, 0}, {257, []string{}, 1}} {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			for i := range c.deaths {
				brokertest.Queue(t, ch, fmt.Sprint(i), loses("", fmt.Sprint(i+1)))
			}
			brokertest.Queues(t, ch, fmt.Sprint(c.deaths))
			brokertest.Fill(t, ch, "0", "m")
			brokertest.Later(time.Millisecond)
			require.Equal(t, c.arrives, brokertest.Drain(t, ch, fmt.Sprint(c.deaths)))
			require.Equal(t, c.dropped, b.Stats().LettersDropped)
		})
	}
}

// TestDelayedDeadLettersStayInTheirLine: an exchange that delays the letters on their
// way does not begin a new count.
func TestDelayedDeadLettersStayInTheirLine(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		require.NoError(t, ch.ExchangeDeclare("delayed", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Direct}))
		brokertest.Queue(t, ch, "start", loses("delayed", "150"))
		for i := range 300 {
			brokertest.Queue(t, ch, fmt.Sprint(i), loses("", fmt.Sprint(i+1)))
		}
		brokertest.Queues(t, ch, "300")
		require.NoError(t, ch.QueueBind("0", "150", "delayed", nil))
		require.NoError(t, brokertest.Send(ch, "", "start", warren.Message{
			Headers: warren.Table{warren.DelayHeader: warren.Delay(time.Second)},
		}, warren.PublishOptions{}))
		brokertest.Later(2 * time.Second)
		require.Empty(t, brokertest.Drain(t, ch, "300"))
		require.Equal(t, uint64(1), b.Stats().LettersDropped)
		require.Equal(t, uint64(1+256), b.Stats().Published, "the first death counts, too")
	})
}

// TestDroppedLettersAreLogged once, however many they are.
func TestDroppedLettersAreLogged(t *testing.T) {
	var log logText
	const line = "dead letters are dropped"
	brokertest.RunWith(t, &warren.Options{Logger: log.logger(slog.LevelWarn)}, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		meshed(t, ch, 9)
		brokertest.Fill(t, ch, "q0", "m", "m")
		brokertest.Later(time.Millisecond)
		require.Greater(t, b.Stats().LettersDropped, uint64(2))
		require.Equal(t, 1, strings.Count(log.String(), line))
		brokertest.Later(time.Minute)
		brokertest.Fill(t, ch, "q0", "m")
		brokertest.Later(time.Millisecond)
		require.Equal(t, 2, strings.Count(log.String(), line))
	})
}

// TestDeadLettersDoNotExceedTheMemoryLimitByMuch: a message that dies counts once for
// each queue that gets the letter.
func TestDeadLettersDoNotExceedTheMemoryLimitByMuch(t *testing.T) {
	const limit, messages, queues, size = 32 << 20, 100, 100, 10 << 10
	brokertest.RunWith(t, &warren.Options{MemoryLimit: limit}, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "dies", warren.QueueOptions{
			MessageTTL: time.Second, DeadLetter: &warren.DeadLetter{Exchange: "amq.fanout"},
		})
		for i := range queues {
			brokertest.Queues(t, ch, fmt.Sprint(i))
			require.NoError(t, ch.QueueBind(fmt.Sprint(i), "", "amq.fanout", nil))
		}
		for range messages {
			require.NoError(t, brokertest.Send(ch, "", "dies", warren.Message{Body: make([]byte, size)}, warren.PublishOptions{}))
		}
		brokertest.Later(2 * time.Second)
		s := b.Stats()
		require.Less(t, s.Memory, int64(limit+limit/4+queues*size*2))
		require.Greater(t, s.LettersDropped, uint64(messages/2))
		require.Equal(t, messages-int(s.LettersDropped), brokertest.Ready(t, ch, "0"), "the rest has arrived")
	})
}
