package both_test

import (
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
)

// likeRow is something that Warren takes, and another broker refuses.
type likeRow struct {
	do   func(ch sideChannel) error
	code uint16
	text string
}

// likeOnBothSides tries the rows: a broker that is like the other refuses each,
// one that is like itself takes it.
func likeOnBothSides(t *testing.T, like warren.Like, rows map[string]likeRow) {
	t.Helper()
	for _, l := range []warren.Like{warren.LikeWarren, like} {
		for name, row := range rows {
			t.Run(name, func(t *testing.T) {
				onBothSidesWith(t, &warren.Options{Like: l}, func(t *side) {
					ch := t.open()
					brokertest.Queue(t, ch, "q", warren.QueueOptions{})
					brokertest.Queue(t, ch, "quorum", warren.QueueOptions{Durable: true, Type: warren.Quorum})
					require.NoError(t, ch.ExchangeDeclare("fed", warren.Fanout, warren.ExchangeOptions{}))
					if l == warren.LikeWarren {
						require.NoError(t, row.do(t.open()))
						return
					}
					t.refuses(row.code, row.text, row.do)
				})
			})
		}
	}
}

func declaring(name string, o warren.QueueOptions) func(ch sideChannel) error {
	return func(ch sideChannel) error {
		_, err := ch.QueueDeclare(name, o)
		return err
	}
}

func deleting(name string, o warren.QueueDeleteOptions) func(ch sideChannel) error {
	return func(ch sideChannel) error {
		_, err := ch.QueueDelete(name, o)
		return err
	}
}

func consuming(name string, o warren.ConsumeOptions) func(ch sideChannel) error {
	return func(ch sideChannel) error {
		_, err := ch.Consume(name, o)
		return err
	}
}

// TestLikeRabbitMQ has what RabbitMQ 4 refuses, with its codes and texts.
func TestLikeRabbitMQ(t *testing.T) {
	quorum := warren.QueueOptions{Type: warren.Quorum, Durable: true}
	with := func(change func(o *warren.QueueOptions)) warren.QueueOptions {
		o := quorum
		change(&o)
		return o
	}
	likeOnBothSides(t, warren.LikeRabbitMQ, map[string]likeRow{
		"recover to the consumer": {func(ch sideChannel) error { return ch.Recover(false) }, 540, "NOT_IMPLEMENTED - requeue=false"},
		"flow off":                {func(ch sideChannel) error { return ch.Flow(false) }, 540, "NOT_IMPLEMENTED - active=false"},
		"LavinMQ's reply-to": {
			consuming("amq.direct.reply-to", warren.ConsumeOptions{NoAck: true}),
			404, "NOT_FOUND - no queue 'amq.direct.reply-to' in vhost '/'",
		},
		"LavinMQ's exchange type": {func(ch sideChannel) error {
			return ch.ExchangeDeclare("x", "x-delayed-exchange", warren.ExchangeOptions{Args: warren.Table{"x-delayed-type": "direct"}})
		}, 406, "PRECONDITION_FAILED - unknown exchange type 'x-delayed-exchange'"},
		"delivery limit of a classic queue": {
			declaring("new", warren.QueueOptions{DeliveryLimit: 3}),
			406, "PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'new' in vhost '/' of queue type rabbit_classic_queue",
		},
		"priorities of a quorum queue": {
			declaring("new", with(func(o *warren.QueueOptions) { o.MaxPriority = 3 })),
			406, "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'new' in vhost '/' of queue type rabbit_quorum_queue",
		},
		"length of a stream": {
			declaring("new", warren.QueueOptions{Durable: true, Type: warren.Stream, MaxLength: 3}),
			406, "PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'new' in vhost '/' of queue type rabbit_stream_queue",
		},
		"transient quorum queue": {
			declaring("new", with(func(o *warren.QueueOptions) { o.Durable = false })),
			406, "PRECONDITION_FAILED - invalid property 'non-durable' for queue 'new' in vhost '/'",
		},
		"exclusive quorum queue": {
			declaring("new", with(func(o *warren.QueueOptions) { o.Exclusive = true })),
			406, "PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'new' in vhost '/'",
		},
		"auto-delete quorum queue": {
			declaring("new", with(func(o *warren.QueueOptions) { o.AutoDelete = true })),
			406, "PRECONDITION_FAILED - invalid property 'auto-delete' for queue 'new' in vhost '/'",
		},
		"quorum queue without a name": {
			declaring("", quorum),
			406, "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue",
		},
		"quorum queue deleted if unused": {
			deleting("quorum", warren.QueueDeleteOptions{IfUnused: true}),
			540, "NOT_IMPLEMENTED - cannot delete queue 'quorum' in vhost '/'. queue.delete operations with if-unused flag set are not supported by quorum queues",
		},
		"quorum queue deleted if empty": {
			deleting("quorum", warren.QueueDeleteOptions{IfEmpty: true}),
			540, "NOT_IMPLEMENTED - cannot delete queue 'quorum' in vhost '/'. queue.delete operations with if-empty flag set are not supported by quorum queues",
		},
		"shared prefetch at a quorum queue": {func(ch sideChannel) error {
			if err := ch.QosGlobal(3); err != nil {
				return err
			}
			return consuming("quorum", warren.ConsumeOptions{})(ch)
		}, 540, "NOT_IMPLEMENTED - queue 'quorum' in vhost '/' does not support global qos"},
		"shared prefetch at a stream": {func(ch sideChannel) error {
			if _, err := ch.QueueDeclare("s", warren.QueueOptions{Durable: true, Type: warren.Stream}); err != nil {
				return err
			}
			if err := ch.QosGlobal(3); err != nil {
				return err
			}
			return consuming("s", warren.ConsumeOptions{Prefetch: 3})(ch)
		}, 540, "NOT_IMPLEMENTED - queue 's' in vhost '/' does not support global qos"},
		"version of a queue": {
			declaring("new", warren.QueueOptions{Args: warren.Table{"x-queue-version": 1}}),
			406, `PRECONDITION_FAILED - invalid arg 'x-queue-version' for queue 'new' in vhost '/': "unsupported queue version '1'"`,
		},
	})
}

