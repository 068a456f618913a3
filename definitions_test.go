package warren_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// importText imports a text that has no problems.
func importText(t testing.TB, b *warren.Broker, text string) {
	t.Helper()
	require.NoError(t, b.DefinitionsImport(strings.NewReader(text)))
}

// importProblems imports a text and gives what could not be, in order.
func importProblems(t testing.TB, b *warren.Broker, text string) (list []string) {
	t.Helper()
	err := b.DefinitionsImport(strings.NewReader(text))
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "no object is named: %v", err)
	for _, err := range joined.Unwrap() {
		var e *warren.DefinitionError
		require.ErrorAs(t, err, &e)
		list = append(list, e.Object+": "+strings.TrimPrefix(e.Error(), "warren: import "+e.Object+": "))
	}
	return list
}

func exportText(t testing.TB, b *warren.Broker) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, b.DefinitionsExport(&out))
	return out.String()
}

func channelOf(t testing.TB, b *warren.Broker, vhost string) *warren.Channel {
	t.Helper()
	ch, err := brokertest.VirtualHost(t, b, vhost).Channel()
	require.NoError(t, err)
	return ch
}

func definitionsFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/definitions/" + name)
	require.NoError(t, err)
	return string(text)
}

// hasOptions requires that a queue is there with these options.
func hasOptions(t testing.TB, ch *warren.Channel, name string, o warren.QueueOptions) {
	t.Helper()
	_, err := ch.QueueDeclarePassive(name)
	require.NoError(t, err)
	_, err = ch.QueueDeclare(name, o)
	require.NoError(t, err)
}

func TestDefinitionsOfRabbitMQAreImported(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		require.Equal(t, []string{
			"user 'clara': limits of users are not supported: max-channels, max-connections",
			"binding from exchange 'amq.direct' by key 'mine' to queue 'mine' in vhost 'shop': queue.bind: 404 NOT_FOUND - no queue 'mine' in vhost 'shop'",
			"binding from exchange 'inner' by key '' to queue 'scratch' in vhost 'shop': queue.bind: 404 NOT_FOUND - no exchange 'inner' in vhost 'shop'",
			"binding from exchange 'orders' by key 'order.*' to exchange 'inner' in vhost 'shop': exchange.bind: 404 NOT_FOUND - no exchange 'inner' in vhost 'shop'",
		}, importProblems(t, b, definitionsFile(t, "rabbitmq-3.10.8.json")), "RabbitMQ exports neither exclusive queues nor internal exchanges, but bindings of both")

		require.Equal(t, []warren.User{
			{Name: "cert"}, {Name: "clara", Tags: []string{"administrator", "impersonator"}}, {Name: "dora", Tags: []string{"monitoring", "management"}},
			{Name: "guest", Tags: []string{"administrator"}}, {Name: "mick", Tags: []string{"policymaker"}},
		}, b.Users())
		for _, name := range []string{"clara", "dora", "mick"} {
			require.NoError(t, b.Authenticate(name, name+"-secret"), name)
		}
		require.NoError(t, b.Authenticate("guest", "guest"))
		require.ErrorIs(t, b.Authenticate("clara", "clara"), warren.ErrLoginRefused)

		v := brokertest.VirtualHost(t, b, "shop")
		require.Equal(t, warren.VirtualHostLimits{MaxConnections: 256, MaxQueues: 1000}, v.Limits())
		p, _ := v.Permissions("dora")
		require.Equal(t, warren.Permissions{Write: ".*", Read: ".*"}, p)
		p, _ = v.Permissions("clara")
		require.Equal(t, warren.Permissions{Configure: `^(orders|amq\.gen).*`, Write: ".*", Read: "^orders"}, p)
		require.Equal(t, []warren.TopicPermissions{{Exchange: "orders", Write: `^order\.`, Read: ".*"}}, v.TopicPermissions("clara"))
		require.Equal(t, []warren.Policy{
			{Name: "ae", Pattern: "^events", ApplyTo: warren.ApplyToExchanges, Definition: warren.Table{"alternate-exchange": "unrouted"}},
			{Name: "ttl", Pattern: "^orders", ApplyTo: warren.ApplyToQueues, Priority: 7, Definition: warren.Table{"max-length": int64(100000), "message-ttl": int64(3600000)}},
		}, v.Policies())
		require.Equal(t, []warren.Policy{
			{Name: "cap", Pattern: ".*", ApplyTo: warren.ApplyToQueues, Priority: 1, Definition: warren.Table{"max-length": int64(200000)}},
		}, v.OperatorPolicies())

		ch := channelOf(t, b, "shop")
		hasOptions(t, ch, "orders", warren.QueueOptions{
			Durable: true, MessageTTL: time.Minute, MaxLength: 5e9, Overflow: warren.RejectPublish,
			DeadLetter: &warren.DeadLetter{Exchange: "dlx", RoutingKey: "orders.dead"},
		})
		hasOptions(t, ch, "urgent", warren.QueueOptions{Durable: true, MaxPriority: 10, SingleActiveConsumer: true})
		hasOptions(t, ch, "raft", warren.QueueOptions{Durable: true, DeliveryLimit: 5, Args: warren.Table{"x-queue-type": "quorum"}})
		hasOptions(t, ch, "scratch", warren.QueueOptions{AutoDelete: true, Expires: 30 * time.Minute})
		hasOptions(t, ch, "exotic", warren.QueueOptions{Durable: true})

		require.NoError(t, ch.ExchangeDeclare("orders", warren.Topic, warren.ExchangeOptions{Durable: true, Alternate: "unrouted"}))
		brokertest.Put(t, ch, "orders", "order.new.paid", "order")
		require.Equal(t, []string{"order"}, brokertest.Drain(t, ch, "orders"))
		brokertest.Put(t, ch, "orders", "invoice", "astray")
		require.Equal(t, []string{"astray"}, brokertest.Drain(t, ch, "orders.dead"))
		require.NoError(t, brokertest.Send(ch, "by-header", "", warren.Message{Headers: warren.Table{"priority": 1, "rush": true}}, warren.PublishOptions{Mandatory: true}))
		require.Equal(t, 1, brokertest.Ready(t, ch, "urgent"))
	})
}

