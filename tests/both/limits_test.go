package both_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestALengthLimit(t *testing.T) {
	dead := &warren.DeadLetter{RoutingKey: "dead"}
	type limit = warren.QueueOptions
	eachOnBothSides(t, map[string]struct {
		queue                     limit
		publish, left, dead, nack []string
	}{
		"drops the head": {limit{MaxLength: 2, DeadLetter: dead},
			[]string{"1", "2", "3", "4"}, []string{"3", "4"}, []string{"1", "2"}, nil},
		"drops the head if told so": {limit{MaxLength: 1, Overflow: warren.DropHead},
			[]string{"1", "2"}, []string{"2"}, nil, nil},
		"rejects": {limit{MaxLength: 2, Overflow: warren.RejectPublish, DeadLetter: dead},
			[]string{"1", "2", "3", "4"}, []string{"1", "2"}, nil, []string{"3", "4"}},
		"rejects and dead-letters": {limit{MaxLength: 2, Overflow: warren.RejectPublishDLX, DeadLetter: dead},
			[]string{"1", "2", "3", "4"}, []string{"1", "2"}, []string{"3", "4"}, []string{"3", "4"}},
		"rejects and has nowhere to dead-letter to": {limit{MaxLength: 1, Overflow: warren.RejectPublishDLX},
			[]string{"1", "2"}, []string{"1"}, nil, []string{"2"}},
		"of bytes drops as many as it takes": {limit{MaxLengthBytes: 5, DeadLetter: dead},
			[]string{"12", "3", "45", "6789"}, []string{"6789"}, []string{"12", "3", "45"}, nil},
		"of bytes drops what is larger than the queue": {limit{MaxLengthBytes: 5, DeadLetter: dead},
			[]string{"12", "345678", "9"}, []string{"9"}, []string{"12", "345678"}, nil},
		"of bytes counts bodies only": {limit{MaxLengthBytes: 2, DeadLetter: dead},
			[]string{"", "", "12", ""}, []string{"", "", "12", ""}, nil, nil},
		"of bytes rejects what does not fit, and takes what does": {limit{MaxLengthBytes: 4, Overflow: warren.RejectPublish},
			[]string{"12", "345", "34", "", "5"}, []string{"12", "34", ""}, nil, []string{"345", "5"}},
		"of both kinds, number first": {limit{MaxLength: 2, MaxLengthBytes: 10, DeadLetter: dead},
			[]string{"1", "2", "3"}, []string{"2", "3"}, []string{"1"}, nil},
		"of both kinds, bytes first": {limit{MaxLength: 10, MaxLengthBytes: 2, DeadLetter: dead},
			[]string{"1", "2", "3"}, []string{"2", "3"}, []string{"1"}, nil},
		"of zero drops": {limit{DeadLetter: dead, Args: warren.Table{"x-max-length": 0}},
			[]string{"1", "2"}, nil, []string{"1", "2"}, nil},
		"of zero bytes takes empty messages": {limit{DeadLetter: dead, Args: warren.Table{"x-max-length-bytes": 0}},
			[]string{"1", ""}, []string{""}, []string{"1"}, nil},
		"of zero rejects": {limit{Overflow: warren.RejectPublish, Args: warren.Table{"x-max-length": 0}},
			[]string{"1"}, nil, nil, []string{"1"}},
		"that is not there": {limit{Overflow: warren.RejectPublish},
			[]string{"1", "2", "3"}, []string{"1", "2", "3"}, nil, nil},
	}, func(t *side, c struct {
		queue                     limit
		publish, left, dead, nack []string
	}) {
		ch := t.open()
		t.deadLetters(ch)
		brokertest.Queue(t, ch, "q", c.queue)
		var nacked []string
		for _, body := range c.publish {
			// Even if it is mandatory, what is refused is not returned.
			err := ch.Publish("", "q", warren.Message{Body: []byte(body)}, warren.PublishOptions{Mandatory: true})
			if err != nil {
				require.ErrorIs(t, err, warren.ErrNacked)
				nacked = append(nacked, body)
			}
		}
		require.Equal(t, c.nack, nacked)
		require.ElementsMatch(t, c.left, brokertest.Drain(t, ch, "q"))
		require.Equal(t, len(c.dead), t.ready())
		for _, body := range c.dead {
			d, _, err := ch.Get("dead", true)
			require.NoError(t, err)
			require.Equal(t, body, string(d.Body))
			require.Equal(t, "maxlen", reasonOf(d))
		}
		require.Zero(t, t.broker.Stats().Bytes)
	})
}

