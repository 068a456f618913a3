package both_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// death is an entry of x-death without its time.
func death(queue, reason string, count int, exchange string, keys ...any) warren.Table {
	return warren.Table{"queue": queue, "reason": reason, "count": int64(count), "exchange": exchange, "routing-keys": keys}
}

// transitOf are the headers of a first and a last death.
func transitOf(d warren.Delivery) [2][3]any {
	h := d.Headers
	return [2][3]any{
		{h["x-first-death-queue"], h["x-first-death-reason"], h["x-first-death-exchange"]},
		{h["x-last-death-queue"], h["x-last-death-reason"], h["x-last-death-exchange"]},
	}
}

// takeDead gets the dead letter that must be there.
func (t *side) takeDead(ch sideChannel) warren.Delivery {
	t.Helper()
	d, ok, err := ch.Get("dead", true)
	require.NoError(t, err)
	require.True(t, ok, "no dead letter")
	return d
}

// losses are the ways to lose the message "m" from the queue q, which has
// dead letters.
var losses = map[string]struct {
	reason string
	queue  warren.QueueOptions
	lose   func(t *side, ch sideChannel)
}{
	"reject": {"rejected", warren.QueueOptions{}, func(t *side, ch sideChannel) {
		require.NoError(t, ch.Reject(brokertest.Take(t, ch, "q").DeliveryTag, false))
	}},
	"nack": {"rejected", warren.QueueOptions{}, func(t *side, ch sideChannel) {
		require.NoError(t, ch.Nack(brokertest.Take(t, ch, "q").DeliveryTag, true, false))
	}},
	"expiry": {"expired", warren.QueueOptions{MessageTTL: time.Hour}, func(t *side, ch sideChannel) {
		brokertest.Later(time.Hour)
	}},
	"length limit": {"maxlen", warren.QueueOptions{MaxLength: 1}, func(t *side, ch sideChannel) {
		t.put(ch, "q", "one more")
	}},
	"length limit in bytes": {"maxlen", warren.QueueOptions{MaxLengthBytes: 8}, func(t *side, ch sideChannel) {
		t.put(ch, "q", "one more")
	}},
	"delivery limit": {"delivery_limit", warren.QueueOptions{DeliveryLimit: 1}, func(t *side, ch sideChannel) {
		for range 2 {
			require.NoError(t, ch.Reject(brokertest.Take(t, ch, "q").DeliveryTag, true))
		}
	}},
}

func TestALostMessageIsDeadLetteredAtOnce(t *testing.T) {
	for name, loss := range losses {
		t.Run(name, func(t *testing.T) {
			onBothSides(t, func(t *side) {
				ch := t.open()
				o := loss.queue
				o.DeadLetter = t.deadLetters(ch)
				brokertest.Queue(t, ch, "q", o)
				require.NoError(t, ch.QueueBind("q", "key", "amq.direct", nil))
				published := time.Now().Truncate(time.Second)
				require.NoError(t, ch.Publish("amq.direct", "key", warren.Message{
					Body: []byte("m"), MessageId: "7", ContentType: "text/plain", DeliveryMode: warren.Persistent, Priority: 3,
					Headers: warren.Table{"h": "v"},
				}, warren.PublishOptions{}))
				loss.lose(t, ch)

				d := t.takeDead(ch)
				require.Equal(t, "m", string(d.Body))
				require.Equal(t, []any{"7", "text/plain", uint8(2), uint8(3)}, []any{d.MessageId, d.ContentType, d.DeliveryMode, d.Priority})
				require.Equal(t, [2]string{"", "dead"}, [2]string{d.Exchange, d.RoutingKey})
				require.False(t, d.Redelivered)
				require.Equal(t, []warren.Table{death("q", loss.reason, 1, "amq.direct", "key")}, deathsOf(d))
				require.Equal(t, [2][3]any{{"q", loss.reason, "amq.direct"}, {"q", loss.reason, "amq.direct"}}, transitOf(d))
				died := d.Headers["x-death"].([]any)[0].(warren.Table)["time"].(time.Time)
				require.Zero(t, died.Nanosecond())
				require.False(t, died.Before(published) || died.After(time.Now()), "it died at %v", died)
				require.Equal(t, "v", d.Headers["h"])
				require.Len(t, d.Headers, 8, "h, x-death, and the first and the last death: %v", d.Headers)
			})
		})
	}
}

