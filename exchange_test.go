package warren_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestExchangesOfAMQPArePredeclared(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		for name, kind := range map[string]warren.ExchangeType{
			"amq.direct": warren.Direct, "amq.fanout": warren.Fanout, "amq.topic": warren.Topic,
			"amq.headers": warren.Headers, "amq.match": warren.Headers,
		} {
			require.NoError(t, ch.ExchangeDeclarePassive(name))
			require.NoError(t, ch.ExchangeDeclare(name, kind, warren.ExchangeOptions{Durable: true}), "equal properties")
			brokertest.Fails(t, ch.ExchangeDeclare(name, kind, warren.ExchangeOptions{}), 406, 40, 10,
				"PRECONDITION_FAILED - inequivalent arg 'durable' for exchange '"+name+"' in vhost '/': received 'false' but current is 'true'")
		}
	})
}

func TestExchangeDeclareRefuses(t *testing.T) {
	for _, c := range []struct {
		rule, name string
		kind       warren.ExchangeType
		options    warren.ExchangeOptions
		code       uint16
		text       string
	}{
		{"the default exchange", "", warren.Direct, warren.ExchangeOptions{}, 403,
			"ACCESS_REFUSED - operation not permitted on the default exchange"},
		{"a new reserved name", "amq.new", warren.Direct, warren.ExchangeOptions{}, 403,
			"ACCESS_REFUSED - exchange name 'amq.new' contains reserved prefix 'amq.*'"},
		{"an unknown type", "x", "x-nothing", warren.ExchangeOptions{}, 406,
			"PRECONDITION_FAILED - unknown exchange type 'x-nothing'"},
		{"no type", "x", "", warren.ExchangeOptions{}, 406,
			"PRECONDITION_FAILED - unknown exchange type ''"},
		{"another type for a predeclared one", "amq.topic", warren.Direct, warren.ExchangeOptions{Durable: true}, 406,
			"PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.topic' in vhost '/': received 'direct' but current is 'topic'"},
		{"an alternate exchange that is no name", "x", warren.Direct, warren.ExchangeOptions{Args: warren.Table{"alternate-exchange": int32(1)}}, 406,
			"PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'"},
		{"the same under its other name", "x", warren.Direct, warren.ExchangeOptions{Args: warren.Table{"x-alternate-exchange": true}}, 406,
			"PRECONDITION_FAILED - invalid type 'bool' for arg 'x-alternate-exchange' in exchange 'x' in vhost '/'"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				before := b.Stats().Exchanges
				brokertest.Fails(t, ch.ExchangeDeclare(c.name, c.kind, c.options), c.code, 40, 10, c.text)
				require.Equal(t, before, b.Stats().Exchanges, "nothing was declared")
			})
		})
	}
}

