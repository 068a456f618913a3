package both_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestAMessageLivesAsLongAsTheSmallerTimeToLive(t *testing.T) {
	const day = 24 * time.Hour
	eachOnBothSides(t, map[string]struct {
		queue      time.Duration // zero: none
		expiration string
		lives      time.Duration
	}{
		"the queue's":                         {day, "", day},
		"the message's":                       {0, "86400000", day},
		"the message's is smaller":            {day, "1500", 1500 * time.Millisecond},
		"the queue's is smaller":              {1500 * time.Millisecond, "86400000", 1500 * time.Millisecond},
		"a millisecond":                       {0, "1", time.Millisecond},
		"ten years, which is RabbitMQ's most": {0, "315360000000", 3650 * day},
	}, func(t *side, c struct {
		queue      time.Duration
		expiration string
		lives      time.Duration
	}) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MessageTTL: c.queue})
		t.send(ch, "q", warren.Message{Body: []byte("m"), Expiration: c.expiration})
		brokertest.Later(c.lives - time.Microsecond)
		require.Equal(t, 1, t.ready())
		brokertest.Later(time.Microsecond)
		require.Zero(t, t.ready(), "nobody has to look for it to go")
		require.Empty(t, brokertest.Drain(t, ch, "q"))
	})
}

func TestATimeToLiveOfZero(t *testing.T) {
	eachOnBothSides(t, map[string]struct {
		queue      warren.Table
		expiration string
	}{
		"of the queue":   {queue: warren.Table{"x-message-ttl": 0}},
		"of the message": {expiration: warren.Milliseconds(0)},
	}, func(t *side, c struct {
		queue      warren.Table
		expiration string
	}) {
		ch, other := t.open(), t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Args: c.queue, DeadLetter: t.deadLetters(ch)})
		put := func(body string) { t.send(ch, "q", warren.Message{Body: []byte(body), Expiration: c.expiration}) }
		put("nobody is there")
		require.Equal(t, []string{"nobody is there"}, brokertest.Drain(t, ch, "dead"))

		consumer := t.consume(other, "q", warren.ConsumeOptions{Prefetch: 1})
		put("taken at once")
		put("no room")
		d, ok := consumer.next()
		require.True(t, ok)
		require.Equal(t, "taken at once", string(d.Body))
		require.Equal(t, []string{"no room"}, brokertest.Drain(t, ch, "dead"))
		require.NoError(t, other.Nack(d.DeliveryTag, false, true))
		require.Empty(t, t.read(consumer), "what comes back has expired")
		require.Equal(t, []string{"taken at once"}, brokertest.Drain(t, ch, "dead"))
	})
}

func TestExpiredMessagesGoWhenTheyReachTheHead(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: t.deadLetters(ch)})
		t.put(ch, "q", "first")
		for range 3 {
			t.send(ch, "q", warren.Message{Body: []byte("short"), Expiration: "1000"})
		}
		t.put(ch, "q", "last")
		brokertest.Later(time.Hour)
		require.Equal(t, 5, t.ready(), "the queue looks at its head only")
		first := brokertest.Take(t, ch, "q")
		require.Equal(t, "first", string(first.Body))
		brokertest.Later(0) // what is on disk only is read first
		require.Equal(t, []string{"short", "short", "short"}, brokertest.Drain(t, ch, "dead"))
		require.Equal(t, []string{"last"}, brokertest.Drain(t, ch, "q"))
		require.NoError(t, ch.Nack(first.DeliveryTag, false, true))
		require.Equal(t, []string{"first"}, brokertest.Drain(t, ch, "q"))
	})
}

func TestARequeuedMessageKeepsItsDeadline(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MessageTTL: 10 * time.Second, DeadLetter: t.deadLetters(ch)})
		t.put(ch, "q", "back in time", "too late")
		inTime, late := brokertest.Take(t, ch, "q"), brokertest.Take(t, ch, "q")
		brokertest.Later(6 * time.Second)
		require.NoError(t, ch.Nack(inTime.DeliveryTag, false, true))
		brokertest.Later(4*time.Second - 1)
		require.Equal(t, 1, t.ready())
		brokertest.Later(1)
		require.Equal(t, []string{"back in time"}, brokertest.Drain(t, ch, "dead"))
		brokertest.Later(time.Hour)
		require.Empty(t, brokertest.Drain(t, ch, "dead"), "what is out does not expire")
		require.NoError(t, ch.Nack(late.DeliveryTag, false, true))
		require.Equal(t, []string{"too late"}, brokertest.Drain(t, ch, "dead"))
		require.Empty(t, brokertest.Drain(t, ch, "q"))
	})
}