func TestWithoutADeadLetterExchangeLostMessagesAreDropped(t *testing.T) {
	for name, loss := range losses {
		t.Run(name, func(t *testing.T) {
			onBothSides(t, func(t *side) {
				ch := t.open()
				brokertest.Queue(t, ch, "q", loss.queue)
				t.put(ch, "q", "m")
				loss.lose(t, ch)
				require.Equal(t, uint64(1), t.broker.Stats().Dropped)
				require.NotContains(t, brokertest.Drain(t, ch, "q"), "m")
				require.Zero(t, t.broker.Stats().Bytes)
			})
		})
	}
}

func TestWhatIsTakenAwayIsNotDeadLettered(t *testing.T) {
	eachOnBothSides(t, map[string]func(t *side, ch sideChannel){
		"ack": func(t *side, ch sideChannel) {
			require.NoError(t, ch.Ack(brokertest.Take(t, ch, "q").DeliveryTag, false))
		},
		"get without ack": func(t *side, ch sideChannel) { brokertest.Drain(t, ch, "q") },
		"purge": func(t *side, ch sideChannel) {
			_, err := ch.QueuePurge("q")
			require.NoError(t, err)
		},
		"delete": func(t *side, ch sideChannel) {
			_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			require.NoError(t, err)
		},
		"reject after delete": func(t *side, ch sideChannel) {
			d := brokertest.Take(t, ch, "q")
			_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			require.NoError(t, err)
			require.NoError(t, ch.Reject(d.DeliveryTag, false))
		},
		"the end of an exclusive queue": func(t *side, _ sideChannel) {
			ch := t.open()
			brokertest.Queue(t, ch, "own", warren.QueueOptions{Exclusive: true, DeadLetter: &warren.DeadLetter{RoutingKey: "dead"}})
			t.put(ch, "own", "m")
			ch.Lose()
		},
	}, func(t *side, take func(t *side, ch sideChannel)) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: t.deadLetters(ch)})
		t.put(ch, "q", "m")
		take(t, ch)
		require.Empty(t, brokertest.Drain(t, ch, "dead"))
	})
}

func TestDeadLettersKeepTheirOrder(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: t.deadLetters(ch), MessageTTL: time.Minute})
		t.put(ch, "q", "1", "2", "3", "4", "5")
		for range 2 {
			brokertest.Take(t, ch, "q")
		}
		require.NoError(t, ch.Nack(brokertest.Take(t, ch, "q").DeliveryTag, true, false))
		brokertest.Later(time.Minute)
		require.Equal(t, []string{"1", "2", "3", "4", "5"}, brokertest.Drain(t, ch, "dead"))
	})
}

func TestKeysOfDeadLetters(t *testing.T) {
	empty := ""
	eachOnBothSides(t, map[string]struct {
		key  *string // of the queue's dead letters
		to   []string
		cc   any
		last string // routing key that the dead letter has
	}{
		"all that the message was published with": {nil, []string{"key", "cc", "bcc"}, []any{"cc"}, "key"},
		"the queue's own alone":                   {new("own"), []string{"own"}, nil, "own"},
		"the queue's own, even if it is empty":    {&empty, []string{""}, nil, ""},
	}, func(t *side, c struct {
		key  *string
		to   []string
		cc   any
		last string
	}) {
		ch := t.open()
		require.NoError(t, ch.ExchangeDeclare("dlx", warren.Direct, warren.ExchangeOptions{}))
		for _, key := range []string{"key", "cc", "bcc", "own", ""} {
			brokertest.Queues(t, ch, "to "+key)
			require.NoError(t, ch.QueueBind("to "+key, key, "dlx", nil))
		}
		args := warren.Table{"x-dead-letter-exchange": "dlx"}
		if c.key != nil {
			args["x-dead-letter-routing-key"] = *c.key
		}
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MessageTTL: time.Second, Args: args})
		require.NoError(t, ch.QueueBind("q", "key", "amq.direct", nil))
		require.NoError(t, ch.Publish("amq.direct", "key", warren.Message{
			Headers: warren.Table{"CC": []any{"cc"}, "BCC": []any{"bcc"}},
		}, warren.PublishOptions{}))
		brokertest.Later(time.Second)
		require.Equal(t, len(c.to), t.ready())
		for _, key := range c.to {
			d := brokertest.Take(t, ch, "to "+key)
			require.Equal(t, [2]string{"dlx", c.last}, [2]string{d.Exchange, d.RoutingKey})
			require.Equal(t, c.cc, d.Headers["CC"], "without effect it would mislead")
			require.NotContains(t, d.Headers, "BCC")
			require.Equal(t, []warren.Table{death("q", "expired", 1, "amq.direct", "key", "cc")}, deathsOf(d), "BCC stays hidden")
		}
	})
}