func TestExchangeRedeclareComparesProperties(t *testing.T) {
	for _, c := range []struct {
		rule     string
		first    warren.ExchangeOptions
		kind     warren.ExchangeType
		second   warren.ExchangeOptions
		mismatch string // empty: equivalent
	}{
		{rule: "equal", first: warren.ExchangeOptions{Durable: true}, second: warren.ExchangeOptions{Durable: true}},
		{rule: "type", kind: warren.Fanout, mismatch: "'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'"},
		{rule: "durable", second: warren.ExchangeOptions{Durable: true},
			mismatch: "'durable' for exchange 'x' in vhost '/': received 'true' but current is 'false'"},
		{rule: "auto_delete", first: warren.ExchangeOptions{AutoDelete: true},
			mismatch: "'auto_delete' for exchange 'x' in vhost '/': received 'false' but current is 'true'"},
		{rule: "internal", second: warren.ExchangeOptions{Internal: true},
			mismatch: "'internal' for exchange 'x' in vhost '/': received 'true' but current is 'false'"},
		{rule: "the type comes first", kind: warren.Topic, second: warren.ExchangeOptions{Durable: true, Internal: true},
			mismatch: "'type' for exchange 'x' in vhost '/': received 'topic' but current is 'direct'"},
		{rule: "an alternate exchange appears", second: warren.ExchangeOptions{Alternate: "a"},
			mismatch: "'alternate-exchange' for exchange 'x' in vhost '/': received the value 'a' of type 'longstr' but current is none"},
		{rule: "an alternate exchange goes", first: warren.ExchangeOptions{Alternate: "a"},
			mismatch: "'alternate-exchange' for exchange 'x' in vhost '/': received none but current is the value 'a' of type 'longstr'"},
		{rule: "the alternate exchange differs", first: warren.ExchangeOptions{Alternate: "a"}, second: warren.ExchangeOptions{Alternate: "b"},
			mismatch: "'alternate-exchange' for exchange 'x' in vhost '/': received 'b' but current is 'a'"},
		{rule: "the alternate exchange is the same by argument", first: warren.ExchangeOptions{Alternate: "a"},
			second: warren.ExchangeOptions{Args: warren.Table{"alternate-exchange": "a"}}},
		{rule: "the argument's other name means the same", first: warren.ExchangeOptions{Alternate: "a"},
			second: warren.ExchangeOptions{Args: warren.Table{"x-alternate-exchange": "a"}}},
		{rule: "other arguments are not compared", first: warren.ExchangeOptions{Args: warren.Table{"mine": "1"}},
			second: warren.ExchangeOptions{Args: warren.Table{"mine": "2", "yours": int64(1)}}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				require.NoError(t, ch.ExchangeDeclare("x", warren.Direct, c.first))
				if c.kind == "" {
					c.kind = warren.Direct
				}
				err := ch.ExchangeDeclare("x", c.kind, c.second)
				if c.mismatch == "" {
					require.NoError(t, err)
				} else {
					brokertest.Fails(t, err, 406, 40, 10, "PRECONDITION_FAILED - inequivalent arg "+c.mismatch)
				}
				require.NoError(t, ch.ExchangeDeclare("x", warren.Direct, c.first), "the exchange is as it was")
			})
		})
	}
}

func TestExchangeDeclarePassive(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Fails(t, ch.ExchangeDeclarePassive("x"), 404, 40, 10, "NOT_FOUND - no exchange 'x' in vhost '/'")
		require.NoError(t, ch.ExchangeDeclare("x", warren.Topic, warren.ExchangeOptions{Internal: true}))
		require.NoError(t, ch.ExchangeDeclarePassive("x"), "nothing is compared")
		brokertest.Fails(t, ch.ExchangeDeclarePassive(""), 403, 40, 10, "ACCESS_REFUSED - operation not permitted on the default exchange")
	})
}

func TestExchangeDelete(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		require.NoError(t, ch.ExchangeDelete("missing", warren.ExchangeDeleteOptions{IfUnused: true}), "what is missing is as good as deleted")
		brokertest.Fails(t, ch.ExchangeDelete("", warren.ExchangeDeleteOptions{}), 403, 40, 20,
			"ACCESS_REFUSED - operation not permitted on the default exchange")
		brokertest.Fails(t, ch.ExchangeDelete("amq.topic", warren.ExchangeDeleteOptions{}), 403, 40, 20,
			"ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '/' not allowed")

		brokertest.Queues(t, ch, "q")
		brokertest.Exchanges(t, ch, warren.Direct, "x")
		require.NoError(t, ch.QueueBind("q", "k", "x", nil))
		require.NoError(t, ch.ExchangeDelete("x", warren.ExchangeDeleteOptions{}))
		brokertest.Fails(t, ch.ExchangeDeclarePassive("x"), 404, 40, 10, "NOT_FOUND - no exchange 'x' in vhost '/'")
		brokertest.Exchanges(t, ch, warren.Direct, "x")
		brokertest.Put(t, ch, "x", "k", "lost")
		require.Empty(t, brokertest.Drain(t, ch, "q"), "the bindings went with the exchange")
	})
}

func TestExchangeDeleteIfUnusedLooksAtOutgoingBindings(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Exchanges(t, ch, warren.Direct, "source", "destination")
		require.NoError(t, ch.ExchangeBind("destination", "k", "source", nil))
		brokertest.Fails(t, ch.ExchangeDelete("source", warren.ExchangeDeleteOptions{IfUnused: true}), 406, 40, 20,
			"PRECONDITION_FAILED - exchange 'source' in vhost '/' in use")
		require.NoError(t, ch.ExchangeDelete("destination", warren.ExchangeDeleteOptions{IfUnused: true}), "to be a destination is no use")
		require.NoError(t, ch.ExchangeDelete("source", warren.ExchangeDeleteOptions{IfUnused: true}), "its binding went with the destination")
	})
}