// TestLikeLavinMQ has what LavinMQ 2 refuses.
func TestLikeLavinMQ(t *testing.T) {
	likeOnBothSides(t, warren.LikeLavinMQ, map[string]likeRow{
		"a name of its own for reply-to": {
			consuming("amq.lavinmq.reply-to", warren.ConsumeOptions{NoAck: true}),
			404, "NOT_FOUND - no queue 'amq.lavinmq.reply-to' in vhost '/'",
		},
		"a name for MQTT":     {declaring("mqtt.q", warren.QueueOptions{}), 403, "ACCESS_REFUSED - queue name 'mqtt.q' contains reserved prefix 'mqtt.*'"},
		"a name beyond ASCII": {declaring("grün", warren.QueueOptions{}), 406, `PRECONDITION_FAILED - queue name "grün" isn't valid: only printable ASCII is`},
		"an exchange beyond ASCII": {func(ch sideChannel) error {
			return ch.ExchangeDeclare("grün", warren.Fanout, warren.ExchangeOptions{})
		}, 406, `PRECONDITION_FAILED - exchange name "grün" isn't valid: only printable ASCII is`},
		"x-match of RabbitMQ": {func(ch sideChannel) error {
			return ch.QueueBind("q", "", "amq.headers", warren.Table{"x-match": "all-with-x"})
		}, 406, "PRECONDITION_FAILED - x-match must be 'any' or 'all'"},
		"get beside an exclusive consumer": {func(ch sideChannel) error {
			if _, err := ch.Consume("q", warren.ConsumeOptions{Exclusive: true}); err != nil {
				return err
			}
			_, _, err := ch.Get("q", true)
			return err
		}, 403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"},
		"delete of a destination if unused": {func(ch sideChannel) error {
			if err := ch.ExchangeBind("fed", "", "amq.fanout", nil); err != nil {
				return err
			}
			return ch.ExchangeDelete("fed", warren.ExchangeDeleteOptions{IfUnused: true})
		}, 406, "PRECONDITION_FAILED - exchange 'fed' in vhost '/' in use"},
	})
}

// TestLikeRabbitMQDoesNotKnowLavinMQsArguments: they mean nothing, as any that
// RabbitMQ does not know.
func TestLikeRabbitMQDoesNotKnowLavinMQsArguments(t *testing.T) {
	onBothSidesWith(t, &warren.Options{Like: warren.LikeRabbitMQ}, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{})
		args := warren.Table{"x-alternate-exchange": "amq.fanout", "x-hash-on": "h", "x-delayed-exchange": true}
		require.NoError(t, ch.ExchangeDeclare("x", warren.Direct, warren.ExchangeOptions{Args: args}))
		require.NoError(t, ch.QueueBind("q", "", "amq.fanout", nil))
		require.NoError(t, ch.Publish("x", "k", warren.Message{}, warren.PublishOptions{}))
		require.Zero(t, t.ready(), "it has no alternate exchange")
		require.NoError(t, ch.QueueBind("q", "k", "x", nil))
		require.NoError(t, ch.Publish("x", "k", warren.Message{Headers: warren.Table{"x-delay": 60_000}}, warren.PublishOptions{}))
		require.Equal(t, 1, t.ready(), "it does not delay")
		require.NoError(t, ch.ExchangeDeclare("x", warren.Direct, warren.ExchangeOptions{}), "they do not count")
	})
}