func TestDefinitionsOfLavinMQAreImported(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		require.Equal(t, []string{
			"user 'bert': passwords hashed by 'lavinmq_bcrypt' cannot be checked",
			"parameter 'move' of component 'shovel' in vhost 'plant': component shovel not found",
		}, importProblems(t, b, definitionsFile(t, "lavinmq.json")))

		require.NoError(t, b.Authenticate("guest", "guest"))
		require.NoError(t, b.Authenticate("olga", "olga-secret"))
		require.ErrorIs(t, b.Authenticate("bert", "bert-secret"), warren.ErrLoginRefused)
		require.Equal(t, []warren.User{
			{Name: "bert", Tags: []string{"monitoring"}}, {Name: "cert"}, {Name: "guest", Tags: []string{"administrator"}},
			{Name: "olga", Tags: []string{"management", "policymaker"}},
		}, b.Users())

		v := brokertest.VirtualHost(t, b, "plant")
		require.Equal(t, warren.VirtualHostLimits{MaxQueues: 20}, v.Limits())
		p, _ := v.Permissions("olga")
		require.Equal(t, warren.Permissions{Configure: "^olga", Write: "^$", Read: ".*"}, p)
		require.Equal(t, []warren.Policy{
			{Name: "short", Pattern: "^lost$", ApplyTo: warren.ApplyToQueues, Priority: 2, Definition: warren.Table{"max-length": int64(1000), "overflow": "reject-publish"}},
		}, v.Policies())
		require.Equal(t, []warren.Policy{
			{Name: "bounds", Pattern: ".*", ApplyTo: warren.ApplyToAll, Definition: warren.Table{"max-length": int64(10000)}},
		}, v.OperatorPolicies())

		ch := channelOf(t, b, "plant")
		hasOptions(t, ch, "sensors", warren.QueueOptions{Durable: true, MessageTTL: time.Hour, MaxLength: 50000, DeadLetter: &warren.DeadLetter{Exchange: "lost"}})
		hasOptions(t, ch, "alarms", warren.QueueOptions{Durable: true, MaxPriority: 5, DeliveryLimit: 3})
		hasOptions(t, channelOf(t, b, "/"), "screen", warren.QueueOptions{AutoDelete: true, Expires: time.Minute})
		brokertest.Put(t, ch, "plant", "sensor.7.temperature", "warm")
		require.Equal(t, []string{"warm"}, brokertest.Drain(t, ch, "sensors"))
		brokertest.Put(t, ch, "plant", "nobody", "astray")
		require.Equal(t, []string{"astray"}, brokertest.Drain(t, ch, "lost"))
		for _, headers := range []warren.Table{{"level": 3, "acknowledged": false}, {"level": 3}, {"level": 2, "acknowledged": false}} {
			require.NoError(t, brokertest.Send(ch, "plant", "alarm.fire", warren.Message{Headers: headers}, warren.PublishOptions{}))
		}
		require.Equal(t, 1, brokertest.Ready(t, ch, "alarms"), "void asks for presence")
	})
}