// The keys of BCC go with the message, from death to death.
func TestBlindKeysOfAMessageThatDiesTwice(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queues(t, ch, "second")
		for _, q := range []string{"q", "first"} {
			brokertest.Queue(t, ch, q, warren.QueueOptions{MessageTTL: time.Second, DeadLetter: &warren.DeadLetter{}})
		}
		require.NoError(t, ch.Publish("", "q", warren.Message{Headers: warren.Table{"BCC": []any{"first", "second"}}}, warren.PublishOptions{}))
		brokertest.Later(time.Hour)
		require.Len(t, brokertest.Drain(t, ch, "second"), 5, "one published, two of the first death, two of the second")
	})
}

func TestADeadLetterIsRoutedAsAnyMessage(t *testing.T) {
	eachOnBothSides(t, map[string]func(t *side, ch sideChannel){
		"by a fanout exchange": func(t *side, ch sideChannel) {
			require.NoError(t, ch.ExchangeDeclare("dlx", warren.Fanout, warren.ExchangeOptions{}))
			require.NoError(t, ch.QueueBind("dead", "", "dlx", nil))
		},
		"by an internal exchange": func(t *side, ch sideChannel) {
			require.NoError(t, ch.ExchangeDeclare("dlx", warren.Topic, warren.ExchangeOptions{Internal: true}))
			require.NoError(t, ch.QueueBind("dead", "#", "dlx", nil))
		},
		"by its headers": func(t *side, ch sideChannel) {
			require.NoError(t, ch.ExchangeDeclare("dlx", warren.Headers, warren.ExchangeOptions{}))
			require.NoError(t, ch.QueueBind("dead", "", "dlx", warren.Table{"h": "v"}))
		},
		"by an alternate exchange": func(t *side, ch sideChannel) {
			require.NoError(t, ch.ExchangeDeclare("dlx", warren.Direct, warren.ExchangeOptions{Alternate: "amq.fanout"}))
			require.NoError(t, ch.QueueBind("dead", "", "amq.fanout", nil))
		},
	}, func(t *side, bind func(t *side, ch sideChannel)) {
		ch := t.open()
		t.deadLetters(ch)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: &warren.DeadLetter{Exchange: "dlx"}, MessageTTL: time.Second})
		bind(t, ch)
		t.send(ch, "q", warren.Message{Headers: warren.Table{"h": "v"}})
		brokertest.Later(time.Second)
		d := t.takeDead(ch)
		require.Equal(t, [2]string{"dlx", "q"}, [2]string{d.Exchange, d.RoutingKey})
	})
}

func TestADeadLetterThatFindsNoQueueIsDropped(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: &warren.DeadLetter{Exchange: "dlx"}, MessageTTL: time.Second})
		t.put(ch, "q", "no exchange")
		brokertest.Later(time.Second)
		require.NoError(t, ch.ExchangeDeclare("dlx", warren.Fanout, warren.ExchangeOptions{}))
		t.put(ch, "q", "no binding")
		brokertest.Later(time.Second)
		brokertest.Queue(t, ch, "full", warren.QueueOptions{MaxLength: 1, Overflow: warren.RejectPublish})
		require.NoError(t, ch.QueueBind("full", "", "dlx", nil))
		t.put(ch, "q", "room", "no room")
		brokertest.Later(time.Second)
		require.Equal(t, []string{"room"}, brokertest.Drain(t, ch, "full"))
		require.Zero(t, t.broker.Stats().Bytes)
	})
}

