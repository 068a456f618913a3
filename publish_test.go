package warren_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestPublishChecks(t *testing.T) {
	const limit = 10
	big := []byte(strings.Repeat("x", limit+1))
	long := strings.Repeat("k", 256)
	for _, c := range []struct {
		rule, exchange, key string
		msg                 warren.Message
		code                uint16
		text                string
	}{
		{"the size comes first", "missing", "k", warren.Message{Body: big, ReplyTo: warren.DirectReplyTo, Expiration: "x"}, 406,
			"PRECONDITION_FAILED - message size 11 is larger than configured max size 10"},
		{"then the exchange", "missing", "k", warren.Message{ReplyTo: warren.DirectReplyTo, Expiration: "x"}, 404,
			"NOT_FOUND - no exchange 'missing' in vhost '/'"},
		{"which must not be internal", "in", "k", warren.Message{ReplyTo: warren.DirectReplyTo, Expiration: "x"}, 403,
			"ACCESS_REFUSED - cannot publish to internal exchange 'in' in vhost '/'"},
		{"then the reply consumer", "", "k", warren.Message{ReplyTo: warren.DirectReplyTo, Expiration: "x", Headers: warren.Table{"CC": "k"}}, 406,
			"PRECONDITION_FAILED - fast reply consumer does not exist"},
		{"then the expiration", "", "k", warren.Message{Expiration: "x", Headers: warren.Table{"CC": "k"}}, 406,
			"PRECONDITION_FAILED - invalid expiration 'x': no_integer"},
		{"then CC", "", "k", warren.Message{Headers: warren.Table{"CC": "k", "BCC": true}}, 406,
			`PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}`},
		{"then BCC", "", "k", warren.Message{Headers: warren.Table{"BCC": int32(1)}}, 406,
			`PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"BCC",signedint}`},
		{"a key does not fit", "", long, warren.Message{}, 502,
			"SYNTAX_ERROR - routing key of 256 bytes exceeds 255"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.RunWith(t, &warren.Options{MaxMessageSize: limit}, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "k")
				require.NoError(t, ch.ExchangeDeclare("in", warren.Fanout, warren.ExchangeOptions{Internal: true}))
				brokertest.Fails(t, brokertest.Send(ch, c.exchange, c.key, c.msg, warren.PublishOptions{}), c.code, 60, 40, c.text)
				require.Empty(t, brokertest.Drain(t, ch, "k"))
			})
		})
	}
}

func TestPublishMaxMessageSize(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{MaxMessageSize: 10}, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Put(t, ch, "", "q", "", "0123456789")
		require.Equal(t, []string{"", "0123456789"}, brokertest.Drain(t, ch, "q"), "the limit itself fits, and so does nothing")
		headers := warren.Table{"h": strings.Repeat("x", 100)}
		require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{Headers: headers}, warren.PublishOptions{}), "the body is what counts")
	})
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		body := make([]byte, 128<<20+1)
		brokertest.Fails(t, brokertest.Send(ch, "", "q", warren.Message{Body: body}, warren.PublishOptions{}), 406, 60, 40,
			"PRECONDITION_FAILED - message size 134217729 is larger than configured max size 134217728")
		require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{Body: body[1:]}, warren.PublishOptions{}))
	})
}

func TestPublishExpiration(t *testing.T) {
	for _, c := range []struct{ value, problem string }{
		{"", ""}, {"0", ""}, {"60000", ""}, {"315360000000", ""},
		{"x", "no_integer"}, {"x1", "no_integer"}, {" 1", "no_integer"}, {"-", "no_integer"},
		{"10x", `{leftover_string,"x"}`}, {"1.5", `{leftover_string,".5"}`}, {"10 ", `{leftover_string," "}`}, {"-1s", `{leftover_string,"s"}`},
		{"-1", "{value_negative,-1}"}, {"-99", "{value_negative,-99}"},
		{"315360000001", "{value_too_large,315360000001}"},
		{"99999999999999999999", "{value_too_large,99999999999999999999}"},
	} {
		t.Run(c.value, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				err := brokertest.Send(ch, "amq.fanout", "", warren.Message{Expiration: c.value}, warren.PublishOptions{})
				if c.problem == "" {
					require.NoError(t, err)
				} else {
					brokertest.Fails(t, err, 406, 60, 40, "PRECONDITION_FAILED - invalid expiration '"+c.value+"': "+c.problem)
				}
			})
		})
	}
}