// richBroker has something of everything.
func richBroker(t *testing.T) *warren.Broker {
	b := newBroker(t)
	require.NoError(t, b.UserDeclare("ann", "ann-secret", "monitoring", warren.Impersonator))
	require.NoError(t, b.UserDeclareHash("bob", "AQIDBN0ccbRAOWxqx3s3XYFgb/I=", "MD5"))
	require.NoError(t, b.UserDeclare("cert", ""))
	v, err := b.VirtualHostDeclare("ünïcode / <host>")
	require.NoError(t, err)
	require.NoError(t, v.PermissionsDelete(warren.Guest))
	require.NoError(t, v.PermissionsSet("ann", warren.Permissions{Configure: "^a&b", Read: ".*"}))
	require.NoError(t, v.PolicySet(warren.Policy{Name: "p2", Pattern: "^log", Priority: -2, Definition: warren.Table{"max-length": 5}}))
	require.NoError(t, v.PolicySet(warren.Policy{Name: "p1", Pattern: "", ApplyTo: warren.ApplyToExchanges, Definition: warren.Table{"alternate-exchange": "amq.fanout"}}))
	require.NoError(t, v.OperatorPolicySet(warren.Policy{Name: "p1", Pattern: "x", ApplyTo: warren.ApplyToQueues, Definition: warren.Table{"message-ttl": 1000}}))
	ch := brokertest.Channel(t, v)
	_, err = ch.QueueDeclare("args", warren.QueueOptions{Durable: true, MaxPriority: 3, MessageTTL: time.Minute, Args: warren.Table{
		"bool": true, "float": 2.0, "tiny": 1e-9, "huge": -1e21, "small": float32(0.1), "int": int8(-5), "big": int64(1) << 62, "text": "a\"<>&\n",
		"list": []any{1, 2.0, "x", false, []any{}, warren.Table{}}, "table": warren.Table{"b": warren.Table{"c": uint32(7)}, "a": ""},
	}})
	require.NoError(t, err)
	brokertest.Queue(t, ch, "log", warren.QueueOptions{AutoDelete: true, Args: warren.Table{"x-queue-type": "quorum"}})
	require.NoError(t, ch.ExchangeDeclare("in", warren.Headers, warren.ExchangeOptions{Internal: true, Alternate: "amq.direct"}))
	require.NoError(t, ch.ExchangeDeclare("out", warren.Topic, warren.ExchangeOptions{Durable: true, AutoDelete: true}))
	require.NoError(t, ch.ExchangeBind("in", "a.#", "out", nil))
	require.NoError(t, ch.ExchangeBind("out", "", "amq.headers", warren.Table{"x-match": "any", "n": 1}))
	require.NoError(t, ch.ExchangeBind("out", "", "amq.headers", warren.Table{"x-match": "any", "n": 2}))
	require.NoError(t, ch.QueueBind("log", "", "in", warren.Table{"there": nil, "undefined": "undefined"}))
	v.LimitsSet(warren.VirtualHostLimits{MaxConnections: 10, MaxQueues: 1}) // fewer than there are
	return b
}

func TestDefinitionsComeBackAsTheyWere(t *testing.T) {
	b := richBroker(t)
	text := exportText(t, b)
	require.Equal(t, text, exportText(t, b), "the order is always the same")
	again := newBroker(t)
	for range 2 {
		importText(t, again, text)
		require.Equal(t, text, exportText(t, again))
	}
	require.NoError(t, again.Authenticate("ann", "ann-secret"))
	require.NoError(t, again.Authenticate("guest", "guest"))
}

