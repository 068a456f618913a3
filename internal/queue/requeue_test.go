package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/mailbox"
	"github.com/warrenmq/warren/internal/message"
)

// TestReturnedMessagesComeInOrder requeues random messages one by one and as runs, and
// takes some out in between: the lowest position comes first.
func TestReturnedMessagesComeInOrder(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var r returned
		var want []uint64
		free := rng.Perm(20_000)
		for len(free) > 1000 {
			switch rng.IntN(4) {
			case 0:
				n := 1 + rng.IntN(600)
				some := slices.Sorted(slices.Values(free[:n]))
				free = free[n:]
				one := &run{}
				for _, pos := range some {
					one.add(&message.Item{Pos: uint64(pos), Deadline: int64(pos % 2)})
					want = append(want, uint64(pos))
				}
				require.Equal(t, n, one.len)
				r.adopt(one)
			case 1:
				r.push(&message.Item{Pos: uint64(free[0])})
				want = append(want, uint64(free[0]))
				free = free[1:]
			default:
				slices.Sort(want)
				for range min(len(want), rng.IntN(400)) {
					require.Equal(t, want[0], r.first().Pos)
					it := r.pop()
					require.Equal(t, want[0], it.Pos, "seed %d", seed)
					want = want[1:]
				}
			}
			require.Equal(t, len(want), r.len())
		}
	}
}

// filled makes a queue with many messages, all of which a consumer has got.
func filled(t *testing.T, many int, o *Options) (*Queue, *Consumer, []Settling) {
	q := newQueueForTest(t, o)
	got := &hoarder{}
	c := NewConsumer(q, got, &ConsumerOptions{Direct: true})
	require.NoError(t, q.Add(c))
	for i := range many {
		_, err := q.Push(&message.Publishing{Entry: message.Entry{
			Body: []byte(strconv.Itoa(i)), Content: message.NewPublished(&message.Properties{Priority: uint8(i % 3)}),
		}})
		require.NoError(t, err)
	}
	require.Len(t, got.items, many)
	c.Remove(ErrRemoved)
	return q, c, got.items
}

// hoarder is a sink that keeps what it gets.
type hoarder struct {
	countingSink
	items []Settling
}

func (k *hoarder) Deliver(it message.Item) *mailbox.Mailbox {
	k.items = append(k.items, Unsettled(it))
	return nil
}

// TestManyRequeuedMessagesReturnToTheirPlaces in any order, by the levels of their
// priorities: they return as one run for each level.
func TestManyRequeuedMessagesReturnToTheirPlaces(t *testing.T) {
	const many = 5*settledAtOnce + 1
	for _, levels := range []uint8{0, 2} {
		t.Run(fmt.Sprint(levels), func(t *testing.T) {
			q, c, items := filled(t, many, &Options{MaxPriority: levels})
			bytes := q.Stats().Bytes
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
			q.Requeue(c, items, true)
			for p := range levels + 1 {
				r := &q.store.returned
				if levels > 0 {
					r = &q.store.levels.at(p).returned
				}
				require.Empty(t, r.few)
				require.Len(t, r.runs, 1, "no work for each message with the lock held")
			}
			require.Equal(t, bytes, q.Stats().Bytes)
			require.Zero(t, q.Stats().Unacked)
			require.Equal(t, many, q.Stats().Ready)
			var order []int
			for i := range many {
				order = append(order, i)
			}
			slices.SortStableFunc(order, func(a, b int) int { return (b%3 - a%3) * int(levels) })
			for _, want := range order {
				d, _, ok, err := q.Get(true, nil)
				require.NoError(t, err)
				require.True(t, ok)
				require.Equal(t, strconv.Itoa(want), string(d.Body))
				require.True(t, d.Redelivered)
			}
			require.Zero(t, q.Stats().Bytes)
			require.Zero(t, q.store.bytes)
			require.Zero(t, q.store.timed)
		})
	}
}

// TestManyRequeuedMessagesFollowTheDeliveryLimit: those that returned too often are
// lost.
func TestManyRequeuedMessagesFollowTheDeliveryLimit(t *testing.T) {
	const many = 3 * settledAtOnce
	rules := NoRules()
	rules.DeliveryLimit = 2
	q, c, items := filled(t, many, &Options{Rules: &rules})
	for i := range items {
		items[i].Delivery.Returns = uint32(i % 3)
	}
	q.Requeue(c, items, true)
	s := q.Stats()
	require.Equal(t, many/3*2, s.Ready)
	require.EqualValues(t, many/3, s.Dropped)
	require.Zero(t, s.Unacked)
}

// TestManyMessagesOfADeletedQueueAreDropped when they return or are settled.
func TestManyMessagesOfADeletedQueueAreDropped(t *testing.T) {
	const many = 3 * settledAtOnce
	for name, end := range map[string]func(q *Queue, c *Consumer, items []Settling){
		"requeued": func(q *Queue, c *Consumer, items []Settling) { q.Requeue(c, items, true) },
		"rejected": func(q *Queue, c *Consumer, items []Settling) { q.Settle(c, items, false) },
		"acked":    func(q *Queue, c *Consumer, items []Settling) { q.Settle(c, items, true) },
	} {
		t.Run(name, func(t *testing.T) {
			q, c, items := filled(t, many, &Options{})
			rest, _, err := q.Close(ErrDeleted, Always)
			require.NoError(t, err)
			rest.Drop()
			require.Equal(t, many, q.Stats().Unacked)
			end(q, c, items)
			require.Zero(t, q.Stats().Unacked)
			require.Zero(t, q.Stats().Ready)
			require.Zero(t, q.Stats().Bytes)
		})
	}
}

// TestSettlingOneMessageAllocatesNothing: the list of one, which most acks are, stays
// where the caller has it.
func TestSettlingOneMessageAllocatesNothing(t *testing.T) {
	const many = 100
	q, c, items := filled(t, many, &Options{})
	next := 0
	require.Zero(t, testing.AllocsPerRun(many/2, func() {
		one := [1]Settling{items[next]}
		next++
		if next%2 == 0 {
			q.Settle(c, one[:], true)
		} else {
			q.Settle(c, one[:], false)
		}
	}))
	q.Requeue(c, items[next:next+1], true)
	require.LessOrEqual(t, testing.AllocsPerRun(many, func() {
		d, _, ok, err := q.Get(false, nil)
		if !ok || err != nil {
			panic("nothing is ready")
		}
		one := [1]Settling{Unsettled(d.Item)}
		q.Requeue(nil, one[:], true)
	}), 1.0, "the room in the queue")
}
