package warren_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestTxNeedsTxSelect(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Fails(t, ch.TxCommit(), 406, 90, 20, "PRECONDITION_FAILED - channel is not transactional")
		brokertest.Fails(t, ch.TxRollback(), 406, 90, 30, "PRECONDITION_FAILED - channel is not transactional")
		require.NoError(t, ch.Tx())
		require.NoError(t, ch.Tx(), "may be repeated")
		require.NoError(t, ch.TxCommit(), "of nothing")
		require.NoError(t, ch.TxRollback())
	})
}

func TestTxCommitPublishesInOrder(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.TxChannel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, other, "q")
		brokertest.Put(t, ch, "", "q", "1", "2", "3")
		require.Zero(t, brokertest.Ready(t, other, "q"))
		require.NoError(t, ch.TxCommit())
		require.Equal(t, []string{"1", "2", "3"}, brokertest.Drain(t, other, "q"))
		require.NoError(t, ch.TxCommit())
		require.Zero(t, brokertest.Ready(t, other, "q"), "once")
		brokertest.Put(t, ch, "", "q", "4")
		require.Zero(t, brokertest.Ready(t, other, "q"), "the next transaction has begun")
		require.NoError(t, ch.TxCommit())
		require.Equal(t, []string{"4"}, brokertest.Drain(t, other, "q"))
	})
}

func TestTxRollbackForgetsPublishes(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.TxChannel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Put(t, ch, "", "q", "1")
		require.NoError(t, ch.TxRollback())
		require.NoError(t, ch.TxCommit())
		require.Zero(t, brokertest.Ready(t, ch, "q"))
	})
}

func TestTxRoutesWhenPublished(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.TxChannel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "old", "new")
		require.NoError(t, ch.QueueBind("old", "k", "amq.direct", nil))
		brokertest.Put(t, ch, "amq.direct", "k", "m")
		require.NoError(t, other.QueueUnbind("old", "k", "amq.direct", nil))
		require.NoError(t, other.QueueBind("new", "k", "amq.direct", nil))
		require.NoError(t, ch.TxCommit())
		require.Equal(t, []string{"m"}, brokertest.Drain(t, other, "old"))
		require.Empty(t, brokertest.Drain(t, other, "new"))
	})
}

func TestTxPublishIsCheckedAtOnce(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.TxChannel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Put(t, ch, "", "q", "1")
		brokertest.Fails(t, brokertest.Send(ch, "missing", "k", warren.Message{}, warren.PublishOptions{}), 404, 60, 40, "NOT_FOUND - no exchange 'missing' in vhost '/'")
		require.NoError(t, ch.TxCommit())
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"))
	})
}

func TestTxReturnsAtCommit(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.TxChannel(t, b)
		brokertest.Queues(t, ch, "q", "goes")
		publish := func(key, body string, o warren.PublishOptions) {
			require.NoError(t, brokertest.Send(ch, "", key, warren.Message{Body: []byte(body)}, o))
		}
		publish("nobody", "1", warren.PublishOptions{Mandatory: true})
		publish("q", "2", warren.PublishOptions{Mandatory: true})
		publish("q", "3", warren.PublishOptions{Immediate: true})
		publish("goes", "4", warren.PublishOptions{Mandatory: true})
		_, err := ch.QueueDelete("goes", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		err = ch.TxCommit()
		joined, ok := err.(interface{ Unwrap() []error })
		require.True(t, ok, "%v", err)
		list := joined.Unwrap()
		require.Len(t, list, 3)
		for i, want := range []struct {
			code       uint16
			text, body string
		}{{312, "NO_ROUTE", "1"}, {313, "NO_CONSUMERS", "3"}, {312, "NO_ROUTE", "4"}} {
			require.Equal(t, want.body, string(brokertest.Returned(t, list[i], want.code, want.text).Body))
		}
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"), "the rest is carried out")

		publish("nobody", "5", warren.PublishOptions{Mandatory: true})
		require.NoError(t, ch.TxRollback(), "no return for what was never sent")
		require.EqualValues(t, 3, b.Stats().Returned)
	})
}