func TestMessagesExpireBesideConsumersWithoutRoom(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch, other := t.open(), t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MessageTTL: time.Minute, DeadLetter: t.deadLetters(ch)})
		consumer := t.consume(other, "q", warren.ConsumeOptions{Prefetch: 1})
		t.put(ch, "q", "1", "2")
		d, ok := consumer.next()
		require.True(t, ok)
		brokertest.Later(time.Minute)
		require.Equal(t, []string{"2"}, brokertest.Drain(t, ch, "dead"))
		t.put(ch, "q", "3")
		require.NoError(t, other.Ack(d.DeliveryTag, false))
		require.Equal(t, []string{"3"}, t.read(consumer))
	})
}

func TestAnUnusedQueueExpires(t *testing.T) {
	const day = 24 * time.Hour
	eachOnBothSides(t, map[string]struct {
		use   func(t *side, ch sideChannel)
		stays bool // for another day
	}{
		"if nothing is done": {func(*side, sideChannel) {}, false},
		"publishing is no use": {func(t *side, ch sideChannel) {
			t.put(ch, "q", "m")
		}, false},
		"declaring is": {func(t *side, ch sideChannel) {
			brokertest.Queue(t, ch, "q", warren.QueueOptions{Expires: day})
		}, true},
		"declaring passively is": {func(t *side, ch sideChannel) {
			_, err := ch.QueueDeclarePassive("q")
			require.NoError(t, err)
		}, true},
		"get is, with nothing there": {func(t *side, ch sideChannel) {
			_, ok, err := ch.Get("q", true)
			require.NoError(t, err)
			require.False(t, ok)
		}, true},
		"a consumer is, until it goes": {func(t *side, ch sideChannel) {
			t.consume(ch, "q", warren.ConsumeOptions{Tag: "c"})
			brokertest.Later(10 * day)
			require.NoError(t, ch.Cancel("c"))
		}, true},
		"a consumer whose connection is lost is": {func(t *side, _ sideChannel) {
			ch := t.open()
			t.consume(ch, "q", warren.ConsumeOptions{})
			brokertest.Later(10 * day)
			ch.Lose()
		}, true},
		"a purge is no use": {func(t *side, ch sideChannel) {
			_, err := ch.QueuePurge("q")
			require.NoError(t, err)
		}, false},
	}, func(t *side, c struct {
		use   func(t *side, ch sideChannel)
		stays bool
	}) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Expires: day})
		require.NoError(t, ch.QueueBind("q", "k", "amq.direct", nil))
		brokertest.Later(day - time.Second)
		c.use(t, ch)
		brokertest.Later(time.Second)
		if c.stays {
			require.Equal(t, 1, t.broker.Stats().Queues)
			brokertest.Later(day - time.Second - 1)
			require.Equal(t, 1, t.broker.Stats().Queues)
			brokertest.Later(1)
		}
		require.Zero(t, t.broker.Stats().Queues)
		require.ErrorIs(t, ch.Publish("amq.direct", "k", warren.Message{}, warren.PublishOptions{Mandatory: true}), warren.ErrNoRoute,
			"its bindings are gone")
		t.refuses(404, "NOT_FOUND - no queue 'q' in vhost '/'", func(ch sideChannel) error {
			_, err := ch.QueueDeclarePassive("q")
			return err
		})
		brokertest.Queue(t, ch, "q", warren.QueueOptions{}) // the name is free
	})
}

func TestAnExpiredQueueDropsItsMessages(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Expires: time.Minute, DeadLetter: t.deadLetters(ch)})
		t.put(ch, "q", "out", "ready")
		out := brokertest.Take(t, ch, "q")
		brokertest.Later(time.Minute)
		require.Equal(t, 1, t.broker.Stats().Queues)
		require.Zero(t, t.broker.Stats().Bytes)
		require.NoError(t, ch.Reject(out.DeliveryTag, false), "it can still be settled")
		require.Empty(t, brokertest.Drain(t, ch, "dead"), "nothing is dead-lettered")
	})
}