func TestLikeRabbitMQImmediate(t *testing.T) {
	onBothSidesWith(t, &warren.Options{Like: warren.LikeRabbitMQ}, func(t *side) {
		brokertest.Queue(t, t.open(), "q", warren.QueueOptions{})
		ch := t.open()
		err := ch.Publish("", "q", warren.Message{}, warren.PublishOptions{Immediate: true})
		if !t.native {
			err = ch.Closed() // the client does not wait for an answer
		}
		brokertest.FailsWith(t, err, 540, "NOT_IMPLEMENTED - immediate=true")
	})
}

// TestLikeRabbitMQsLargestMessage: 16 MiB, if the options do not say another.
func TestLikeRabbitMQsLargestMessage(t *testing.T) {
	b := warren.New(&warren.Options{Like: warren.LikeRabbitMQ})
	defer b.Close()
	ch := brokertest.Channel(t, b)
	body := make([]byte, 16<<20+1)
	require.NoError(t, brokertest.Send(ch, "amq.fanout", "", warren.Message{Body: body[1:]}, warren.PublishOptions{}))
	err := brokertest.Send(ch, "amq.fanout", "", warren.Message{Body: body}, warren.PublishOptions{})
	brokertest.FailsWith(t, err, 406, "PRECONDITION_FAILED - message size 16777217 is larger than configured max size 16777216")
	brokertest.Exchanges(t, ch, warren.Fanout, "x")
	require.NoError(t, ch.ExchangeDeclarePassive("amq.rabbitmq.trace"))
	require.ErrorIs(t, brokertest.Send(ch, "amq.rabbitmq.trace", "", warren.Message{}, warren.PublishOptions{}), warren.ErrAccessRefused, "it is internal")
	_, err = b.VirtualHost("")
	brokertest.FailsWith(t, err, 530, "NOT_ALLOWED - vhost  not found")
}

// TestLikeRabbitMQsPolicies: a policy does not apply to a queue whose type does
// not know one of its settings.
func TestLikeRabbitMQsPolicies(t *testing.T) {
	for like, want := range map[warren.Like]string{warren.LikeWarren: "limit", warren.LikeRabbitMQ: ""} {
		b := warren.New(&warren.Options{Like: like})
		defer b.Close()
		v := brokertest.VirtualHost(t, b, "/")
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "classic")
		brokertest.Queue(t, ch, "quorum", warren.QueueOptions{Durable: true, Type: warren.Quorum})
		require.NoError(t, v.PolicySet(warren.Policy{Name: "limit", Definition: warren.Table{"delivery-limit": 3}}))
		p, err := v.PolicyOfQueue("classic")
		require.NoError(t, err)
		require.Equal(t, want, p.Policy)
		p, err = v.PolicyOfQueue("quorum")
		require.NoError(t, err)
		require.Equal(t, "limit", p.Policy)
	}
}

// TestEachIsToldByItsName: clients and suites look at the product.
func TestEachIsToldByItsName(t *testing.T) {
	for like, want := range map[warren.Like]string{warren.LikeWarren: "Warren 0.", warren.LikeRabbitMQ: "RabbitMQ 4.", warren.LikeLavinMQ: "LavinMQ 2."} {
		brokertest.RunWith(t, &warren.Options{Like: like}, func(t *testing.T, b *warren.Broker) {
			server := amqp.NewServer(b, &amqp.Options{Heartbeat: -1})
			defer server.Close()
			conn := brokertest.Dial(t, server.Dial, amqp091.Config{})
			product, _ := conn.Properties["product"].(string)
			version, _ := conn.Properties["version"].(string)
			require.True(t, strings.HasPrefix(product+" "+version, want), "%s %s", product, version)
		})
	}
}
