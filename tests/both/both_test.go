package both_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
)

// The rules of queues hold for the broker's own channels and for AMQP clients:
// onBothSides tries a rule on both, by one description.

// side is a broker in a bubble, and the side that a rule is tried on.
type side struct {
	*testing.T
	broker *warren.Broker
	native bool
	open   func() sideChannel // opens a channel on a connection of its own
}

// sideChannel is a channel of either side, in confirm mode. Methods return when
// the broker has done what they ask for.
type sideChannel interface {
	QueueDeclare(name string, o warren.QueueOptions) (warren.Queue, error)
	QueueDeclarePassive(name string) (warren.Queue, error)
	QueueDelete(name string, o warren.QueueDeleteOptions) (int, error)
	QueuePurge(name string) (int, error)
	QueueBind(name, key, exchange string, args warren.Table) error
	ExchangeDeclare(name string, kind warren.ExchangeType, o warren.ExchangeOptions) error
	ExchangeBind(destination, key, source string, args warren.Table) error
	ExchangeDelete(name string, o warren.ExchangeDeleteOptions) error
	Publish(exchange, key string, msg warren.Message, o warren.PublishOptions) error
	Get(queue string, autoAck bool) (warren.Delivery, bool, error)
	Consume(queue string, o warren.ConsumeOptions) (sideConsumer, error)
	Cancel(tag string) error
	Ack(tag uint64, multiple bool) error
	Nack(tag uint64, multiple, requeue bool) error
	Reject(tag uint64, requeue bool) error
	Recover(requeue bool) error
	Flow(active bool) error
	QosGlobal(prefetch int) error // the channel's, for all its consumers together
	Close() error
	Lose()         // the connection is lost
	Closed() error // why the broker has closed the channel, told once; nil: it is open
}

// sideConsumer gives what has come, without waiting.
type sideConsumer interface {
	next() (warren.Delivery, bool)
}

// onBothSides tries a rule on both sides, each time in a bubble with a new
// broker.
func onBothSides(t *testing.T, rule func(t *side)) {
	t.Helper()
	onBothSidesWith(t, nil, rule)
}

// onBothSidesWith is onBothSides with options for the broker.
func onBothSidesWith(t *testing.T, o *warren.Options, rule func(t *side)) {
	t.Helper()
	t.Run("native", func(t *testing.T) {
		brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
			rule(&side{T: t, broker: b, native: true, open: func() sideChannel {
				s := brokertest.Session(t, b)
				ch := brokertest.Channel(t, s)
				require.NoError(t, ch.Confirm())
				return nativeChannel{ch, s}
			}})
		})
	})
	t.Run("amqp", func(t *testing.T) {
		brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
			server := amqp.NewServer(b, &amqp.Options{Heartbeat: -1})
			defer server.Close()
			rule(&side{T: t, broker: b, open: func() sideChannel { return dialChannel(t, server) }})
		})
	})
}

// eachOnBothSides tries the cases of a table of rules.
func eachOnBothSides[C any](t *testing.T, cases map[string]C, rule func(t *side, c C)) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			onBothSides(t, func(t *side) { rule(t, c) })
		})
	}
}

// deadLetters makes a queue for dead letters, and says how to get there.
func (t *side) deadLetters(ch sideChannel) *warren.DeadLetter {
	t.Helper()
	brokertest.Queues(t, ch, "dead")
	return &warren.DeadLetter{RoutingKey: "dead"}
}

// put publishes bodies to a queue, by the default exchange.
func (t *side) put(ch sideChannel, queue string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		t.send(ch, queue, warren.Message{Body: []byte(body)})
	}
}

func (t *side) send(ch sideChannel, queue string, msg warren.Message) {
	t.Helper()
	require.NoError(t, ch.Publish("", queue, msg, warren.PublishOptions{}))
}

// ready is how many messages a queue has, without a look at the queue that
// would count as its use.
func (t *side) ready() int {
	synctest.Wait()
	return t.broker.Stats().Ready
}

func (t *side) consume(ch sideChannel, queue string, o warren.ConsumeOptions) sideConsumer {
	t.Helper()
	c, err := ch.Consume(queue, o)
	require.NoError(t, err)
	return c
}

// read gives the bodies of all that a consumer gets; a redelivered one has a
// mark.
func (t *side) read(c sideConsumer) []string {
	t.Helper()
	bodies := []string{}
	for {
		d, ok := c.next()
		if !ok {
			return bodies
		}
		if d.Redelivered {
			d.Body = append(d.Body, '\'')
		}
		bodies = append(bodies, string(d.Body))
	}
}

// refuses requires that a method fails on a channel of its own.
func (t *side) refuses(code uint16, text string, f func(ch sideChannel) error) {
	t.Helper()
	ch := t.open()
	defer ch.Lose()
	brokertest.FailsWith(t, f(ch), code, text)
}

// deathsOf are the entries of a message's x-death, without their times.
func deathsOf(d warren.Delivery) (list []warren.Table) {
	entries, _ := d.Headers["x-death"].([]any)
	for _, v := range entries {
		entry := warren.Table{}
		for k, v := range v.(warren.Table) {
			if k != "time" {
				entry[k] = v
			}
		}
		list = append(list, entry)
	}
	return list
}

// reasonOf is why a message was lost last.
func reasonOf(d warren.Delivery) any {
	if deaths := deathsOf(d); len(deaths) > 0 {
		return deaths[0]["reason"]
	}
	return nil
}