func TestDefinitionsAreExportedInRabbitMQsShape(t *testing.T) {
	b := richBroker(t)
	v := brokertest.VirtualHost(t, b, "/")
	v.LimitsSet(warren.VirtualHostLimits{MaxQueues: -1})
	text := exportText(t, b)
	for _, want := range []string{
		`"float": 2.0,`, `"tiny": 1.0e-09`, `"huge": -1.0e+21`, `"small": 0.1,`, `"int": -5,`, `"big": 4611686018427387904,`, `"text": "a\"<>&\n"`,
		`"alternate-exchange": "amq.direct"`, `"internal": true`, `"type": "quorum"`, `"name": "ünïcode / <host>"`,
		`"password_hash": "AQIDBN0ccbRAOWxqx3s3XYFgb/I=",
      "hashing_algorithm": "rabbit_password_hashing_md5",
      "tags": []`,
		`{
      "component": "operator_policy",
      "vhost": "ünïcode / <host>",
      "name": "p1",
      "value": {
        "pattern": "x",
        "apply-to": "queues",
        "priority": 0,
        "definition": {
          "message-ttl": 1000
        }
      }
    }`,
		`{
      "component": "vhost-limits",
      "vhost": "/",
      "name": "limits",
      "value": {
        "max-queues": 0
      }
    }`,
	} {
		require.Contains(t, text, want)
	}
}

func TestAVoidArgumentOfABindingComesBack(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.QueueBind("q", "", "amq.headers", warren.Table{"there": nil, "word": "undefined"}))
		again := warren.New(nil)
		defer again.Close()
		importText(t, again, exportText(t, b))
		ch = brokertest.Channel(t, again)
		for _, word := range []any{"undefined", "other"} {
			require.NoError(t, brokertest.Send(ch, "amq.headers", "", warren.Message{Headers: warren.Table{"there": 1, "word": word}}, warren.PublishOptions{}))
		}
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"), "presence is enough for the void one only")
	})
}

func TestWhatCannotBeDeclaredIsNotExported(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		before := exportText(t, b)
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "mine", warren.QueueOptions{Exclusive: true})
		q, err := ch.QueueDeclare("", warren.QueueOptions{})
		require.NoError(t, err)
		for _, name := range []string{"mine", q.Name} {
			require.NoError(t, ch.QueueBind(name, "key", "amq.topic", nil))
		}
		brokertest.Put(t, ch, "", "mine", "message")
		require.Equal(t, before, exportText(t, b))
	})
}

func TestWhatJSONLacksIsExportedAsRabbitMQDoes(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		_, err := ch.QueueDeclare("q", warren.QueueOptions{Args: warren.Table{
			"void": nil, "octets": []byte("text"), "raw": []byte{0, 1, 255}, "raw text": "\x00\x01\xff",
			"time": time.Unix(1700000000, 0), "decimal": warren.Decimal{Scale: 2, Value: 1234},
		}})
		require.NoError(t, err)
		text := exportText(t, b)
		for _, want := range []string{
			`"void": "undefined"`, `"octets": "text"`, `"raw": "Not UTF-8, base64 is: AAH/"`, `"raw text": "Not UTF-8, base64 is: AAH/"`,
			`"time": 1700000000`, `"decimal": 12.34`,
		} {
			require.Contains(t, text, want)
		}
		again := warren.New(nil)
		defer again.Close()
		importText(t, again, text)
		require.Equal(t, text, exportText(t, again))
	})
}

func TestNumbersAreImportedAsTheyAreWritten(t *testing.T) {
	for value, problem := range map[string]string{
		"60000":               "",
		"60000.0":             `"expected integer, got double"`,
		"6e4":                 `"expected integer, got double"`,
		`"60000"`:             `"expected integer, got longstr"`,
		"null":                `"expected integer, got void"`,
		"true":                `"expected integer, got bool"`,
		"[60000]":             `"expected integer, got array"`,
		`{"a":60000}`:         `"expected integer, got table"`,
		"9223372036854775807": "",
		"-1":                  "{value_negative,-1}",
	} {
		b := newBroker(t)
		problems := importProblems(t, b, `{"queues":[{"name":"q","vhost":"/","arguments":{"x-max-length":`+value+`}}]}`)
		if problem == "" {
			require.Empty(t, problems, value)
			require.Contains(t, exportText(t, b), `"x-max-length": `+value+"\n")
			continue
		}
		require.Equal(t, []string{"queue 'q' in vhost '/': queue.declare: 406 PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'q' in vhost '/': " + problem}, problems, value)
	}
}

