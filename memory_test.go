package warren_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// runWithFullMemory fills queue "q" with messages up to a limit of 1000 bytes:
// ten of 0 to 9, with the bookkeeping of about 100 bytes that the limit counts.
func runWithFullMemory(t *testing.T, o *warren.Options, f func(t *testing.T, b *warren.Broker, ch *warren.Channel)) {
	t.Helper()
	o.MemoryLimit = 1000
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 9)...)
		require.GreaterOrEqual(t, b.Stats().Bytes, int64(1000))
		f(t, b, ch)
	})
}

func TestWhateverFreesMemoryWakesPublishers(t *testing.T) {
	for _, test := range []struct {
		name string
		free func(t *testing.T, ch *warren.Channel) error
	}{
		{"ack", func(t *testing.T, ch *warren.Channel) error {
			for range 2 {
				ch.Get("q", false)
			}
			return errors.Join(ch.Ack(1, false), ch.Ack(2, false))
		}},
		{"get without ack", func(t *testing.T, ch *warren.Channel) error {
			_, _, err := ch.Get("q", true)
			_, _, err2 := ch.Get("q", true)
			return errors.Join(err, err2)
		}},
		{"consume without ack", func(t *testing.T, ch *warren.Channel) error {
			c, err := ch.Consume("q", warren.ConsumeOptions{NoAck: true})
			for range 10 {
				_, err2 := c.Next(t.Context())
				err = errors.Join(err, err2)
			}
			return err
		}},
		{"reject", func(t *testing.T, ch *warren.Channel) error {
			for range 2 {
				ch.Get("q", false)
			}
			return errors.Join(ch.Reject(1, false), ch.Reject(2, false))
		}},
		{"nack of many", func(t *testing.T, ch *warren.Channel) error {
			var d warren.Delivery
			for range 5 {
				d, _, _ = ch.Get("q", false)
			}
			return d.Nack(true, false)
		}},
		{"purge", func(t *testing.T, ch *warren.Channel) error {
			n, err := ch.QueuePurge("q")
			require.Equal(t, 10, n)
			return err
		}},
		{"delete", func(t *testing.T, ch *warren.Channel) error {
			_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			return err
		}},
		{"delete with messages that are out", func(t *testing.T, ch *warren.Channel) error {
			for range 10 {
				ch.Get("q", false)
			}
			if _, err := ch.QueueDelete("q", warren.QueueDeleteOptions{}); err != nil {
				return err
			}
			return ch.Nack(2, true, true) // only now nobody has them any more
		}},
		{"commit", func(t *testing.T, ch *warren.Channel) error {
			if err := ch.Tx(); err != nil {
				return err
			}
			for range 2 {
				ch.Get("q", false)
			}
			return errors.Join(ch.Ack(0, true), ch.TxCommit())
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			runWithFullMemory(t, &warren.Options{}, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
				publisher := brokertest.Channel(t, b)
				brokertest.Queues(t, publisher, "other")
				result := brokertest.Blocked(t, t.Context(), publisher, "other", "x")
				require.NoError(t, test.free(t, ch))
				require.NoError(t, <-result)
				d, ok, err := publisher.Get("other", true)
				require.NoError(t, err)
				require.True(t, ok)
				require.Equal(t, "x", string(d.Body))
			})
		})
	}
}

func TestRequeueingFreesNoMemory(t *testing.T) {
	runWithFullMemory(t, &warren.Options{}, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		result := brokertest.Blocked(t, t.Context(), brokertest.Channel(t, b), "q", "x")
		d, _, err := ch.Get("q", false)
		require.NoError(t, err)
		require.NoError(t, d.Nack(false, true))
		synctest.Wait()
		require.Empty(t, result)
		require.NoError(t, b.Close())
		require.ErrorIs(t, <-result, warren.ErrClosed)
	})
}

func TestPublisherWaitsForMemoryUntilItsContextEnds(t *testing.T) {
	runWithFullMemory(t, &warren.Options{}, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		start := time.Now()
		time.AfterFunc(time.Hour, func() { require.Equal(t, 1, b.Stats().Waiting) })
		require.Zero(t, b.Stats().Waiting)
		err := ch.Publish(ctx, "", "q", warren.Message{}, warren.PublishOptions{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, warren.ErrMemoryLimit, "it says why it waited")
		require.Equal(t, 3*time.Hour, time.Since(start))
		require.Zero(t, b.Stats().Waiting)

		call, cancelCall := context.WithCancel(t.Context())
		result := brokertest.Call(call, b, "q", "x")
		synctest.Wait()
		require.Empty(t, result)
		cancelCall()
		require.ErrorIs(t, (<-result).Err, context.Canceled)
		require.Equal(t, 10, b.Stats().Ready, "nothing of this came in")
		require.Zero(t, b.Stats().Requesters)
	})
}

