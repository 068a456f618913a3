package warren_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

const lockedText = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. " +
	"It could be originally declared on another connection or the exclusive property value does not match that of the original declaration."

func TestQueueDeclareTellsReadyMessagesAndConsumers(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		q, err := ch.QueueDeclare("q", warren.QueueOptions{})
		require.NoError(t, err)
		require.Equal(t, warren.Queue{Name: "q"}, q)
		brokertest.Put(t, ch, "", "q", "1", "2", "3")
		brokertest.Take(t, ch, "q")
		q, err = ch.QueueDeclare("q", warren.QueueOptions{})
		require.NoError(t, err)
		require.Equal(t, warren.Queue{Name: "q", Messages: 2}, q, "an unsettled message is not ready")
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
		q, err = ch.QueueDeclarePassive("q")
		require.NoError(t, err)
		require.Equal(t, warren.Queue{Name: "q", Consumers: 2}, q)
	})
}

func TestQueueDeclareWithoutANameMakesOne(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		seen := map[string]bool{}
		for range 10 {
			q, err := ch.QueueDeclare("", warren.QueueOptions{})
			require.NoError(t, err)
			require.Regexp(t, regexp.MustCompile(`^amq\.gen-[A-Za-z0-9_-]{22}$`), q.Name)
			require.False(t, seen[q.Name])
			seen[q.Name] = true
			brokertest.Put(t, ch, "", q.Name, "m")
			require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, q.Name))
			_, err = ch.QueueDeclare(q.Name, warren.QueueOptions{})
			brokertest.Fails(t, err, 403, 50, 10, "ACCESS_REFUSED - queue name '"+q.Name+"' contains reserved prefix 'amq.*'")
			_, err = ch.QueueDeclarePassive(q.Name)
			require.NoError(t, err, "passive is allowed")
		}
	})
}

func TestQueueDeclareRefuses(t *testing.T) {
	for _, c := range []struct {
		rule, name string
		args       warren.Table
		code       uint16
		text       string
	}{
		{"a reserved name", "amq.q", nil, 403, "ACCESS_REFUSED - queue name 'amq.q' contains reserved prefix 'amq.*'"},
		{"a reserved name before bad arguments", "amq.q", warren.Table{"x-queue-mode": true}, 403,
			"ACCESS_REFUSED - queue name 'amq.q' contains reserved prefix 'amq.*'"},
		{"another queue type", "q", warren.Table{"x-queue-type": "fast"}, 406,
			"PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'q' in vhost '/': \"unsupported queue type 'fast'\""},
		{"an unknown version", "q", warren.Table{"x-queue-version": int32(3)}, 406,
			"PRECONDITION_FAILED - invalid arg 'x-queue-version' for queue 'q' in vhost '/': \"unsupported queue version '3'\""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				_, err := ch.QueueDeclare(c.name, warren.QueueOptions{Args: c.args})
				brokertest.Fails(t, err, c.code, 50, 10, c.text)
				require.Zero(t, b.Stats().Queues)
			})
		})
	}
}

func TestQueueDeclarePassive(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		_, err := ch.QueueDeclarePassive("q")
		brokertest.Fails(t, err, 404, 50, 10, "NOT_FOUND - no queue 'q' in vhost '/'")
		_, err = ch.QueueDeclarePassive("amq.q")
		brokertest.Fails(t, err, 404, 50, 10, "NOT_FOUND - no queue 'amq.q' in vhost '/'")
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true, AutoDelete: true})
		_, err = ch.QueueDeclarePassive("q")
		require.NoError(t, err, "properties are not compared")
	})
}