func TestAutoDeleteExchangeGoesWithItsLastOutgoingBinding(t *testing.T) {
	for rule, remove := range map[string]func(ch *warren.Channel) error{
		"unbound":              func(ch *warren.Channel) error { return ch.QueueUnbind("q", "k", "x", nil) },
		"its queue deleted":    func(ch *warren.Channel) error { _, err := ch.QueueDelete("q", warren.QueueDeleteOptions{}); return err },
		"its exchange unbound": func(ch *warren.Channel) error { return ch.ExchangeUnbind("y", "k", "x", nil) },
		"its exchange deleted": func(ch *warren.Channel) error { return ch.ExchangeDelete("y", warren.ExchangeDeleteOptions{}) },
	} {
		t.Run(rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				brokertest.Exchanges(t, ch, warren.Direct, "y", "above")
				require.NoError(t, ch.ExchangeDeclare("x", warren.Direct, warren.ExchangeOptions{AutoDelete: true}))
				require.NoError(t, ch.ExchangeBind("x", "k", "above", nil))
				require.NoError(t, ch.ExchangeUnbind("x", "k", "above", nil))
				require.NoError(t, ch.ExchangeDeclarePassive("x"), "not before it had an outgoing binding")

				require.NoError(t, ch.QueueBind("q", "k", "x", nil))
				require.NoError(t, ch.ExchangeBind("y", "k", "x", nil))
				if rule == "unbound" || rule == "its queue deleted" {
					require.NoError(t, ch.ExchangeUnbind("y", "k", "x", nil))
				} else {
					require.NoError(t, ch.QueueUnbind("q", "k", "x", nil))
				}
				require.NoError(t, ch.ExchangeDeclarePassive("x"), "one binding is left")
				require.NoError(t, remove(ch))
				require.ErrorIs(t, ch.ExchangeDeclarePassive("x"), warren.ErrNotFound)
			})
		})
	}
}

func TestAutoDeleteExchangesGoInAChain(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		for _, name := range []string{"x1", "x2", "x3"} {
			require.NoError(t, ch.ExchangeDeclare(name, warren.Fanout, warren.ExchangeOptions{AutoDelete: true}))
		}
		require.NoError(t, ch.ExchangeBind("x2", "", "x1", nil))
		require.NoError(t, ch.ExchangeBind("x3", "", "x2", nil))
		require.NoError(t, ch.ExchangeBind("x3", "", "x3", nil), "a binding to itself")
		require.NoError(t, ch.ExchangeUnbind("x3", "", "x3", nil))
		require.ErrorIs(t, ch.ExchangeDeclarePassive("x1"), warren.ErrNotFound)
		require.ErrorIs(t, ch.ExchangeDeclarePassive("x2"), warren.ErrNotFound)
		require.ErrorIs(t, ch.ExchangeDeclarePassive("x3"), warren.ErrNotFound)
	})
}

func TestInternalExchangeTakesMessagesFromExchangesOnly(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.ExchangeDeclare("in", warren.Fanout, warren.ExchangeOptions{Internal: true}))
		require.NoError(t, ch.QueueBind("q", "", "in", nil))
		brokertest.Fails(t, brokertest.Send(ch, "in", "k", warren.Message{}, warren.PublishOptions{}), 403, 60, 40,
			"ACCESS_REFUSED - cannot publish to internal exchange 'in' in vhost '/'")

		brokertest.Exchanges(t, ch, warren.Fanout, "out")
		require.NoError(t, ch.ExchangeBind("in", "", "out", nil))
		require.NoError(t, ch.ExchangeDeclare("strict", warren.Direct, warren.ExchangeOptions{Alternate: "in"}))
		brokertest.Put(t, ch, "out", "k", "by binding")
		brokertest.Put(t, ch, "strict", "k", "as alternate")
		require.Equal(t, []string{"by binding", "as alternate"}, brokertest.Drain(t, ch, "q"))
	})
}