func TestADeadLetterHasNoExpiration(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: t.deadLetters(ch)})
		for _, lose := range []func(){
			func() { brokertest.Later(5 * time.Second) },
			func() { require.NoError(t, ch.Reject(brokertest.Take(t, ch, "q").DeliveryTag, false)) },
		} {
			t.send(ch, "q", warren.Message{Expiration: "5000"})
			lose()
			brokertest.Later(time.Hour)
			d := t.takeDead(ch)
			require.Empty(t, d.Expiration)
			require.Equal(t, "5000", deathsOf(d)[0]["original-expiration"])
		}
	})
}

// A worker that rejects, and a queue in which the message waits to be tried
// again: what everybody does.
func TestDeathsOfOneKindAreCounted(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "work", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "retry"}})
		brokertest.Queue(t, ch, "retry", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "work"}, MessageTTL: time.Minute})
		require.NoError(t, ch.QueueBind("work", "key", "amq.topic", nil))
		require.NoError(t, ch.Publish("amq.topic", "key", warren.Message{Expiration: "5000"}, warren.PublishOptions{}))
		var first time.Time
		for n := 1; n <= 3; n++ {
			require.NoError(t, ch.Reject(brokertest.Take(t, ch, "work").DeliveryTag, false))
			brokertest.Later(time.Minute)
			d := brokertest.Take(t, ch, "work")
			worked := death("work", "rejected", n, "amq.topic", "key")
			worked["original-expiration"] = "5000"
			require.Equal(t, []warren.Table{death("retry", "expired", n, "", "retry"), worked}, deathsOf(d), "the newest is the first")
			require.Equal(t, [2][3]any{{"work", "rejected", "amq.topic"}, {"retry", "expired", ""}}, transitOf(d))
			at := d.Headers["x-death"].([]any)[1].(warren.Table)["time"].(time.Time)
			if n == 1 {
				first = at
			}
			require.True(t, at.Equal(first), "the time is that of the first")
			require.NoError(t, ch.Nack(d.DeliveryTag, false, true))
		}
	})
}

func TestDeathsOfOneQueueForDifferentReasonsAreApart(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: t.deadLetters(ch), MessageTTL: time.Second})
		brokertest.Queue(t, ch, "back", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "q"}})
		t.put(ch, "back", "m")
		require.NoError(t, ch.Reject(brokertest.Take(t, ch, "back").DeliveryTag, false))
		require.NoError(t, ch.Reject(brokertest.Take(t, ch, "q").DeliveryTag, false))
		d := t.takeDead(ch)
		// The application sends it in once more, as it got it.
		require.NoError(t, ch.Publish("", "q", d.Message, warren.PublishOptions{}))
		brokertest.Later(time.Second)
		require.Equal(t, []warren.Table{
			death("q", "expired", 1, "", "q"), death("q", "rejected", 1, "", "q"), death("back", "rejected", 1, "", "back"),
		}, deathsOf(t.takeDead(ch)))
	})
}

// Deaths that a client has made up count as any, and what is no list of them
// is replaced.
func TestDeathsThatAClientTellsOf(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: t.deadLetters(ch)})
		die := func(told any) warren.Delivery {
			t.send(ch, "q", warren.Message{Headers: warren.Table{"x-death": told}})
			require.NoError(t, ch.Reject(brokertest.Take(t, ch, "q").DeliveryTag, false))
			return t.takeDead(ch)
		}
		d := die([]any{"odd", warren.Table{"queue": "q", "reason": "rejected", "count": int32(7), "exchange": "x"}})
		require.Equal(t, []any{warren.Table{"queue": "q", "reason": "rejected", "count": int64(8), "exchange": "x"}, "odd"}, d.Headers["x-death"])
		require.NotContains(t, d.Headers, "x-first-death-queue", "it was not the first")
		require.Equal(t, []warren.Table{death("q", "rejected", 1, "", "q")}, deathsOf(die("odd")))
	})
}