// returnRules say which messages come back from a queue q and an exchange x.
var returnRules = []struct {
	rule      string
	setup     func(t *testing.T, ch *warren.Channel)
	mandatory uint16 // code of the return with this flag, zero for none
	immediate uint16
	both      uint16
}{
	{"nothing is bound", func(*testing.T, *warren.Channel) {}, 312, 313, 313},
	{"a queue without a consumer", func(t *testing.T, ch *warren.Channel) {
		require.NoError(t, ch.QueueBind("q", "k", "x", nil))
	}, 0, 313, 313},
	{"a queue with a consumer that has room", func(t *testing.T, ch *warren.Channel) {
		require.NoError(t, ch.QueueBind("q", "k", "x", nil))
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 10})
	}, 0, 0, 0},
	{"a queue with a consumer that has no room", func(t *testing.T, ch *warren.Channel) {
		require.NoError(t, ch.QueueBind("q", "k", "x", nil))
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
		brokertest.Put(t, ch, "", "q", "takes it")
	}, 0, 313, 313},
	{"a queue with one consumer of two that has room", func(t *testing.T, ch *warren.Channel) {
		require.NoError(t, ch.QueueBind("q", "k", "x", nil))
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
		brokertest.Put(t, ch, "", "q", "takes it")
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 10})
	}, 0, 0, 0},
	{"a queue with a consumer whose channel's flow is off", func(t *testing.T, ch *warren.Channel) {
		require.NoError(t, ch.QueueBind("q", "k", "x", nil))
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		require.NoError(t, ch.Flow(false))
	}, 0, 313, 313},
	{"a queue with a consumer whose channel has used its global prefetch", func(t *testing.T, ch *warren.Channel) {
		require.NoError(t, ch.QueueBind("q", "k", "x", nil))
		require.NoError(t, ch.Qos(1, warren.QosOptions{Global: true}))
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 10})
		brokertest.Put(t, ch, "", "q", "takes it")
	}, 0, 313, 313},
	{"a consumer without ack, which no prefetch limits", func(t *testing.T, ch *warren.Channel) {
		require.NoError(t, ch.QueueBind("q", "k", "x", nil))
		require.NoError(t, ch.Qos(1, warren.QosOptions{Global: true}))
		brokertest.Queues(t, ch, "other")
		brokertest.Consume(t, ch, "other", warren.ConsumeOptions{})
		brokertest.Put(t, ch, "", "other", "takes the channel's prefetch")
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{NoAck: true})
	}, 0, 0, 0},
	{"an exchange that leads nowhere", func(t *testing.T, ch *warren.Channel) {
		require.NoError(t, ch.ExchangeBind("amq.fanout", "k", "x", nil))
	}, 312, 313, 313},
}

func TestMandatoryAndImmediate(t *testing.T) {
	for _, c := range returnRules {
		for _, flags := range []struct {
			name    string
			options warren.PublishOptions
			code    uint16
		}{
			{"no flag", warren.PublishOptions{}, 0},
			{"mandatory", warren.PublishOptions{Mandatory: true}, c.mandatory},
			{"immediate", warren.PublishOptions{Immediate: true}, c.immediate},
			{"both", warren.PublishOptions{Mandatory: true, Immediate: true}, c.both},
		} {
			t.Run(c.rule+"/"+flags.name, func(t *testing.T) {
				brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
					ch := brokertest.Channel(t, b)
					brokertest.Queues(t, ch, "q")
					brokertest.Exchanges(t, ch, warren.Direct, "x")
					c.setup(t, ch)
					before := b.Stats().Published
					msg := warren.Message{Body: []byte("m"), MessageId: "7", Headers: warren.Table{"a": "1"}}
					err := brokertest.Send(ch, "x", "k", msg, flags.options)
					if flags.code == 0 {
						require.NoError(t, err)
						return
					}
					r := brokertest.Returned(t, err, flags.code, map[uint16]string{312: "NO_ROUTE", 313: "NO_CONSUMERS"}[flags.code])
					require.Equal(t, "x", r.Exchange)
					require.Equal(t, "k", r.RoutingKey)
					require.Equal(t, msg, r.Message)
					require.Equal(t, flags.code == 312, errors.Is(err, warren.ErrNoRoute))
					require.Equal(t, flags.code == 313, errors.Is(err, warren.ErrNoConsumers))
					require.Equal(t, before, b.Stats().Published, "no queue has it")
					require.EqualValues(t, 1, b.Stats().Returned)
				})
			})
		}
	}
}

