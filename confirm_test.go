package warren_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func publishConfirm(t testing.TB, ch *warren.Channel, exchange, key, body string, o warren.PublishOptions) (*warren.Confirmation, error) {
	t.Helper()
	return ch.PublishConfirm(t.Context(), exchange, key, warren.Message{Body: []byte(body)}, o)
}

// isAnswered requires an answer, which must be there, with the number.
func isAnswered(t testing.TB, c *warren.Confirmation, tag uint64, acked bool) {
	t.Helper()
	require.NotNil(t, c)
	require.Equal(t, tag, c.DeliveryTag)
	select {
	case <-c.Done():
	default:
		require.Fail(t, "no answer")
	}
	require.Equal(t, acked, c.Acked())
	if acked {
		require.NoError(t, c.Wait(t.Context()))
	} else {
		require.ErrorIs(t, c.Wait(t.Context()), warren.ErrNacked)
	}
}

// refusing makes a queue that nacks what is tooLong.
var refusing = warren.QueueOptions{MaxLengthBytes: 100, Overflow: warren.RejectPublish}

var tooLong = strings.Repeat("x", 101)

func TestConfirmSelect(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		_, err := publishConfirm(t, ch, "", "q", "m", warren.PublishOptions{})
		require.ErrorIs(t, err, warren.ErrPreconditionFailed, "not without confirm.select")
		require.NoError(t, ch.Confirm())
		require.NoError(t, ch.Confirm(), "may be repeated")
		brokertest.Fails(t, ch.Tx(), 406, 90, 10, "PRECONDITION_FAILED - cannot switch from confirm to tx mode")

		tx := brokertest.Channel(t, b)
		require.NoError(t, tx.Tx())
		brokertest.Fails(t, tx.Confirm(), 406, 85, 10, "PRECONDITION_FAILED - cannot switch from tx to confirm mode")
	})
}

func TestConfirmNumbersEveryPublish(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Put(t, ch, "", "q", "before confirm.select: no number")
		require.NoError(t, ch.Confirm())
		c, err := publishConfirm(t, ch, "", "q", "m", warren.PublishOptions{})
		require.NoError(t, err)
		isAnswered(t, c, 1, true)

		brokertest.Put(t, ch, "", "q", "2: Publish counts, too")

		c, err = publishConfirm(t, ch, "", "nobody", "m", warren.PublishOptions{})
		require.NoError(t, err)
		isAnswered(t, c, 3, true) // dropped: the broker has done its duty

		c, err = publishConfirm(t, ch, "", "nobody", "m", warren.PublishOptions{Mandatory: true})
		brokertest.Returned(t, err, 312, "NO_ROUTE")
		isAnswered(t, c, 4, true)

		c, err = publishConfirm(t, ch, "", "q", "m", warren.PublishOptions{Immediate: true})
		brokertest.Returned(t, err, 313, "NO_CONSUMERS")
		isAnswered(t, c, 5, true)

		require.NoError(t, ch.Confirm())
		c, err = publishConfirm(t, ch, "", "q", "m", warren.PublishOptions{})
		require.NoError(t, err)
		isAnswered(t, c, 6, true) // the count goes on

		require.NoError(t, other.Confirm())
		c, err = publishConfirm(t, other, "", "q", "m", warren.PublishOptions{})
		require.NoError(t, err)
		isAnswered(t, c, 1, true) // each channel counts for itself
	})
}

func TestConfirmOfARefusedPublish(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		require.NoError(t, ch.Confirm())
		c, err := publishConfirm(t, ch, "missing", "k", "m", warren.PublishOptions{})
		brokertest.Fails(t, err, 404, 60, 40, "NOT_FOUND - no exchange 'missing' in vhost '/'")
		require.Nil(t, c, "an error of the channel has no answer")
	})
}

func TestNackWhenAQueueCannotKeepTheMessage(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "fails", refusing)
		brokertest.Queues(t, ch, "keeps")
		for _, q := range []string{"fails", "keeps"} {
			require.NoError(t, ch.QueueBind(q, "", "amq.fanout", nil))
		}
		require.NoError(t, ch.Confirm())

		c, err := publishConfirm(t, ch, "", "fails", "good", warren.PublishOptions{})
		require.NoError(t, err)
		isAnswered(t, c, 1, true)
		c, err = publishConfirm(t, ch, "", "fails", tooLong, warren.PublishOptions{})
		require.NoError(t, err)
		isAnswered(t, c, 2, false)
		c, err = publishConfirm(t, ch, "", "fails", tooLong, warren.PublishOptions{Mandatory: true})
		require.NoError(t, err, "a nack and no return")
		isAnswered(t, c, 3, false)
		c, err = publishConfirm(t, ch, "amq.fanout", "", tooLong, warren.PublishOptions{Mandatory: true})
		require.NoError(t, err)
		isAnswered(t, c, 4, false) // one of two is enough
		c, err = publishConfirm(t, ch, "amq.fanout", "", "good again", warren.PublishOptions{})
		require.NoError(t, err)
		isAnswered(t, c, 5, true)

		require.NoError(t, ch.QueueBind("fails", "k", "amq.direct", nil))
		c, err = publishConfirm(t, ch, "amq.direct", "k", tooLong, warren.PublishOptions{Mandatory: true})
		require.NoError(t, err, "all matched queues refuse: a nack and no return")
		isAnswered(t, c, 6, false)

		require.ErrorIs(t, brokertest.Send(ch, "", "fails", warren.Message{Body: []byte(tooLong)}, warren.PublishOptions{}), warren.ErrNacked,
			"Publish in confirm mode tells, too")
		require.Equal(t, []string{"good", "good again"}, brokertest.Drain(t, ch, "fails"))
		require.Equal(t, []string{tooLong, "good again"}, brokertest.Drain(t, ch, "keeps"))
		require.Zero(t, b.Stats().Returned)
	})
}

func TestConfirmNumbersOfManyPublishersAreUnique(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.Confirm())
		const publishers, each = 4, 25
		tags := make(chan uint64, publishers*each)
		for range publishers {
			go func() {
				for range each {
					c, err := ch.PublishConfirm(context.Background(), "", "q", warren.Message{}, warren.PublishOptions{})
					if err != nil || c.Wait(context.Background()) != nil {
						tags <- 0
						continue
					}
					tags <- c.DeliveryTag
				}
			}()
		}
		seen := map[uint64]bool{}
		for range publishers * each {
			tag := <-tags
			require.NotZero(t, tag)
			require.LessOrEqual(t, tag, uint64(publishers*each))
			require.False(t, seen[tag])
			seen[tag] = true
		}
		require.Equal(t, publishers*each, brokertest.Ready(t, ch, "q"))
	})
}

func TestWaitForAnAnswerThatIsThereIgnoresItsContext(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		require.NoError(t, ch.Confirm())
		c, err := publishConfirm(t, ch, "", "q", "m", warren.PublishOptions{})
		require.NoError(t, err)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("done"))
		for range 50 {
			require.NoError(t, c.Wait(ctx))
		}
	})
}