func TestPublisherFailsAtTheLimitIfSoChosen(t *testing.T) {
	runWithFullMemory(t, &warren.Options{MemoryPolicy: warren.FailPublishers}, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		err := ch.Publish(t.Context(), "", "q", warren.Message{}, warren.PublishOptions{})
		require.ErrorIs(t, err, warren.ErrMemoryLimit)
		_, err = b.Call(t.Context(), "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrMemoryLimit)
		require.Equal(t, 10, b.Stats().Ready)
		_, err = ch.QueuePurge("q")
		require.NoError(t, err)
		brokertest.Fill(t, ch, "q", "x")
	})
}

// Replies free memory in the end, so they pass.
func TestRepliesPassTheMemoryLimit(t *testing.T) {
	for _, policy := range []warren.MemoryPolicy{warren.BlockPublishers, warren.FailPublishers} {
		brokertest.RunWith(t, &warren.Options{MemoryLimit: 10_000, MemoryPolicy: policy}, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			fill := func() {
				for b.Stats().Bytes < 10_000 {
					brokertest.Fill(t, ch, "full", strings.Repeat("x", 300))
				}
			}
			brokertest.Queues(t, ch, "full")
			brokertest.Queues(t, ch, "manual")
			gate := brokertest.NewGate()
			brokertest.Handle(t, b, "handled", gate.Serve)
			first, second := brokertest.Call(t.Context(), b, "handled", "1"), brokertest.Call(t.Context(), b, "manual", "2")
			synctest.Wait()
			fill()
			close(gate.Release)
			require.NoError(t, (<-first).Err)
			fill()
			d, ok, err := ch.Get("manual", false)
			require.NoError(t, err)
			require.True(t, ok)
			require.NoError(t, ch.Publish(t.Context(), "", d.ReplyTo, warren.Message{Body: []byte("ok")}, warren.PublishOptions{}))
			require.Equal(t, "ok", string((<-second).Reply.Body))
			require.NoError(t, d.Ack(false))
			_, err = ch.QueuePurge("full")
			require.NoError(t, err)
			brokertest.Clean(t, b)
		})
	}
}

// Many publishers, a limit of a message or two: all get through, the limit is
// exceeded by a message each at most, and nothing is left at the end.
func TestManyPublishersGetThroughATinyLimit(t *testing.T) {
	for _, limit := range []int64{1, 150, 1000} {
		t.Run(strconv.FormatInt(limit, 10), func(t *testing.T) {
			brokertest.RunWith(t, &warren.Options{MemoryLimit: limit}, func(t *testing.T, b *warren.Broker) {
				const publishers, each, cost = 10, 20, 112
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "a")
				brokertest.Queues(t, ch, "b")
				var received atomic.Int32
				var most int64
				for _, queue := range []string{"a", "b"} {
					_, err := brokertest.Channel(t, b).ConsumeFunc(queue, warren.ConsumeOptions{Prefetch: 2}, func(_ context.Context, d warren.Delivery) error {
						if queue == "a" {
							most = max(most, b.Stats().Bytes)
						}
						time.Sleep(time.Millisecond)
						received.Add(1)
						return nil
					})
					require.NoError(t, err)
				}
				var wg sync.WaitGroup
				for i := range publishers {
					wg.Go(func() {
						for range each {
							queue := []string{"a", "b"}[i%2]
							if err := ch.Publish(t.Context(), "", queue, warren.Message{Body: make([]byte, 10)}, warren.PublishOptions{Mandatory: true}); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wg.Wait()
				time.Sleep(time.Minute)
				brokertest.Clean(t, b)
				require.EqualValues(t, publishers*each, received.Load())
				require.LessOrEqual(t, most, limit+(publishers+1)*cost)
			})
		})
	}
}

func TestNegativeMemoryLimitIsNone(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{MemoryLimit: -1}, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 99)...)
		require.GreaterOrEqual(t, b.Stats().Bytes, int64(100*100))
	})
}

func TestBytesAreZeroWhenAllIsSettled(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		for _, end := range []func() error{
			func() error { return ch.Ack(0, true) },
			func() error { return ch.Nack(0, true, false) },
			func() error { _, err := ch.QueuePurge("q"); return err },
			func() error { _, err := ch.QueueDelete("q", warren.QueueDeleteOptions{}); return err },
		} {
			brokertest.Queues(t, ch, "q")
			for i := range 50 {
				brokertest.Fill(t, ch, "q", string(make([]byte, 100*i)))
			}
			for range 20 {
				_, _, err := ch.Get("q", false)
				require.NoError(t, err)
			}
			if !brokertest.Paged {
				require.GreaterOrEqual(t, b.Stats().Bytes, int64(100*49*50/2+50*100))
			}
			require.NoError(t, end())
			for {
				d, ok, err := ch.Get("q", false)
				if !ok || err != nil {
					break
				}
				require.NoError(t, d.Ack(false))
			}
			ch.Ack(0, true)
			require.Zero(t, b.Stats().Bytes)
		}
	})
}

