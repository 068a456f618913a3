package warren_test

import (
	"context"
	"fmt"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestConsumeRefuses(t *testing.T) {
	for _, c := range []struct {
		rule, queue string
		first       *warren.ConsumeOptions // of a consumer that q has already
		options     warren.ConsumeOptions
		code        uint16
		text        string
	}{
		{"a missing queue", "missing", nil, warren.ConsumeOptions{}, 404, "NOT_FOUND - no queue 'missing' in vhost '/'"},
		{"a tag in use", "q", &warren.ConsumeOptions{Tag: "t"}, warren.ConsumeOptions{Tag: "t"}, 530,
			"NOT_ALLOWED - attempt to reuse consumer tag 't'"},
		{"a tag in use, whatever the queue", "missing", &warren.ConsumeOptions{Tag: "t"}, warren.ConsumeOptions{Tag: "t"}, 530,
			"NOT_ALLOWED - attempt to reuse consumer tag 't'"},
		{"an exclusive consumer beside another", "q", &warren.ConsumeOptions{}, warren.ConsumeOptions{Exclusive: true}, 403,
			"ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"},
		{"a consumer beside an exclusive one", "q", &warren.ConsumeOptions{Exclusive: true}, warren.ConsumeOptions{}, 403,
			"ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"},
		{"two exclusive consumers", "q", &warren.ConsumeOptions{Exclusive: true}, warren.ConsumeOptions{Exclusive: true}, 403,
			"ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				if c.first != nil {
					brokertest.Consume(t, ch, "q", *c.first)
				}
				before := b.Stats().Consumers
				_, err := ch.Consume(c.queue, c.options)
				brokertest.Fails(t, err, c.code, 60, 20, c.text)
				require.Equal(t, before, b.Stats().Consumers)
				if c.code != 530 {
					brokertest.Queues(t, ch, "free")
					c.options.Tag = "again"
					c.options.Exclusive = false
					brokertest.Consume(t, ch, "free", c.options) // the refused one left nothing behind
				}
			})
		})
	}
}

func TestExclusiveConsumerBlocksOnlyWhileItIsThere(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		first := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Exclusive: true})
		brokertest.Put(t, ch, "", "q", "1")
		require.Equal(t, []string{"1"}, brokertest.Bodies(brokertest.Read(t, first)))
		require.NoError(t, ch.Flow(false))
		brokertest.Put(t, ch, "", "q", "2")
		require.Equal(t, []string{"2"}, brokertest.Drain(t, other, "q"), "basic.get is allowed")
		_, err := other.Consume("q", warren.ConsumeOptions{})
		require.ErrorIs(t, err, warren.ErrAccessRefused)
		require.NoError(t, first.Cancel())
		second := brokertest.Consume(t, other, "q", warren.ConsumeOptions{})
		_, err = ch.Consume("q", warren.ConsumeOptions{Exclusive: true})
		require.ErrorIs(t, err, warren.ErrAccessRefused)
		require.NoError(t, second.Cancel())
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Exclusive: true})
	})
}

func TestConsumerTags(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		one, two := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{}), brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		require.Regexp(t, regexp.MustCompile(`^amq\.ctag-.{16,}$`), one.Tag())
		require.NotEqual(t, one.Tag(), two.Tag())
		require.NoError(t, one.Cancel())
		require.NoError(t, two.Cancel())

		named := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Tag: "t"})
		require.Equal(t, "t", named.Tag())
		brokertest.Put(t, ch, "", "q", "m")
		require.Equal(t, "t", brokertest.Next(t, named).ConsumerTag)
		brokertest.Consume(t, other, "q", warren.ConsumeOptions{Tag: "t"}) // another channel's tags are its own
		require.NoError(t, ch.Cancel("t"))
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Tag: "t"}) // free again
	})
}

func TestTagIsFreeAfterTheBrokerCancelledItsConsumer(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{MaxConsumers: 1}, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Tag: "t"})
		_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		brokertest.Queues(t, ch, "q")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Tag: "t"})
		brokertest.Put(t, ch, "", "q", "m")
		require.Equal(t, []string{"m"}, brokertest.Bodies(brokertest.Read(t, c)))
	})
}