func TestArgumentsMayBeAListOfPairs(t *testing.T) {
	b := newBroker(t)
	importText(t, b, `{"queues":[
		{"name":"a","arguments":[]}, {"name":"b","arguments":null}, {"name":"c"}, {"name":"d","arguments":[["x-max-length",7],["x-list",[["k",1]]]]}]}`)
	ch := brokertest.Channel(t, b)
	for _, name := range []string{"a", "b", "c"} {
		hasOptions(t, ch, name, warren.QueueOptions{})
	}
	hasOptions(t, ch, "d", warren.QueueOptions{MaxLength: 7})
}

func TestImportOverwritesNoQueueAndNoExchange(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "old", warren.QueueOptions{MaxLength: 5})
		brokertest.Queue(t, ch, "mine", warren.QueueOptions{Exclusive: true})
		require.NoError(t, ch.ExchangeDeclare("old", warren.Topic, warren.ExchangeOptions{}))
		brokertest.Put(t, ch, "", "old", "kept")
		problems := importProblems(t, b, `{
			"exchanges": [{"name":"old","vhost":"/","type":"fanout"}, {"name":"odd","vhost":"/","type":"x-none"}, {"name":"new","vhost":"/","type":"fanout"}],
			"queues": [{"name":"old","vhost":"/","arguments":{"x-max-length":6}}, {"name":"mine","vhost":"/"}, {"name":"new","vhost":"/"}, {"name":"new","vhost":"/","durable":true},
				{"name":"","vhost":"/"}, {"name":"far","vhost":"none"}],
			"bindings": [{"source":"new","vhost":"/","destination":"new","destination_type":"queue"}, {"source":"none","vhost":"/","destination":"new","destination_type":"queue","routing_key":"k"},
				{"source":"new","vhost":"/","destination":"new","destination_type":"room"}]
		}`)
		require.Equal(t, []string{
			"exchange 'old' in vhost '/': exchange.declare: 406 PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'old' in vhost '/': received 'fanout' but current is 'topic'",
			"exchange 'odd' in vhost '/': exchange.declare: 406 PRECONDITION_FAILED - unknown exchange type 'x-none'",
			"queue 'old' in vhost '/': queue.declare: 406 PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'old' in vhost '/': received '6' but current is '5'",
			"queue 'mine' in vhost '/': queue.declare: 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.",
			"queue 'new' in vhost '/': queue.declare: 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'new' in vhost '/': received 'true' but current is 'false'",
			"queue '' in vhost '/': the queue has no name",
			"queue 'far' in vhost 'none': connection.open: 530 NOT_ALLOWED - vhost none not found",
			"binding from exchange 'none' by key 'k' to queue 'new' in vhost '/': queue.bind: 404 NOT_FOUND - no exchange 'none' in vhost '/'",
			"binding from exchange 'new' by key '' to room 'new' in vhost '/': the destination is neither a queue nor an exchange",
		}, problems)
		require.Equal(t, []string{"kept"}, brokertest.Drain(t, ch, "old"))
		brokertest.Put(t, ch, "new", "", "routed")
		require.Equal(t, []string{"routed"}, brokertest.Drain(t, ch, "new"))
	})
}

func TestImportErrorsAreThoseOfTheObjects(t *testing.T) {
	b := newBroker(t)
	brokertest.Queues(t, brokertest.Channel(t, b), "q")
	err := b.DefinitionsImport(strings.NewReader(`{"queues":[{"name":"q","durable":true}]}`))
	require.ErrorIs(t, err, warren.ErrPreconditionFailed)
	require.EqualError(t, err, "warren: import queue 'q': queue.declare: 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'")
}