func TestImmediateGoesOnlyToQueuesThatCanDeliver(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "ready", "idle")
		require.NoError(t, ch.QueueBind("ready", "", "amq.fanout", nil))
		require.NoError(t, ch.QueueBind("idle", "", "amq.fanout", nil))
		c := brokertest.Consume(t, ch, "ready", warren.ConsumeOptions{})
		require.NoError(t, brokertest.Send(ch, "amq.fanout", "", warren.Message{}, warren.PublishOptions{Immediate: true}))
		brokertest.Next(t, c)
		require.Empty(t, brokertest.Drain(t, ch, "idle"))
	})
}

func TestReturnFromTheDefaultExchange(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		r := brokertest.Returned(t, brokertest.Send(ch, "", "nobody", warren.Message{}, warren.PublishOptions{Mandatory: true}), 312, "NO_ROUTE")
		require.Equal(t, "", r.Exchange)
		require.Equal(t, "nobody", r.RoutingKey)
	})
}

func TestCCAndBCC(t *testing.T) {
	type T = warren.Table
	for _, c := range []struct {
		rule, key     string
		headers, seen T
		queues        []string // of a, b and c those that get it
	}{
		{"CC adds keys and stays", "a", T{"CC": []any{"b", "c"}, "h": "1"}, T{"CC": []any{"b", "c"}, "h": "1"}, []string{"a", "b", "c"}},
		{"BCC adds keys and goes", "a", T{"BCC": []any{"b"}, "h": "1"}, T{"h": "1"}, []string{"a", "b"}},
		{"both", "a", T{"CC": []any{"b"}, "BCC": []any{"c"}}, T{"CC": []any{"b"}}, []string{"a", "b", "c"}},
		{"one copy per queue", "a", T{"CC": []any{"a", "a"}, "BCC": []any{"a"}}, T{"CC": []any{"a", "a"}}, []string{"a"}},
		{"without a match of the own key", "nobody", T{"CC": []any{"b"}}, T{"CC": []any{"b"}}, []string{"b"}},
		{"members that are no text are passed over", "a", T{"CC": []any{int32(1), "b", nil}}, T{"CC": []any{int64(1), "b", nil}}, []string{"a", "b"}},
		{"no members", "a", T{"CC": []any{}}, T{"CC": []any{}}, []string{"a"}},
		{"other cases are other headers", "a", T{"cc": []any{"b"}}, T{"cc": []any{"b"}}, []string{"a"}},
	} {
		for _, exchange := range []string{"", "amq.direct", "amq.topic"} {
			t.Run(c.rule+"/exchange "+exchange, func(t *testing.T) {
				brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
					ch := brokertest.Channel(t, b)
					for _, q := range []string{"a", "b", "c"} {
						brokertest.Queues(t, ch, q)
						if exchange != "" {
							require.NoError(t, ch.QueueBind(q, q, exchange, nil))
						}
					}
					sent := T{}
					for k, v := range c.headers {
						sent[k] = v
					}
					require.NoError(t, brokertest.Send(ch, exchange, c.key, warren.Message{Headers: sent}, warren.PublishOptions{Mandatory: true}))
					require.Equal(t, c.headers, sent, "the publisher's table is left alone")
					for _, q := range c.queues {
						d := brokertest.Take(t, ch, q)
						require.Equal(t, c.key, d.RoutingKey, "consumers see the message's own key")
						if len(c.seen) == 0 {
							require.Empty(t, d.Headers)
						} else {
							require.Equal(t, c.seen, d.Headers)
						}
					}
					require.Zero(t, b.Stats().Ready)
				})
			})
		}
	}
}

func TestCCOnlyMessageThatFindsNothingIsReturned(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		msg := warren.Message{Headers: warren.Table{"CC": []any{"x", "y"}}}
		r := brokertest.Returned(t, brokertest.Send(ch, "", "nobody", msg, warren.PublishOptions{Mandatory: true}), 312, "NO_ROUTE")
		require.Equal(t, "nobody", r.RoutingKey)
	})
}