func TestDeliveryTagsCountTheChannelsDeliveries(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q", "r")
		brokertest.Put(t, ch, "", "q", "1", "2", "3")
		acking := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
		require.EqualValues(t, 1, brokertest.Next(t, acking).DeliveryTag)
		require.EqualValues(t, 2, brokertest.Take(t, ch, "q").DeliveryTag)
		d, ok, err := ch.Get("q", true)
		require.NoError(t, err)
		require.True(t, ok)
		require.EqualValues(t, 3, d.DeliveryTag, "without ack, too")
		brokertest.Put(t, ch, "", "r", "1", "2")
		noAck := brokertest.Consume(t, ch, "r", warren.ConsumeOptions{NoAck: true})
		require.EqualValues(t, 4, brokertest.Next(t, noAck).DeliveryTag)
		require.EqualValues(t, 5, brokertest.Next(t, noAck).DeliveryTag)

		brokertest.Put(t, ch, "", "q", "4")
		require.EqualValues(t, 1, brokertest.Take(t, other, "q").DeliveryTag, "each channel counts for itself")
	})
}

func TestGet(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		_, _, err := ch.Get("q", false)
		brokertest.Fails(t, err, 404, 60, 70, "NOT_FOUND - no queue 'q' in vhost '/'")
		brokertest.Queues(t, ch, "q")
		_, ok, err := ch.Get("q", false)
		require.NoError(t, err)
		require.False(t, ok)

		require.NoError(t, ch.QueueBind("q", "k", "amq.direct", nil))
		brokertest.Put(t, ch, "amq.direct", "k", "1", "2", "3")
		d := brokertest.Take(t, ch, "q")
		require.Equal(t, "1", string(d.Body))
		require.Equal(t, "amq.direct", d.Exchange)
		require.Equal(t, "k", d.RoutingKey)
		require.Equal(t, 2, d.MessageCount, "the ready messages that are left")
		require.Empty(t, d.ConsumerTag)
		require.False(t, d.Redelivered)
		require.Equal(t, 1, brokertest.Take(t, ch, "q").MessageCount)
		require.Equal(t, 0, brokertest.Take(t, ch, "q").MessageCount)
		require.Equal(t, 3, b.Stats().Unacked)
		require.NoError(t, d.Reject(true))
		d = brokertest.Take(t, ch, "q")
		require.True(t, d.Redelivered)
	})
}

func TestGetDoesNotCountWhatHasExpired(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Put(t, ch, "", "q", "1")
		require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{Expiration: "10"}, warren.PublishOptions{}))
		brokertest.Put(t, ch, "", "q", "3")
		time.Sleep(time.Second)
		require.Equal(t, 3, brokertest.Ready(t, ch, "q"), "it is not at the head")
		require.Equal(t, 1, brokertest.Take(t, ch, "q").MessageCount)
	})
}

func TestConsumersTakeTurns(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		consumers := []*warren.Consumer{
			brokertest.Consume(t, ch, "q", warren.ConsumeOptions{}),
			brokertest.Consume(t, other, "q", warren.ConsumeOptions{NoAck: true}),
			brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 10}),
		}
		brokertest.Put(t, ch, "", "q", "0", "1", "2", "3", "4", "5", "6", "7", "8")
		for i, c := range consumers {
			require.Equal(t, []string{fmt.Sprint(i), fmt.Sprint(i + 3), fmt.Sprint(i + 6)}, brokertest.Bodies(brokertest.Read(t, c)))
		}
	})
}

func TestAConsumerWithoutRoomLosesItsTurn(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		slow := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
		fast := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 10})
		brokertest.Put(t, ch, "", "q", "1", "2", "3", "4")
		held := brokertest.Read(t, slow)
		require.Equal(t, []string{"1"}, brokertest.Bodies(held))
		require.Equal(t, []string{"2", "3", "4"}, brokertest.Bodies(brokertest.Read(t, fast)))
		require.NoError(t, held[0].Ack(false))
		brokertest.Put(t, ch, "", "q", "5", "6")
		require.Len(t, brokertest.Read(t, slow), 1, "it takes turns again")
		require.Len(t, brokertest.Read(t, fast), 1)
	})
}