func TestACircleWithoutARejectEnds(t *testing.T) {
	loop := func(to string) warren.QueueOptions {
		return warren.QueueOptions{MessageTTL: time.Second, DeadLetter: &warren.DeadLetter{RoutingKey: to}}
	}
	full := func(to string) warren.QueueOptions {
		return warren.QueueOptions{Args: warren.Table{"x-max-length": 0}, DeadLetter: &warren.DeadLetter{RoutingKey: to}}
	}
	eachOnBothSides(t, map[string]map[string]warren.QueueOptions{
		"of one queue":                   {"q": loop("q")},
		"of three queues":                {"q": loop("a"), "a": loop("b"), "b": loop("q")},
		"that is entered later":          {"q": loop("a"), "a": loop("b"), "b": loop("a")},
		"of full queues":                 {"q": full("a"), "a": full("q")},
		"whose reasons are not the same": {"q": full("a"), "a": loop("q")},
	}, func(t *side, queues map[string]warren.QueueOptions) {
		ch := t.open()
		for name, o := range queues {
			brokertest.Queue(t, ch, name, o)
		}
		t.put(ch, "q", "m")
		brokertest.Later(time.Hour)
		require.Zero(t, t.ready())
		require.Zero(t, t.broker.Stats().Bytes)
	})
}

func TestACircleEndsForTheQueuesThatItWouldReach(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		t.deadLetters(ch)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MessageTTL: time.Second, DeadLetter: &warren.DeadLetter{Exchange: "amq.fanout"}})
		for _, q := range []string{"q", "dead"} {
			require.NoError(t, ch.QueueBind(q, "", "amq.fanout", nil))
		}
		t.put(ch, "q", "m")
		brokertest.Later(time.Hour)
		require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, "dead"), "others get it")
		require.Zero(t, t.ready())
	})
}

func TestARejectAllowsACircle(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "q"}})
		t.put(ch, "q", "m")
		for n := range 5 {
			d := brokertest.Take(t, ch, "q")
			require.False(t, d.Redelivered, "it is another message")
			if n > 0 {
				require.Equal(t, []warren.Table{death("q", "rejected", n, "", "q")}, deathsOf(d))
			}
			require.NoError(t, ch.Reject(d.DeliveryTag, false))
		}
		require.Equal(t, 1, t.ready())
	})
}

// A chain of queues that overflow into one another is walked to its end.
func TestAChainOfDeadLetters(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		const length = 50
		name := func(i int) string { return "q" + string(rune('A'+i)) }
		for i := range length {
			brokertest.Queue(t, ch, name(i), warren.QueueOptions{MaxLength: 1, DeadLetter: &warren.DeadLetter{RoutingKey: name(i + 1)}})
		}
		for range length + 1 { // the last one is more than all can hold
			t.put(ch, name(0), "m")
		}
		require.Equal(t, length, t.ready())
		for i := range length {
			require.Len(t, deathsOf(brokertest.Take(t, ch, name(i))), i)
		}
	})
}

func TestADeadLetterIsThereBeforeThePublisherHears(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: t.deadLetters(ch), MaxLength: 1})
		consumer := t.consume(t.open(), "dead", warren.ConsumeOptions{})
		t.put(ch, "q", "1", "2") // each waits for its confirm
		d, ok := consumer.next()
		require.True(t, ok)
		require.Equal(t, "1", string(d.Body))
	})
}

// A request can be answered by whoever gets it after its death.
func TestADeadLetteredRequestCanBeAnswered(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch, server := t.open(), t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: t.deadLetters(ch), MessageTTL: time.Second})
		replies := t.consume(ch, warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		t.send(ch, "q", warren.Message{Body: []byte("question"), ReplyTo: warren.DirectReplyTo, CorrelationId: "1"})
		brokertest.Later(time.Second)
		d := t.takeDead(server)
		require.Equal(t, "1", d.CorrelationId)
		require.NoError(t, server.Publish("", d.ReplyTo, warren.Message{Body: []byte("answer"), CorrelationId: d.CorrelationId}, warren.PublishOptions{Mandatory: true}))
		require.Equal(t, []string{"answer"}, t.read(replies))
	})
}
