package warrentest_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/warrentest"
)

// declareAll declares something of each kind, with odd names and arguments.
func declareAll(t testing.TB, b *warrentest.Broker) {
	ch := brokertest.Channel(t, b)
	require.NoError(t, ch.ExchangeDeclare("x", warren.Topic, warren.ExchangeOptions{Durable: true, Alternate: "in"}))
	require.NoError(t, ch.ExchangeDeclare("in", warren.Fanout, warren.ExchangeOptions{Internal: true, AutoDelete: true}))
	brokertest.Stream(t, ch, "log", warren.QueueOptions{Durable: true})
	brokertest.Queue(t, ch, "a queue", warren.QueueOptions{MaxLength: 7, MessageTTL: time.Second, AutoDelete: true})
	require.NoError(t, ch.QueueBind("log", "k.*", "x", nil))
	require.NoError(t, ch.QueueBind("a queue", "", "amq.headers", warren.Table{
		"x-match": "any", "s": "1", "n": int8(1), "f": 1.5, "no": nil, "b": []byte("x"), "t": time.Unix(0, 0),
		"d": warren.Decimal{Scale: 2, Value: 314}, "list": []any{1, "x"}, "table": warren.Table{"a": true, "b": false},
	}))
	require.NoError(t, ch.ExchangeBind("in", `"quoted"`, "x", nil))
	root := brokertest.VirtualHost(t, b.Broker, "/")
	require.NoError(t, root.PolicySet(warren.Policy{Name: "p", Pattern: "^x y", Definition: warren.Table{"max-length": 5}}))
	require.NoError(t, root.OperatorPolicySet(warren.Policy{Name: "o", Priority: 2, ApplyTo: warren.ApplyToQueues, Definition: warren.Table{"expires": 1000}}))
}

const all = `exchange in fanout auto-delete internal
exchange x topic durable alternate-exchange="in"
queue "a queue" auto-delete x-max-length=7 x-message-ttl=1000
queue log durable x-queue-type="stream"
binding amq.headers -> queue "a queue" key "" b=bytes:"x" d=314e-2 f=1.5 list=[1 "x"] n=1 no=nil s="1" t=1970-01-01T00:00:00Z table={a=true b=false} x-match="any"
binding x -> exchange in key "\"quoted\""
binding x -> queue log key k.*
policy p pattern "^x y" apply-to all priority 0 max-length=5
operator-policy o pattern "" apply-to queues priority 2 expires=1000`

func TestTheTopologyIsText(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		require.Empty(t, b.Topology())
		b.RequireTopology("")
		declareAll(t, b)
		require.Equal(t, all, b.Topology())
		b.RequireTopology(b.Topology())
	})
}

func TestRequireTopologyTakesLinesAsATestHasThem(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		bindOrders(t, b)
		ch := brokertest.Channel(t, b)
		for range 2 {
			q, err := ch.QueueDeclare("", warren.QueueOptions{Exclusive: true})
			require.NoError(t, err)
			require.NoError(t, ch.QueueBind(q.Name, "k", "amq.direct", nil))
		}
		b.RequireTopology(`
			exchange orders topic

			binding orders -> queue mail key *.paid
			binding orders -> queue audit key #
			binding amq.headers -> queue mail key "" loud=true
			binding amq.direct -> queue amq.gen-* key k
			binding amq.direct -> queue amq.gen-* key k

			queue mail
			queue audit
			queue amq.gen-* exclusive
			queue amq.gen-* exclusive
		`)
	})
}

func TestRequireTopologyShowsTheDifference(t *testing.T) {
	fails(t, `warrentest: the topology is not as wanted (- wanted, + there)
  exchange orders topic
  queue audit
- queue mail durable
+ queue mail
  binding amq.headers -> queue mail key "" loud=true
  binding orders -> queue audit key #
+ binding orders -> queue mail key *.paid`,
		func(t testing.TB, b *warrentest.Broker) {
			bindOrders(t, b)
			b.RequireTopology(`
				exchange orders topic
				queue audit
				queue mail durable
				binding amq.headers -> queue mail key "" loud=true
				binding orders -> queue audit key #
			`)
		})
}

func TestDefinitionsAreComparedWithTheTopology(t *testing.T) {
	inBubble(t, func(t *testing.T, b *warrentest.Broker) {
		bindOrders(t, b)
		ch := brokertest.Channel(t, b)
		brokertest.Stream(t, ch, "log", warren.QueueOptions{Durable: true, MaxLengthBytes: 1 << 20})
		require.NoError(t, brokertest.VirtualHost(t, b.Broker, "/").PolicySet(warren.Policy{Name: "p", Pattern: "^x", Definition: warren.Table{"max-length": 5}}))
		var json bytes.Buffer
		require.NoError(t, b.DefinitionsExport(&json))
		brokertest.Queue(t, ch, "mine", warren.QueueOptions{Exclusive: true})
		require.NoError(t, ch.QueueBind("mine", "#", "orders", nil))
		_, err := ch.QueueDeclare("", warren.QueueOptions{})
		require.NoError(t, err)
		b.RequireDefinitions(json.Bytes())
	})
	fails(t, `warrentest: the topology is not as wanted (- wanted, + there)
- queue q durable
+ queue q`,
		func(t testing.TB, b *warrentest.Broker) {
			brokertest.Queues(t, brokertest.Channel(t, b), "q")
			b.RequireDefinitions([]byte(`{"vhosts": [{"name": "/"}], "queues": [{"name": "q", "vhost": "/", "durable": true, "auto_delete": false, "arguments": {}}]}`))
		})
	fails(t, `warrentest: import the definitions that are wanted: warren: read definitions: unexpected end of JSON input`,
		func(_ testing.TB, b *warrentest.Broker) { b.RequireDefinitions(nil) })
}