// What cannot be told from others by its name is not made.
func TestWhatHasNoNameIsNotImported(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	err := b.DefinitionsImport(strings.NewReader(`{
		"users": [{"name": "", "password_hash": ""}],
		"vhosts": [{"name": ""}],
		"policies": [{"vhost": "/", "name": "", "pattern": ".*", "apply-to": "all", "definition": {"max-length": 1}, "priority": 0}],
		"parameters": [{"vhost": "/", "component": "operator_policy", "name": "", "value": {"pattern": ".*", "definition": {"max-length": 1}}}],
		"queues": [{"vhost": "/", "name": "", "durable": true, "auto_delete": false, "arguments": {}}]
	}`))
	var all []string
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		all = append(all, strings.TrimPrefix(err.Error(), "warren: import "))
	}
	require.Equal(t, []string{
		"user '': a user's name has 1 to 255 bytes of UTF-8",
		"vhost '': connection.open: 530 NOT_ALLOWED - a vhost must have a name",
		"policy '' in vhost '/': 406 PRECONDITION_FAILED - invalid policy '' in vhost '/': a policy must have a name",
		"parameter '' of component 'operator_policy' in vhost '/': 406 PRECONDITION_FAILED - invalid operator policy '' in vhost '/': a policy must have a name",
		"queue '' in vhost '/': the queue has no name",
	}, all)
}

func TestImportSetsUsersPermissionsPoliciesAndLimits(t *testing.T) {
	b := newBroker(t)
	v := brokertest.VirtualHost(t, b, "/")
	require.NoError(t, b.UserDeclareHash("ann", "AQIDBN0ccbRAOWxqx3s3XYFgb/I=", "MD5", "monitoring"))
	require.NoError(t, v.PermissionsSet("ann", warren.AllPermissions()))
	require.NoError(t, v.PolicySet(warren.Policy{Name: "p", Pattern: "a", Definition: warren.Table{"max-length": 1}}))
	v.LimitsSet(warren.VirtualHostLimits{MaxConnections: 1, MaxQueues: 1})
	importText(t, b, `{
		"users": [{"name":"ann","password":"new","tags":"management"}],
		"permissions": [{"user":"ann","vhost":"/","configure":"a","write":"b","read":"c"}],
		"policies": [{"vhost":"/","name":"p","pattern":"b","definition":{"max-length":2}}],
		"parameters": [{"component":"vhost-limits","vhost":"/","name":"limits","value":{"max-queues":7}}]
	}`)
	require.NoError(t, b.Authenticate("ann", "new"))
	require.Equal(t, warren.User{Name: "ann", Tags: []string{"management"}}, b.Users()[0])
	p, _ := v.Permissions("ann")
	require.Equal(t, warren.Permissions{Configure: "a", Write: "b", Read: "c"}, p)
	require.Equal(t, []warren.Policy{{Name: "p", Pattern: "b", ApplyTo: warren.ApplyToAll, Definition: warren.Table{"max-length": int64(2)}}}, v.Policies())
	require.Equal(t, warren.VirtualHostLimits{MaxQueues: 7}, v.Limits())
}

func TestImportedLimitsAreRabbitMQs(t *testing.T) {
	b := newBroker(t)
	v := brokertest.VirtualHost(t, b, "/")
	for value, want := range map[string]warren.VirtualHostLimits{
		`{}`: {}, `[]`: {}, `{"max-queues":-1,"max-connections":5}`: {MaxConnections: 5},
		`{"max-queues":0}`: {MaxQueues: -1}, `[["max-queues",3]]`: {MaxQueues: 3},
	} {
		v.LimitsSet(warren.VirtualHostLimits{MaxConnections: 9})
		importText(t, b, `{"parameters":[{"component":"vhost-limits","vhost":"/","name":"limits","value":`+value+`}]}`)
		require.Equal(t, want, v.Limits(), value)
	}
	require.Equal(t, []string{
		"parameter 'limits' of component 'vhost-limits' in vhost '/': there is no limit 'max-messages'",
		"parameter 'limits' of component 'vhost-limits' in vhost '/': the limit max-queues is not an integer",
	}, importProblems(t, b, `{"parameters":[
		{"component":"vhost-limits","vhost":"/","name":"limits","value":{"max-messages":1}},
		{"component":"vhost-limits","vhost":"/","name":"limits","value":{"max-queues":1.5}}]}`))

	importText(t, b, `{"vhosts":[{"name":"/"},{"name":"v","limits":[["max-queues",1]]}],"queues":[{"name":"a","vhost":"v"},{"name":"b","vhost":"v"}]}`)
	require.Equal(t, 1, brokertest.VirtualHost(t, b, "v").Limits().MaxQueues)
	require.Equal(t, 2, b.Stats().Queues, "limits do not touch what comes with them")
	require.Equal(t, []string{"queue 'c' in vhost 'v': queue.declare: 406 PRECONDITION_FAILED - cannot declare queue 'c': queue limit in vhost 'v' (1) is reached"},
		importProblems(t, b, `{"queues":[{"name":"c","vhost":"v"}]}`))
}