func TestDefaultExchangeHasEveryQueueByItsName(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "a", "b")
		brokertest.Put(t, ch, "", "a", "1")
		brokertest.Put(t, ch, "", "b", "2")
		brokertest.Put(t, ch, "", "c", "3")
		d := brokertest.Take(t, ch, "a")
		require.Equal(t, "1", string(d.Body))
		require.Equal(t, "", d.Exchange)
		require.Equal(t, "a", d.RoutingKey)
		require.Equal(t, []string{"2"}, brokertest.Drain(t, ch, "b"))

		const text = "ACCESS_REFUSED - operation not permitted on the default exchange"
		brokertest.Fails(t, ch.QueueBind("a", "k", "", nil), 403, 50, 20, text)
		brokertest.Fails(t, ch.QueueUnbind("a", "a", "", nil), 403, 50, 50, text)
		brokertest.Fails(t, ch.ExchangeBind("amq.fanout", "k", "", nil), 403, 40, 30, text)
		brokertest.Fails(t, ch.ExchangeBind("", "k", "amq.fanout", nil), 403, 40, 30, text)
		brokertest.Fails(t, ch.ExchangeUnbind("amq.fanout", "k", "", nil), 403, 40, 40, text)
		brokertest.Fails(t, ch.ExchangeUnbind("", "k", "amq.fanout", nil), 403, 40, 40, text)
	})
}

func TestDirectExchangeGivesACopyToEveryQueueOfTheKey(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "a", "b", "c")
		brokertest.Exchanges(t, ch, warren.Direct, "x")
		require.NoError(t, ch.QueueBind("a", "k", "x", nil))
		require.NoError(t, ch.QueueBind("b", "k", "x", nil))
		require.NoError(t, ch.QueueBind("b", "K", "x", nil))
		require.NoError(t, ch.QueueBind("c", "k.l", "x", nil))
		require.NoError(t, ch.QueueBind("c", "", "x", nil))
		brokertest.Put(t, ch, "x", "k", "k")
		brokertest.Put(t, ch, "x", "K", "K")
		brokertest.Put(t, ch, "x", "", "empty")
		brokertest.Put(t, ch, "x", "*", "no pattern")
		require.Equal(t, []string{"k"}, brokertest.Drain(t, ch, "a"))
		require.Equal(t, []string{"k", "K"}, brokertest.Drain(t, ch, "b"))
		require.Equal(t, []string{"empty"}, brokertest.Drain(t, ch, "c"))
	})
}

func TestFanoutExchangeIgnoresKeys(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "a", "b", "c")
		brokertest.Exchanges(t, ch, warren.Fanout, "x")
		require.NoError(t, ch.QueueBind("a", "1", "x", nil))
		require.NoError(t, ch.QueueBind("b", "2", "x", nil))
		require.NoError(t, ch.QueueBind("b", "3", "x", nil))
		brokertest.Put(t, ch, "x", "9", "m")
		require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, "a"))
		require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, "b"), "one copy, however many bindings match")
		require.Empty(t, brokertest.Drain(t, ch, "c"))
	})
}