func TestQueueRedeclareComparesProperties(t *testing.T) {
	type O = warren.QueueOptions
	type T = warren.Table
	for _, c := range []struct {
		rule          string
		first, second O
		mismatch      string // empty: equivalent
	}{
		{"equal", O{Durable: true, AutoDelete: true}, O{Durable: true, AutoDelete: true}, ""},
		{"durable", O{Durable: true}, O{}, "'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'"},
		{"auto_delete", O{}, O{AutoDelete: true}, "'auto_delete' for queue 'q' in vhost '/': received 'true' but current is 'false'"},
		{"durable comes first", O{}, O{Durable: true, AutoDelete: true}, "'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'"},
		{"an exclusive queue is not durable", O{Durable: true, Exclusive: true}, O{Exclusive: true}, ""},
		{"nor when it is declared so again", O{Exclusive: true}, O{Durable: true, Exclusive: true}, ""},
		{"an argument appears", O{}, O{Args: T{"x-queue-mode": "lazy"}},
			"'x-queue-mode' for queue 'q' in vhost '/': received the value 'lazy' of type 'longstr' but current is none"},
		{"an argument goes", O{Args: T{"x-queue-version": int32(2)}}, O{},
			"'x-queue-version' for queue 'q' in vhost '/': received none but current is the value '2' of type 'signedint'"},
		{"an argument differs", O{Args: T{"x-queue-version": int32(2)}}, O{Args: T{"x-queue-version": int64(1)}},
			"'x-queue-version' for queue 'q' in vhost '/': received '1' but current is '2'"},
		{"types differ", O{Args: T{"x-expires": 9000}}, O{Args: T{"x-expires": "soon"}},
			"'x-expires' for queue 'q' in vhost '/': received 'soon' but current is '9000'"},
		{"a value that a new queue would not take", O{}, O{Args: T{"x-max-length": int32(-1)}},
			"'x-max-length' for queue 'q' in vhost '/': received the value '-1' of type 'signedint' but current is none"},
		{"arguments of other types of queues are not compared", O{}, O{Args: T{"x-max-age": "1h"}}, ""},
		{"text differs", O{Args: T{"x-queue-mode": "lazy"}}, O{Args: T{"x-queue-mode": "default"}},
			"'x-queue-mode' for queue 'q' in vhost '/': received 'default' but current is 'lazy'"},
		{"no type is the classic type", O{}, O{Args: T{"x-queue-type": "classic"}}, ""},
		{"the classic type is no type", O{Args: T{"x-queue-type": "classic"}}, O{}, ""},
		{"unknown arguments are not compared", O{Args: T{"mine": "1"}}, O{Args: T{"yours": "2"}}, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				_, err := ch.QueueDeclare("q", c.first)
				require.NoError(t, err)
				_, err = ch.QueueDeclare("q", c.second)
				if c.mismatch == "" {
					require.NoError(t, err)
				} else {
					brokertest.Fails(t, err, 406, 50, 10, "PRECONDITION_FAILED - inequivalent arg "+c.mismatch)
				}
			})
		})
	}
}

func TestQueueRedeclareTakesIntegersOfAllWidths(t *testing.T) {
	for _, first := range brokertest.Integers(2) {
		t.Run(fmt.Sprintf("%T", first), func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queue(t, ch, "q", warren.QueueOptions{Args: warren.Table{"x-queue-version": first}})
				for _, second := range brokertest.Integers(2) {
					_, err := ch.QueueDeclare("q", warren.QueueOptions{Args: warren.Table{"x-queue-version": second}})
					require.NoError(t, err, "%T", second)
				}
				for _, other := range brokertest.Integers(1) {
					_, err := ch.QueueDeclare("q", warren.QueueOptions{Args: warren.Table{"x-queue-version": other}})
					brokertest.Fails(t, err, 406, 50, 10, "PRECONDITION_FAILED - inequivalent arg 'x-queue-version' for queue 'q' in vhost '/': "+
						"received '1' but current is '2'")
				}
			})
		})
	}
}