func TestAUserWithoutItsTopicPermissionsGetsNoOthers(t *testing.T) {
	b := newBroker(t)
	text := `{"users":[{"name":"ann"}],"vhosts":[{"name":"/"},{"name":"v"}],
		"permissions":[{"user":"ann","vhost":"/","configure":"","write":".*","read":""},{"user":"ann","vhost":"v","configure":"","write":".*","read":""}],
		"topic_permissions":[{"user":"ann","vhost":"/","exchange":"amq.topic","write":"PATTERN","read":".*"},{"user":"none","vhost":"/","exchange":"x","write":"","read":""}]}`
	problems := importProblems(t, b, strings.Replace(text, "PATTERN", "(?=a)", 1))
	require.Len(t, problems, 2)
	require.Contains(t, problems[0], "topic permissions on exchange 'amq.topic' of user 'ann' in vhost '/': the topic permission to write is not a regular expression")
	require.Contains(t, problems[0], ", so the user's permissions in this vhost are not given")
	require.Equal(t, "topic permissions on exchange 'x' of user 'none' in vhost '/': 404 NOT_FOUND - no user 'none'", problems[1])
	_, ok := brokertest.VirtualHost(t, b, "/").Permissions("ann")
	require.False(t, ok)
	_, ok = brokertest.VirtualHost(t, b, "v").Permissions("ann")
	require.True(t, ok)
	importProblems(t, b, strings.Replace(text, "PATTERN", "^a", 1))
	_, ok = brokertest.VirtualHost(t, b, "/").Permissions("ann")
	require.True(t, ok)
	require.Equal(t, []warren.TopicPermissions{{Exchange: "amq.topic", Write: "^a", Read: ".*"}}, root(t, b).TopicPermissions("ann"))
}

func TestImportedPermissionsAreChecked(t *testing.T) {
	problems := importProblems(t, newBroker(t), `{"permissions":[
		{"user":"none","vhost":"/","configure":"","write":"","read":""}, {"user":"guest","vhost":"none","configure":"","write":"","read":""}, {"user":"guest","vhost":"/","configure":"(","write":"","read":""}]}`)
	require.Len(t, problems, 3)
	require.Equal(t, "permissions of user 'none' in vhost '/': 404 NOT_FOUND - no user 'none'", problems[0])
	require.Equal(t, "permissions of user 'guest' in vhost 'none': connection.open: 530 NOT_ALLOWED - vhost none not found", problems[1])
	require.Contains(t, problems[2], "permissions of user 'guest' in vhost '/': the permission to configure is not a regular expression")
}

func TestGuestGetsOnlyPermissionsOfTheFile(t *testing.T) {
	b := newBroker(t)
	importText(t, b, `{"vhosts":[{"name":"a"}],"permissions":[]}`)
	importText(t, b, `{"vhosts":[{"name":"b"}]}`)
	for name, want := range map[string]bool{"/": true, "a": false, "b": true} {
		_, ok := brokertest.VirtualHost(t, b, name).Permissions(warren.Guest)
		require.Equal(t, want, ok, name)
	}
}