// A publisher on a channel that is closed has nothing to wait for.
func TestClosingAChannelFreesItsWaitingPublisher(t *testing.T) {
	runWithFullMemory(t, &warren.Options{}, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		publisher := brokertest.Channel(t, b)
		result := brokertest.Blocked(t, t.Context(), publisher, "q", "x")
		require.NoError(t, publisher.Close())
		synctest.Wait()
		select {
		case err := <-result:
			require.ErrorIs(t, err, warren.ErrClosed)
		default:
			t.Error("still waiting")
			require.NoError(t, b.Close())
			<-result
		}
	})
}

func TestDeliveriesOfADeletedQueueCountUntilTheyAreSettled(t *testing.T) {
	runWithFullMemory(t, &warren.Options{}, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		publisher := brokertest.Channel(t, b)
		brokertest.Queues(t, publisher, "other")
		result := brokertest.Blocked(t, t.Context(), publisher, "other", "x")
		for range 10 {
			_, _, err := ch.Get("q", false)
			require.NoError(t, err)
		}
		_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, result, "the channel has the messages still")
		require.NoError(t, ch.Nack(0, true, true))
		require.NoError(t, <-result)
	})
}

func TestMessagesWithoutAckCountUntilTheyAreRead(t *testing.T) {
	runWithFullMemory(t, &warren.Options{}, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		result := brokertest.Blocked(t, t.Context(), brokertest.Channel(t, b), "q", "x")
		c, err := ch.Consume("q", warren.ConsumeOptions{NoAck: true})
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, result, "the consumer has not read them")
		for range 2 {
			_, err := c.Next(t.Context())
			require.NoError(t, err)
		}
		require.NoError(t, <-result)
	})
}

// TestPropertiesAndKeysCount publishes one byte with much around it.
func TestPropertiesAndKeysCount(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.QueueBind("q", "#", "amq.topic", nil))
		long := strings.Repeat("x", 250)
		for _, tt := range []struct {
			key  string
			msg  warren.Message
			more int64
		}{
			{long, warren.Message{}, 250},
			{"k", warren.Message{MessageId: long, Type: long}, 500},
			{"k", warren.Message{Headers: warren.Table{"h": strings.Repeat("x", 100_000)}}, 100_000},
			{"k", warren.Message{Headers: warren.Table{"h": []any{warren.Table{"deep": make([]byte, 5000)}}}}, 5000},
			{"k", warren.Message{Headers: warren.Table{"BCC": []any{long}}}, 250},
		} {
			tt.msg.Body = []byte("x")
			brokertest.Send(ch, "amq.topic", tt.key, tt.msg, warren.PublishOptions{})
			require.Greater(t, b.Stats().Bytes, tt.more+100)
			_, err := ch.QueuePurge("q")
			require.NoError(t, err)
			require.Zero(t, b.Stats().Bytes)
		}
	})
}

// TestUnreadRepliesCount answers a requester in this process that does not read, until
// the memory is used up: it is cancelled as too slow, whatever room its buffer has.
func TestUnreadRepliesCount(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{MemoryLimit: 1_000_000}, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		c := brokertest.Consume(t, ch, warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		server := brokertest.Channel(t, b)
		brokertest.Queues(t, server, "q")
		brokertest.Send(ch, "", "q", warren.Message{ReplyTo: warren.DirectReplyTo}, warren.PublishOptions{})
		d, _, err := server.Get("q", true)
		require.NoError(t, err)
		reply := func() {
			brokertest.Send(server, "", d.ReplyTo, warren.Message{Body: make([]byte, 100_000)}, warren.PublishOptions{})
		}
		reply()
		require.Greater(t, b.Stats().Memory, int64(100_000))
		_, err = c.Next(t.Context())
		require.NoError(t, err)
		require.Zero(t, b.Stats().Memory)
		for range 12 {
			reply()
		}
		require.Equal(t, uint64(1), b.Stats().RepliesTooFast)
		require.Zero(t, b.Stats().Memory, "nobody need read the rest")
		for err == nil {
			_, err = c.Next(t.Context())
		}
		require.ErrorIs(t, err, warren.ErrSlowConsumer)
	})
}