func TestExclusiveQueueIsItsSessionsOwn(t *testing.T) {
	operations := map[string]struct {
		class, method uint16
		try           func(ch *warren.Channel) error
	}{
		"declare": {50, 10, func(ch *warren.Channel) error {
			_, err := ch.QueueDeclare("q", warren.QueueOptions{Exclusive: true})
			return err
		}},
		"declare as shared": {50, 10, func(ch *warren.Channel) error { _, err := ch.QueueDeclare("q", warren.QueueOptions{}); return err }},
		"declare passive":   {50, 10, func(ch *warren.Channel) error { _, err := ch.QueueDeclarePassive("q"); return err }},
		"bind":              {50, 20, func(ch *warren.Channel) error { return ch.QueueBind("q", "k", "amq.direct", nil) }},
		"unbind":            {50, 50, func(ch *warren.Channel) error { return ch.QueueUnbind("q", "k", "amq.direct", nil) }},
		"purge":             {50, 30, func(ch *warren.Channel) error { _, err := ch.QueuePurge("q"); return err }},
		"delete":            {50, 40, func(ch *warren.Channel) error { _, err := ch.QueueDelete("q", warren.QueueDeleteOptions{}); return err }},
		"consume":           {60, 20, func(ch *warren.Channel) error { _, err := ch.Consume("q", warren.ConsumeOptions{}); return err }},
		"get":               {60, 70, func(ch *warren.Channel) error { _, _, err := ch.Get("q", true); return err }},
	}
	for name, op := range operations {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				s, err := b.Session()
				require.NoError(t, err)
				owner, err := s.Channel()
				require.NoError(t, err)
				brokertest.Queue(t, owner, "q", warren.QueueOptions{Exclusive: true})
				require.NoError(t, owner.QueueBind("q", "k", "amq.direct", nil))
				brokertest.Put(t, owner, "", "q", "m")

				other := brokertest.Channel(t, b)
				brokertest.Fails(t, op.try(other), 405, op.class, op.method, lockedText)
				require.Equal(t, warren.Queue{Name: "q", Messages: 1}, brokertest.State(t, owner, "q"), "nothing happened to it")
				brokertest.Put(t, other, "", "q", "everybody may publish")

				sibling, err := s.Channel()
				require.NoError(t, err)
				if name == "declare as shared" {
					brokertest.Fails(t, op.try(sibling), 405, op.class, op.method, lockedText)
				} else {
					require.NoError(t, op.try(sibling), "another channel of the session may")
				}
			})
		})
	}
	t.Run("a shared queue is not to be had exclusively", func(t *testing.T) {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q")
			_, err := ch.QueueDeclare("q", warren.QueueOptions{Exclusive: true})
			brokertest.Fails(t, err, 405, 50, 10, lockedText)
		})
	})
}

func TestAutoDeleteQueueGoesWithItsLastConsumer(t *testing.T) {
	for rule, end := range map[string]func(t *testing.T, ch *warren.Channel, last *warren.Consumer){
		"cancel": func(t *testing.T, ch *warren.Channel, last *warren.Consumer) {
			require.NoError(t, ch.Cancel(last.Tag()))
		},
		"channel": func(t *testing.T, ch *warren.Channel, _ *warren.Consumer) { require.NoError(t, ch.Close()) },
		"session": func(t *testing.T, ch *warren.Channel, _ *warren.Consumer) { require.NoError(t, ch.Session().Close()) },
	} {
		t.Run(rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				watcher, ch := brokertest.Channel(t, b), brokertest.Channel(t, b)
				brokertest.Queue(t, ch, "q", warren.QueueOptions{AutoDelete: true})
				brokertest.Put(t, ch, "", "q", "m")
				brokertest.Take(t, ch, "q")
				require.NoError(t, ch.Recover(true))
				brokertest.State(t, watcher, "q") // it had no consumer yet
				first, last := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{}), brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
				require.NoError(t, first.Cancel())
				brokertest.State(t, watcher, "q") // one is left
				end(t, ch, last)
				_, err := watcher.QueueDeclarePassive("q")
				brokertest.Fails(t, err, 404, 50, 10, "NOT_FOUND - no queue 'q' in vhost '/'")
				require.Zero(t, b.Stats().Ready)
			})
		})
	}
}

func TestQueueDelete(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		n, err := ch.QueueDelete("q", warren.QueueDeleteOptions{IfUnused: true, IfEmpty: true})
		require.NoError(t, err, "what is missing is as good as deleted")
		require.Zero(t, n)

		brokertest.Queues(t, ch, "q")
		brokertest.Put(t, ch, "", "q", "1", "2", "3")
		d := brokertest.Take(t, ch, "q")
		n, err = ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.Equal(t, 2, n, "the ready messages")
		require.NoError(t, d.Ack(false), "the channel still knows the delivery")
		_, err = ch.QueueDeclarePassive("q")
		require.ErrorIs(t, err, warren.ErrNotFound)
		require.Equal(t, 0, b.Stats().Ready+b.Stats().Unacked)
		require.Zero(t, b.Stats().Bytes)
	})
}