func TestQueuesAndExchangesOfTheBrokerAreLeftOut(t *testing.T) {
	b := newBroker(t)
	before := exportText(t, b)
	importText(t, b, `{
		"queues": [{"name":"amq.gen-x","vhost":"/"}],
		"exchanges": [{"name":"","vhost":"/","type":"direct"},{"name":"amq.topic","vhost":"/","type":"fanout"}],
		"bindings": [{"source":"amq.topic","vhost":"/","destination":"amq.gen-x","destination_type":"queue","routing_key":"k"},
			{"source":"","vhost":"/","destination":"q","destination_type":"queue","routing_key":"q"}],
		"global_parameters": [{"name":"cluster_name","value":"c"}], "topic_permissions": null, "unknown": {"a":[1]}
	}`)
	require.Equal(t, before, exportText(t, b))
}

func TestAVirtualHostHasDefinitionsOfItsOwn(t *testing.T) {
	b := richBroker(t)
	var out bytes.Buffer
	require.NoError(t, brokertest.VirtualHost(t, b, "ünïcode / <host>").DefinitionsExport(&out))
	text := out.String()
	for _, word := range []string{`"users"`, `"vhosts"`, `"permissions"`, `"vhost"`} {
		require.NotContains(t, text, word)
	}
	other := newBroker(t)
	v, err := other.VirtualHostDeclare("copy")
	require.NoError(t, err)
	require.NoError(t, v.DefinitionsImport(strings.NewReader(text)))
	out.Reset()
	require.NoError(t, v.DefinitionsExport(&out))
	require.Equal(t, text, out.String())

	require.NoError(t, v.DefinitionsImport(strings.NewReader(`{"users":[{"name":"ann"}],"vhosts":[{"name":"v"}],
		"permissions":[{"user":"guest","vhost":"/"}],"topic_permissions":[{"user":"guest","vhost":"/"}],"exchanges":[{"name":"here","vhost":"elsewhere","type":"fanout"}]}`)))
	require.False(t, other.UserExists("ann"))
	require.Equal(t, 2, other.Stats().VirtualHosts)
	p, _ := brokertest.VirtualHost(t, other, "/").Permissions("guest")
	require.Equal(t, warren.AllPermissions(), p)
	require.NoError(t, channelOf(t, other, "copy").ExchangeDeclarePassive("here"))
}

func TestAnExportIsWholeWhileTheTopologyChanges(t *testing.T) {
	b := newBroker(t)
	text := definitionsFile(t, "lavinmq.json")
	var wg sync.WaitGroup
	wg.Go(func() {
		ch := brokertest.Channel(t, b)
		for range 30 {
			brokertest.Queues(t, ch, "q")
			brokertest.Exchanges(t, ch, warren.Fanout, "x")
			require.NoError(t, ch.QueueBind("q", "", "x", nil))
			_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			require.NoError(t, err)
			require.NoError(t, ch.ExchangeDelete("x", warren.ExchangeDeleteOptions{}))
		}
	})
	wg.Go(func() {
		for range 10 {
			require.Len(t, importProblems(t, b, text), 2)
		}
	})
	for range 30 {
		importText(t, newBroker(t), exportText(t, b)) // no binding leads to what is not there
	}
	wg.Wait()
}

func TestAClosedBrokerImportsNothing(t *testing.T) {
	b := warren.New(nil)
	require.NoError(t, b.Close())
	require.ErrorIs(t, b.DefinitionsImport(strings.NewReader(`{}`)), warren.ErrClosed)
	require.ErrorIs(t, b.DefinitionsImport(brokenFile{}), warren.ErrClosed)
}

// brokenFile is a file that cannot be read, and a disk that is full.
type brokenFile struct{}

var errDisk = errors.New("disk")

func (brokenFile) Read([]byte) (int, error)  { return 0, errDisk }
func (brokenFile) Write([]byte) (int, error) { return 0, errDisk }

func TestErrorsOfFilesAreReturned(t *testing.T) {
	b := newBroker(t)
	require.ErrorIs(t, b.DefinitionsImport(brokenFile{}), errDisk)
	require.ErrorIs(t, b.DefinitionsExport(brokenFile{}), errDisk)
}

func TestDelayedExchangesOfLavinMQAreImported(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		importText(t, b, `{"exchanges": [{"name": "later", "vhost": "/", "type": "topic", "durable": true, "arguments": {"x-delayed-exchange": true}}]}`)
		require.NoError(t, brokertest.Channel(t, b).ExchangeDeclare("later", warren.DelayedMessage, warren.ExchangeOptions{Durable: true, DelayedType: warren.Topic}))
	})
}