func TestTxCommitTellsOfNacks(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.TxChannel(t, b)
		brokertest.Queue(t, ch, "q", refusing)
		brokertest.Put(t, ch, "", "q", "1", tooLong, "2")
		require.ErrorIs(t, ch.TxCommit(), warren.ErrNacked)
		require.Equal(t, 2, brokertest.Ready(t, ch, "q"))
		require.NoError(t, ch.TxCommit())
	})
}

func TestTxHoldsSettlementsBack(t *testing.T) {
	for name, c := range map[string]struct {
		settle func(d warren.Delivery) error
		ready  []string // after commit
	}{
		"ack":      {func(d warren.Delivery) error { return d.Ack(false) }, []string{"2"}},
		"nack":     {func(d warren.Delivery) error { return d.Nack(false, false) }, []string{"2"}},
		"requeue":  {func(d warren.Delivery) error { return d.Nack(false, true) }, []string{"1", "2"}},
		"reject":   {func(d warren.Delivery) error { return d.Reject(true) }, []string{"1", "2"}},
		"multiple": {func(d warren.Delivery) error { return d.Ack(true) }, []string{"2"}},
	} {
		t.Run(name+"/commit", func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.TxChannel(t, b)
				other := brokertest.Channel(t, b)
				brokertest.Queues(t, other, "q")
				brokertest.Put(t, other, "", "q", "1", "2")
				d := brokertest.Take(t, ch, "q")
				require.NoError(t, c.settle(d))
				require.Equal(t, 1, b.Stats().Unacked, "not yet")
				require.Equal(t, 1, b.Stats().Ready)
				brokertest.Fails(t, ch.Ack(d.DeliveryTag, false), 406, 60, 80, "PRECONDITION_FAILED - unknown delivery tag 1")
				require.NoError(t, ch.TxCommit())
				require.Zero(t, b.Stats().Unacked)
				require.Equal(t, c.ready, brokertest.Drain(t, other, "q"))
			})
		})
		t.Run(name+"/rollback", func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.TxChannel(t, b)
				other := brokertest.Channel(t, b)
				brokertest.Queues(t, other, "q")
				brokertest.Put(t, other, "", "q", "1", "2")
				d := brokertest.Take(t, ch, "q")
				require.NoError(t, c.settle(d))
				require.NoError(t, ch.TxRollback())
				require.Equal(t, 1, b.Stats().Unacked)
				require.Equal(t, 1, b.Stats().Ready, "nothing is redelivered")
				require.NoError(t, c.settle(d), "it waits to be settled again")
				require.NoError(t, ch.TxCommit())
				require.Equal(t, c.ready, brokertest.Drain(t, other, "q"))
			})
		})
	}
}

func TestTxChecksTagsAtOnce(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.TxChannel(t, b)
		brokertest.Fails(t, ch.Ack(1, false), 406, 60, 80, "PRECONDITION_FAILED - unknown delivery tag 1")
		brokertest.Fails(t, ch.Nack(1, true, true), 406, 60, 120, "PRECONDITION_FAILED - unknown delivery tag 1")
		require.NoError(t, ch.TxCommit())
	})
}

func TestTxCommitPublishesBeforeItSettles(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.TxChannel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, other, "q")
		brokertest.Put(t, other, "", "q", "old")
		d := brokertest.Take(t, ch, "q")
		waiting := brokertest.Consume(t, other, "q", warren.ConsumeOptions{})
		require.NoError(t, d.Nack(false, true))
		brokertest.Put(t, ch, "", "q", "new")
		require.Empty(t, brokertest.Read(t, waiting))
		require.NoError(t, ch.TxCommit())
		require.Equal(t, []string{"new", "old"}, brokertest.Bodies(brokertest.Read(t, waiting)))
	})
}

func TestTxSettlementsFreeThePrefetchAtCommit(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.TxChannel(t, b)
		other := brokertest.Channel(t, b)
		brokertest.Queues(t, other, "q")
		brokertest.Put(t, other, "", "q", "1", "2", "3")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
		d := brokertest.Next(t, c)
		require.NoError(t, d.Ack(false))
		require.Empty(t, brokertest.Read(t, c))
		require.NoError(t, ch.TxRollback())
		require.Empty(t, brokertest.Read(t, c))
		require.NoError(t, d.Ack(false))
		require.NoError(t, ch.TxCommit())
		require.Equal(t, []string{"2"}, brokertest.Bodies(brokertest.Read(t, c)))
	})
}