func TestQueueDeleteConditions(t *testing.T) {
	const inUse, notEmpty = "PRECONDITION_FAILED - queue 'q' in vhost '/' in use", "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty"
	for _, c := range []struct {
		rule                        string
		consumers, ready, unsettled int
		options                     warren.QueueDeleteOptions
		text                        string
	}{
		{"no conditions", 1, 2, 0, warren.QueueDeleteOptions{}, ""},
		{"if-unused, unused", 0, 2, 0, warren.QueueDeleteOptions{IfUnused: true}, ""},
		{"if-unused, a consumer", 1, 0, 0, warren.QueueDeleteOptions{IfUnused: true}, inUse},
		{"if-empty, empty", 1, 0, 0, warren.QueueDeleteOptions{IfEmpty: true}, ""},
		{"if-empty, a ready message", 0, 1, 0, warren.QueueDeleteOptions{IfEmpty: true}, notEmpty},
		{"if-empty, an unsettled message only", 0, 0, 1, warren.QueueDeleteOptions{IfEmpty: true}, ""},
		{"both, neither holds", 1, 2, 0, warren.QueueDeleteOptions{IfUnused: true, IfEmpty: true}, inUse},
		{"both, both hold", 0, 0, 0, warren.QueueDeleteOptions{IfUnused: true, IfEmpty: true}, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				for range c.unsettled {
					brokertest.Put(t, ch, "", "q", "m")
					brokertest.Take(t, ch, "q")
				}
				require.NoError(t, ch.Flow(false)) // what is ready stays so
				for range c.consumers {
					brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
				}
				for range c.ready {
					brokertest.Put(t, ch, "", "q", "m")
				}
				n, err := ch.QueueDelete("q", c.options)
				if c.text != "" {
					brokertest.Fails(t, err, 406, 50, 40, c.text)
					require.Equal(t, c.ready, brokertest.Ready(t, ch, "q"), "the queue is as it was")
					return
				}
				require.NoError(t, err)
				require.Equal(t, c.ready, n)
			})
		})
	}
}

func TestQueuePurgeDropsReadyMessagesOnly(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		_, err := ch.QueuePurge("q")
		brokertest.Fails(t, err, 404, 50, 30, "NOT_FOUND - no queue 'q' in vhost '/'")
		brokertest.Queues(t, ch, "q")
		brokertest.Put(t, ch, "", "q", "1", "2", "3", "4")
		one, two := brokertest.Take(t, ch, "q"), brokertest.Take(t, ch, "q")
		require.NoError(t, two.Nack(false, true))
		n, err := ch.QueuePurge("q")
		require.NoError(t, err)
		require.Equal(t, 3, n, "the requeued one, too")
		require.NoError(t, one.Reject(true))
		require.Equal(t, []string{"1"}, brokertest.Drain(t, ch, "q"))
		n, err = ch.QueuePurge("q")
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestEmptyQueueNameIsTheQueueDeclaredLast(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		s, err := b.Session()
		require.NoError(t, err)
		ch := brokertest.Channel(t, s)
		other, err := s.Channel()
		require.NoError(t, err)
		brokertest.Queues(t, other, "of another channel")

		const none = "NOT_FOUND - no previously declared queue"
		brokertest.Fails(t, ch.QueueBind("", "k", "amq.direct", nil), 404, 50, 20, none)
		brokertest.Fails(t, ch.QueueUnbind("", "k", "amq.direct", nil), 404, 50, 50, none)
		_, err = ch.QueuePurge("")
		brokertest.Fails(t, err, 404, 50, 30, none)
		_, err = ch.QueueDelete("", warren.QueueDeleteOptions{})
		brokertest.Fails(t, err, 404, 50, 40, none)
		_, err = ch.Consume("", warren.ConsumeOptions{})
		brokertest.Fails(t, err, 404, 60, 20, none)
		_, _, err = ch.Get("", true)
		brokertest.Fails(t, err, 404, 60, 70, none)

		brokertest.Queues(t, ch, "first")
		generated, err := ch.QueueDeclare("", warren.QueueOptions{})
		require.NoError(t, err)
		brokertest.Put(t, ch, "", generated.Name, "1")
		require.Equal(t, []string{"1"}, brokertest.Drain(t, ch, ""), "a generated name counts")

		brokertest.Queues(t, other, "seen")
		_, err = ch.QueueDeclarePassive("seen")
		require.NoError(t, err)
		_, err = ch.QueueDeclare("amq.refused", warren.QueueOptions{})
		require.Error(t, err)
		brokertest.Put(t, ch, "", "seen", "1", "2", "3")
		d := brokertest.Take(t, ch, "")
		require.Equal(t, "seen", d.RoutingKey, "a passive declaration counts, a failed one does not")
		n, err := ch.QueuePurge("")
		require.NoError(t, err)
		require.Equal(t, 2, n)
		c := brokertest.Consume(t, ch, "", warren.ConsumeOptions{})
		require.Equal(t, "seen", c.Queue())
		_, err = ch.QueueDelete("", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		_, err = ch.QueueDeclarePassive("seen")
		require.ErrorIs(t, err, warren.ErrNotFound)
		_, _, err = ch.Get("", true)
		brokertest.Fails(t, err, 404, 60, 70, "NOT_FOUND - no queue 'seen' in vhost '/'")
	})
}

