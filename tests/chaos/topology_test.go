package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// Queues that are not like the others.
const (
	dead   = "dead"   // where lost messages go
	solo   = "solo"   // its consumers are exclusive, and never give back while they are there
	loose  = "loose"  // its consumers do not acknowledge
	once   = "once"   // bound to the exchange that drops duplicates
	stream = "stream" // a log
	shaken = "shaken" // policies come and go
)

// queues are the queues with what they lose to dead, if anything.
var queues = []struct {
	name    string
	options warren.QueueOptions
}{
	{"classic", warren.QueueOptions{}},
	{"quorum", warren.QueueOptions{Durable: true, Type: warren.Quorum}},
	{"priority", warren.QueueOptions{MaxPriority: 5}},
	{"single", warren.QueueOptions{SingleActiveConsumer: true}},
	{solo, warren.QueueOptions{}},
	{loose, warren.QueueOptions{}},
	{once, warren.QueueOptions{}},
	{shaken, warren.QueueOptions{}},
	{"short", warren.QueueOptions{MaxLength: 20, DeadLetter: toDead}},
	{"small", warren.QueueOptions{MaxLengthBytes: 4000, Overflow: warren.RejectPublishDLX, DeadLetter: toDead}},
	{"refusing", warren.QueueOptions{MaxLength: 30, Overflow: warren.RejectPublish}},
	{"hasty", warren.QueueOptions{MessageTTL: 2 * time.Millisecond, DeadLetter: toDead}},
	{"patient", warren.QueueOptions{DeliveryLimit: 2, DeadLetter: toDead}},
	{"late", warren.QueueOptions{}},
	{"share0", warren.QueueOptions{}},
	{"share1", warren.QueueOptions{}},
	{"share2", warren.QueueOptions{}},
	{dead, warren.QueueOptions{}},
	{stream, warren.QueueOptions{Durable: true, Type: warren.Stream}},
}

var toDead = &warren.DeadLetter{Exchange: "x.dead"}

// losesToDead are the queues from which a message may get to dead.
var losesToDead = func() map[string]bool {
	m := map[string]bool{shaken: true}
	for _, q := range queues {
		if q.options.DeadLetter != nil {
			m[q.name] = true
		}
	}
	return m
}()

// declare makes the topology.
func declare(t *testing.T, ch *warren.Channel) {
	_, err := ch.QueueDeclare(syncQueue, warren.QueueOptions{})
	require.NoError(t, err)
	for _, q := range queues {
		_, err := ch.QueueDeclare(q.name, q.options)
		require.NoError(t, err, q.name)
	}
	for name, kind := range map[string]warren.ExchangeType{
		"x.dead": warren.Fanout, "x.direct": warren.Direct, "x.all": warren.Fanout, "x.topic": warren.Topic,
		"x.headers": warren.Headers, "x.front": warren.Fanout, "x.share": warren.ConsistentHash,
	} {
		require.NoError(t, ch.ExchangeDeclare(name, kind, warren.ExchangeOptions{}))
	}
	require.NoError(t, ch.ExchangeDeclare("x.late", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Fanout}))
	require.NoError(t, ch.ExchangeDeclare("x.once", warren.Fanout, warren.ExchangeOptions{Deduplicate: &warren.Deduplication{CacheSize: 1e5}}))
	bind := func(queue, key, exchange string, args warren.Table) {
		require.NoError(t, ch.QueueBind(queue, key, exchange, args))
	}
	bind(dead, "", "x.dead", nil)
	for _, q := range []string{"classic", "small", "refusing", solo, loose, "short"} {
		bind(q, q, "x.direct", nil)
	}
	for _, q := range []string{"classic", "quorum", "hasty", stream, shaken} {
		bind(q, "", "x.all", nil)
	}
	bind("priority", "a.*.c", "x.topic", nil)
	bind("patient", "a.#", "x.topic", nil)
	bind("single", "#.c", "x.topic", nil)
	bind("quorum", "", "x.headers", warren.Table{"kind": "red", "x-match": "any"})
	bind(solo, "", "x.headers", warren.Table{"kind": "blue"})
	require.NoError(t, ch.ExchangeBind("x.topic", "", "x.front", nil))
	for i := range 3 {
		bind(fmt.Sprint("share", i), "1", "x.share", nil)
	}
	bind("late", "", "x.late", nil)
	bind(once, "", "x.once", nil)
}

// address gives a message an exchange, and the queues that are to have it, each
// of which stands for any one of a list.
func (m *message) address(r *rand.Rand) {
	topics := map[string][][]string{
		"a.b.c": {{"priority"}, {"patient"}, {"single"}},
		"a.b":   {{"patient"}},
		"z.c":   {{"single"}},
		"z":     nil,
	}
	m.headers = map[string]any{}
	switch m.exchange = [...]string{"", "x.direct", "x.all", "x.topic", "x.headers", "x.front", "x.share", "x.late", "x.once"}[r.IntN(9)]; m.exchange {
	case "":
		m.key = queues[r.IntN(len(queues)-2)].name // not dead, nor the stream
		m.targets = [][]string{{m.key}}
	case "x.direct":
		m.key = [...]string{"classic", "small", "refusing", solo, loose, "short"}[r.IntN(6)]
		m.targets = [][]string{{m.key}}
	case "x.all":
		m.targets = [][]string{{"classic"}, {"quorum"}, {"hasty"}, {stream}, {shaken}}
	case "x.topic", "x.front":
		m.key = [...]string{"a.b.c", "a.b", "z.c", "z"}[r.IntN(4)]
		m.targets = topics[m.key]
	case "x.headers":
		m.headers["kind"] = [...]string{"red", "blue"}[r.IntN(2)]
		m.targets = map[any][][]string{"red": {{"quorum"}}, "blue": {{solo}}}[m.headers["kind"]]
	case "x.share":
		m.key = fmt.Sprint("key", r.IntN(50))
		m.targets = [][]string{{"share0", "share1", "share2"}}
	case "x.late":
		m.headers["x-delay"] = r.Int32N(5)
		m.targets = [][]string{{"late"}}
	case "x.once":
		m.targets = [][]string{{once}}
	}
	m.priority = uint8(r.IntN(8))
}