func TestALengthLimitCountsReadyMessagesOnly(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch, other := t.open(), t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MaxLength: 1})
		consumer := t.consume(other, "q", warren.ConsumeOptions{Prefetch: 2})
		t.put(ch, "q", "1", "2", "3", "4")
		require.Equal(t, []string{"1", "2"}, t.read(consumer))
		require.Equal(t, 2, t.broker.Stats().Unacked)
		require.Equal(t, []string{"4"}, brokertest.Drain(t, ch, "q"))
	})
}

func TestAWaitingConsumerTakesMessagesPastALimitOfZero(t *testing.T) {
	eachOnBothSides(t, map[string]struct {
		overflow warren.Overflow
		got      []string
	}{
		"drop-head": {warren.DropHead, []string{"m"}},
		// RabbitMQ asks whether the message fits before it looks for consumers.
		"reject-publish": {warren.RejectPublish, []string{}},
	}, func(t *side, c struct {
		overflow warren.Overflow
		got      []string
	}) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Overflow: c.overflow, Args: warren.Table{"x-max-length": 0}})
		consumer := t.consume(t.open(), "q", warren.ConsumeOptions{})
		err := ch.Publish("", "q", warren.Message{Body: []byte("m")}, warren.PublishOptions{})
		require.Equal(t, len(c.got) == 0, err != nil)
		require.Equal(t, c.got, t.read(consumer))
	})
}

func TestRequeuedMessagesOverTheLimit(t *testing.T) {
	eachOnBothSides(t, map[string]struct {
		overflow   warren.Overflow
		left, dead []string
	}{
		"are dropped, as the oldest":         {warren.DropHead, []string{"3", "4"}, []string{"1", "2"}},
		"may stay if publishers are refused": {warren.RejectPublish, []string{"1", "2", "3", "4"}, []string{}},
	}, func(t *side, c struct {
		overflow   warren.Overflow
		left, dead []string
	}) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MaxLength: 2, Overflow: c.overflow, DeadLetter: t.deadLetters(ch)})
		t.put(ch, "q", "1", "2")
		brokertest.Take(t, ch, "q")
		second := brokertest.Take(t, ch, "q")
		t.put(ch, "q", "3", "4")
		require.NoError(t, ch.Nack(second.DeliveryTag, true, true))
		require.Equal(t, c.dead, brokertest.Drain(t, ch, "dead"))
		require.Equal(t, c.left, brokertest.Drain(t, ch, "q"))
	})
}

func TestAPriorityQueueDropsWhatWouldComeFirst(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MaxLength: 2, MaxPriority: 5, DeadLetter: t.deadLetters(ch)})
		for _, p := range []uint8{3, 1, 5, 2, 9} {
			t.send(ch, "q", warren.Message{Body: fmt.Appendf(nil, "p%d", p), Priority: p})
		}
		require.Equal(t, []string{"p5", "p3", "p9"}, brokertest.Drain(t, ch, "dead"))
		require.Equal(t, []string{"p2", "p1"}, brokertest.Drain(t, ch, "q"))
	})
}

func TestALimitComesBeforeExpiry(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MaxLength: 1, DeadLetter: t.deadLetters(ch)})
		reason := func() any {
			t.Helper()
			d, ok, err := ch.Get("dead", true)
			require.NoError(t, err)
			require.True(t, ok)
			return fmt.Sprint(string(d.Body), " ", reasonOf(d))
		}
		t.put(ch, "q", "live")
		t.send(ch, "q", warren.Message{Body: []byte("dead"), Expiration: "0"})
		require.Equal(t, "live maxlen", reason())
		require.Equal(t, "dead expired", reason())

		brokertest.Queue(t, ch, "none", warren.QueueOptions{
			DeadLetter: &warren.DeadLetter{RoutingKey: "dead"}, Args: warren.Table{"x-max-length": 0, "x-message-ttl": 0},
		})
		t.put(ch, "none", "m")
		require.Equal(t, "m maxlen", reason())
	})
}

// A publish that one of its queues refuses is nacked, and the others keep it.
func TestOneQueueThatRefusesIsEnoughForANack(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "full", warren.QueueOptions{MaxLength: 1, Overflow: warren.RejectPublish})
		brokertest.Queues(t, ch, "wide")
		for _, q := range []string{"full", "wide"} {
			require.NoError(t, ch.QueueBind(q, "", "amq.fanout", nil))
		}
		publish := func() error {
			return ch.Publish("amq.fanout", "", warren.Message{Body: []byte("m")}, warren.PublishOptions{Mandatory: true})
		}
		require.NoError(t, publish())
		require.ErrorIs(t, publish(), warren.ErrNacked)
		require.Len(t, brokertest.Drain(t, ch, "full"), 1)
		require.Len(t, brokertest.Drain(t, ch, "wide"), 2)
		require.NoError(t, publish(), "there is room again")
	})
}