func TestConsumerPriority(t *testing.T) {
	for rule, high := range map[string]warren.ConsumeOptions{
		"as an option":                      {Priority: 5, Prefetch: 2},
		"as an argument":                    {Args: warren.Table{"x-priority": int32(5)}, Prefetch: 2},
		"as an argument of another integer": {Args: warren.Table{"x-priority": int8(5)}, Prefetch: 2},
	} {
		t.Run(rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				negative := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Priority: -1, Prefetch: 10})
				normal := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
				first := brokertest.Consume(t, ch, "q", high)
				second := brokertest.Consume(t, ch, "q", high)
				brokertest.Put(t, ch, "", "q", "1", "2", "3", "4", "5", "6", "7")
				held := brokertest.Read(t, first)
				require.Equal(t, []string{"1", "3"}, brokertest.Bodies(held), "the highest take turns while they have room")
				require.Equal(t, []string{"2", "4"}, brokertest.Bodies(brokertest.Read(t, second)))
				require.Equal(t, []string{"5"}, brokertest.Bodies(brokertest.Read(t, normal)))
				require.Equal(t, []string{"6", "7"}, brokertest.Bodies(brokertest.Read(t, negative)))
				require.NoError(t, held[0].Ack(false))
				brokertest.Put(t, ch, "", "q", "8", "9")
				require.Equal(t, []string{"8"}, brokertest.Bodies(brokertest.Read(t, first)))
				require.Equal(t, []string{"9"}, brokertest.Bodies(brokertest.Read(t, negative)))
			})
		})
	}
	t.Run("must be an integer", func(t *testing.T) {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q")
			for _, bad := range []any{"5", 5.0, true, nil} {
				_, err := ch.Consume("q", warren.ConsumeOptions{Args: warren.Table{"x-priority": bad}})
				var e *warren.Error
				require.ErrorAs(t, err, &e)
				require.EqualValues(t, 406, e.Code)
				require.Contains(t, e.Text, "PRECONDITION_FAILED - invalid arg 'x-priority'")
			}
		})
	})
}

func TestCancel(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		require.NoError(t, ch.Cancel("unknown"))
		brokertest.Queues(t, ch, "q")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Tag: "t"})
		brokertest.Put(t, ch, "", "q", "1", "2", "3")
		d := brokertest.Next(t, c)
		require.NoError(t, ch.Cancel("t"))
		require.NoError(t, ch.Cancel("t"))
		require.NoError(t, c.Cancel())
		require.Equal(t, warren.Queue{Name: "q", Messages: 2}, brokertest.State(t, ch, "q"), "what nobody has read is ready again")
		_, err := c.Next(t.Context())
		require.ErrorIs(t, err, warren.ErrClosed)
		two := brokertest.Take(t, ch, "q")
		require.Equal(t, "2", string(two.Body))
		require.False(t, two.Redelivered, "nobody has seen it")
		require.NoError(t, d.Ack(false), "what was delivered can still be settled")
		require.Equal(t, 1, b.Stats().Unacked)
	})
}

func TestCancelEndsAWaitingReader(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		errs := make(chan error, 2)
		for range cap(errs) {
			go func() { _, err := c.Next(context.Background()); errs <- err }()
		}
		synctest.Wait()
		require.NoError(t, c.Cancel())
		require.ErrorIs(t, <-errs, warren.ErrClosed)
		require.ErrorIs(t, <-errs, warren.ErrClosed)
	})
}

func TestDeletingAQueueCancelsItsConsumers(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		one, two := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{}), brokertest.Consume(t, other, "q", warren.ConsumeOptions{})
		errs := make(chan error)
		go func() { _, err := two.Next(context.Background()); errs <- err }()
		synctest.Wait()
		brokertest.Put(t, ch, "", "q", "m") // to one
		_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.ErrorIs(t, <-errs, warren.ErrConsumerCancelled)
		d := brokertest.Next(t, one) // had arrived before
		require.Equal(t, "m", string(d.Body))
		_, err = one.Next(t.Context())
		require.ErrorIs(t, err, warren.ErrConsumerCancelled)
		require.NoError(t, d.Ack(false))
		require.NoError(t, one.Cancel(), "no consumer is no error")
	})
}

func TestNoAckSettlesOnDelivery(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{NoAck: true})
		brokertest.Put(t, ch, "", "q", "1")
		d := brokertest.Next(t, c)
		require.Zero(t, b.Stats().Unacked)
		brokertest.Fails(t, d.Ack(false), 406, 60, 80, "PRECONDITION_FAILED - unknown delivery tag 1")
		require.NoError(t, ch.Close())
		require.Zero(t, b.Stats().Ready, "it does not come back")
	})
}

func TestMaxConsumers(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{MaxConsumers: 2}, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		_, err := ch.Consume("q", warren.ConsumeOptions{})
		brokertest.Fails(t, err, 530, 60, 20, "NOT_ALLOWED - reached maximum (2) of consumers per channel")
		brokertest.Consume(t, other, "q", warren.ConsumeOptions{})
		require.NoError(t, c.Cancel())
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
	})
}