func TestAlternateExchange(t *testing.T) {
	// strict -> next -> last, each the alternate of the one before.
	for _, c := range []struct {
		rule  string
		setup func(t *testing.T, ch *warren.Channel)
		want  string // the only queue that gets the message; empty: returned
	}{
		{"has what matches no binding", func(t *testing.T, ch *warren.Channel) {
			require.NoError(t, ch.QueueBind("q2", "k", "next", nil))
		}, "q2"},
		{"has nothing of what matches one", func(t *testing.T, ch *warren.Channel) {
			require.NoError(t, ch.QueueBind("q1", "k", "strict", nil))
			require.NoError(t, ch.QueueBind("q2", "k", "next", nil))
		}, "q1"},
		{"may have one itself", func(t *testing.T, ch *warren.Channel) {
			require.NoError(t, ch.QueueBind("q1", "other", "strict", nil))
			require.NoError(t, ch.QueueBind("q3", "k", "last", nil))
		}, "q3"},
		{"and a mandatory message that finds nothing there comes back", func(*testing.T, *warren.Channel) {}, ""},
		{"is not used when a bound exchange leads nowhere", func(t *testing.T, ch *warren.Channel) {
			brokertest.Exchanges(t, ch, warren.Direct, "nowhere")
			require.NoError(t, ch.ExchangeBind("nowhere", "k", "strict", nil))
			require.NoError(t, ch.QueueBind("q2", "k", "next", nil))
		}, ""},
		{"may be missing", func(t *testing.T, ch *warren.Channel) {
			require.NoError(t, ch.QueueBind("q3", "k", "last", nil))
			require.NoError(t, ch.ExchangeDelete("next", warren.ExchangeDeleteOptions{}))
		}, ""},
		{"may be declared later", func(t *testing.T, ch *warren.Channel) {
			require.NoError(t, ch.ExchangeDelete("next", warren.ExchangeDeleteOptions{}))
			brokertest.Exchanges(t, ch, warren.Fanout, "next")
			require.NoError(t, ch.QueueBind("q2", "", "next", nil))
		}, "q2"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q1", "q2", "q3")
				require.NoError(t, ch.ExchangeDeclare("strict", warren.Direct, warren.ExchangeOptions{Args: warren.Table{"alternate-exchange": "next"}}))
				require.NoError(t, ch.ExchangeDeclare("next", warren.Direct, warren.ExchangeOptions{Alternate: "last"}))
				brokertest.Exchanges(t, ch, warren.Direct, "last")
				c.setup(t, ch)
				err := brokertest.Send(ch, "strict", "k", warren.Message{Body: []byte("m")}, warren.PublishOptions{Mandatory: true})
				if c.want == "" {
					require.ErrorIs(t, err, warren.ErrNoRoute)
				} else {
					require.NoError(t, err)
				}
				for _, q := range []string{"q1", "q2", "q3"} {
					if q == c.want {
						d := brokertest.Take(t, ch, q)
						require.Equal(t, "strict", d.Exchange, "the exchange it was published to")
					}
					require.Empty(t, brokertest.Drain(t, ch, q), q)
				}
			})
		})
	}
}

func TestAlternateExchangesInACircle(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		require.NoError(t, ch.ExchangeDeclare("x", warren.Direct, warren.ExchangeOptions{Alternate: "y"}))
		require.NoError(t, ch.ExchangeDeclare("y", warren.Direct, warren.ExchangeOptions{Alternate: "x"}))
		require.NoError(t, ch.ExchangeDeclare("z", warren.Direct, warren.ExchangeOptions{Alternate: "z"}))
		for _, x := range []string{"x", "y", "z"} {
			require.ErrorIs(t, brokertest.Send(ch, x, "k", warren.Message{}, warren.PublishOptions{Mandatory: true}), warren.ErrNoRoute)
		}
	})
}

func TestAlternateExchangeArgumentHasTwoNames(t *testing.T) {
	for _, arg := range []string{"alternate-exchange", "x-alternate-exchange"} {
		t.Run(arg, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				require.NoError(t, ch.ExchangeDeclare("x", warren.Direct, warren.ExchangeOptions{Args: warren.Table{arg: "amq.fanout"}}))
				require.NoError(t, ch.QueueBind("q", "", "amq.fanout", nil))
				brokertest.Put(t, ch, "x", "k", "m")
				require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, "q"))
			})
		})
	}
}

func TestAlternateExchangeLooksAtAllKeysOfTheMessage(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "direct", "alternate")
		require.NoError(t, ch.ExchangeDeclare("x", warren.Direct, warren.ExchangeOptions{Alternate: "amq.fanout"}))
		require.NoError(t, ch.QueueBind("direct", "copy", "x", nil))
		require.NoError(t, ch.QueueBind("alternate", "", "amq.fanout", nil))
		msg := warren.Message{Headers: warren.Table{"CC": []any{"copy"}}}
		require.NoError(t, brokertest.Send(ch, "x", "nobody", msg, warren.PublishOptions{}))
		require.Len(t, brokertest.Drain(t, ch, "direct"), 1)
		require.Empty(t, brokertest.Drain(t, ch, "alternate"), "the key in CC was routed")
	})
}