func TestTxEndsWithItsChannel(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.TxChannel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, other, "q")
		brokertest.Put(t, other, "", "q", "1")
		d := brokertest.Take(t, ch, "q")
		require.NoError(t, d.Ack(false))
		brokertest.Put(t, ch, "", "q", "2")
		require.NoError(t, ch.Close())
		require.Equal(t, []string{"1"}, brokertest.Drain(t, other, "q"), "neither the ack nor the publish has happened")
	})
}

func TestTxLeavesOtherMethodsAlone(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.TxChannel(t, b)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.QueueBind("q", "k", "amq.direct", nil))
		require.NoError(t, ch.TxRollback())
		require.NoError(t, brokertest.Send(ch, "amq.direct", "k", warren.Message{}, warren.PublishOptions{Mandatory: true}))
		require.NoError(t, ch.TxCommit())
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"), "declare and bind are not part of a transaction")
		brokertest.Take(t, ch, "q")
		require.NoError(t, ch.Recover(true))
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"), "nor is recover")
		_, err := ch.QueuePurge("q")
		require.NoError(t, err)
		require.False(t, errors.Is(ch.TxRollback(), warren.ErrPreconditionFailed))
		require.Zero(t, brokertest.Ready(t, ch, "q"))
	})
}

// TestAnUncommittedTransactionCountsForTheMemoryLimit publishes in a transaction until
// no more is taken. It must not wait: only its own end could help.
func TestAnUncommittedTransactionCountsForTheMemoryLimit(t *testing.T) {
	for name, end := range map[string]func(ch *warren.Channel) error{
		"commit":   func(ch *warren.Channel) error { return ch.TxCommit() },
		"rollback": func(ch *warren.Channel) error { return ch.TxRollback() },
		"close":    func(ch *warren.Channel) error { return ch.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.RunWith(t, &warren.Options{MemoryLimit: 1_000_000}, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.TxChannel(t, b)
				brokertest.Queues(t, ch, "q")
				var err error
				n := 0
				for ; err == nil; n++ {
					err = ch.Publish(t.Context(), "", "q", warren.Message{Body: make([]byte, 10_000)}, warren.PublishOptions{})
				}
				require.ErrorIs(t, err, warren.ErrMemoryLimit)
				require.Greater(t, n, 50)
				require.Less(t, n, 113, "the limit is exceeded by an eighth at most")
				require.Greater(t, b.Stats().Memory, int64(1_000_000))
				other := brokertest.Channel(t, b)
				waits := brokertest.Blocked(t, t.Context(), other, "q", "x")
				require.NoError(t, end(ch))
				if name == "commit" {
					synctest.Wait()
					require.Empty(t, waits, "now the queue has them")
					_, err := other.QueuePurge("q")
					require.NoError(t, err)
				}
				require.NoError(t, <-waits)
				require.Equal(t, 1, brokertest.Ready(t, other, "q"))
				_, err = other.QueuePurge("q")
				require.NoError(t, err)
				require.Zero(t, b.Stats().Memory)
			})
		})
	}
}

func TestSettlingsInATransactionCount(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{MemoryLimit: 10_000}, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.TxChannel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, brokertest.Channel(t, b), "q", brokertest.Numbers(0, 9)...)
		for range 10 {
			_, _, err := ch.Get("q", false)
			require.NoError(t, err)
		}
		before := b.Stats().Memory
		require.NoError(t, ch.Ack(0, true))
		require.Greater(t, b.Stats().Memory, before+10*80)
		require.NoError(t, ch.TxRollback())
		require.Equal(t, before, b.Stats().Memory)
		require.NoError(t, ch.Nack(0, true, false))
		require.NoError(t, ch.TxCommit())
		require.Zero(t, b.Stats().Memory)
	})
}