func TestMaxQueues(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{MaxQueues: 2}, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "a", "b")
		_, err := ch.QueueDeclare("c", warren.QueueOptions{})
		brokertest.Fails(t, err, 406, 50, 10, "PRECONDITION_FAILED - cannot declare queue 'c': queue limit in vhost '/' (2) is reached")
		brokertest.Queues(t, ch, "a") // is there
		v, err := b.VirtualHostDeclare("other")
		require.NoError(t, err)
		elsewhere, err := v.Channel()
		require.NoError(t, err)
		brokertest.Queues(t, elsewhere, "c") // counts in its own vhost
		_, err = ch.QueueDelete("a", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		brokertest.Queues(t, ch, "c")
	})
}

func TestQuorumQueuesTakeTheirArguments(t *testing.T) {
	const invalid = "PRECONDITION_FAILED - invalid arg "
	for _, c := range []struct {
		name string
		v    any
		text string // empty: it is taken
	}{
		{"x-quorum-initial-group-size", 3, ""},
		{"x-quorum-initial-group-size", 0, "'x-quorum-initial-group-size' for queue 'q' in vhost '/': {value_zero,0}"},
		{"x-dead-letter-strategy", "at-most-once", ""},
		{"x-dead-letter-strategy", "at-least-once", ""},
		{"x-dead-letter-strategy", "never", "'x-dead-letter-strategy' for queue 'q' in vhost '/': invalid_dlx_strategy"},
		{"x-max-in-memory-length", 5, ""},
		{"x-max-in-memory-bytes", int32(-1), "'x-max-in-memory-bytes' for queue 'q' in vhost '/': {value_negative,-1}"},
		{"x-queue-leader-locator", "balanced", ""},
		{"x-queue-leader-locator", "nowhere", "'x-queue-leader-locator' for queue 'q' in vhost '/': invalid_queue_locator_arg"},
		{"x-max-age", "1h", "'x-max-age' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue"},
		{"x-initial-cluster-size", 3, "'x-initial-cluster-size' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue"},
	} {
		t.Run(fmt.Sprint(c.name, " ", c.v), func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				_, err := ch.QueueDeclare("q", warren.QueueOptions{Durable: true, Type: warren.Quorum, Args: warren.Table{c.name: c.v}})
				if c.text == "" {
					require.NoError(t, err)
				} else {
					brokertest.Fails(t, err, 406, 50, 10, invalid+c.text)
				}
			})
		})
	}
}
