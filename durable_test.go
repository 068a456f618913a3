package warren_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
)

// openFiles opens a broker on a directory in memory. It is closed with the test, if the
// test has not done so.
func openFiles(t testing.TB, dir *filestest.Dir, o *warren.Options) *warren.Broker {
	t.Helper()
	b, err := warren.OpenFiles(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	return b
}

// reopened closes a broker and opens its directory again.
func reopened(t testing.TB, b *warren.Broker, dir *filestest.Dir) *warren.Broker {
	t.Helper()
	require.NoError(t, b.Close())
	return openFiles(t, dir, nil)
}

// persistently publishes a persistent message to a queue.
func persistently(t testing.TB, ch *warren.Channel, queue, body string) error {
	t.Helper()
	return ch.Publish(t.Context(), "", queue, warren.Message{Body: []byte(body), DeliveryMode: warren.Persistent}, warren.PublishOptions{})
}

// afterPowerCuts calls look for brokers on some of the directories that a power cut now
// could leave.
func afterPowerCuts(t testing.TB, dir *filestest.Dir, look func(b *warren.Broker)) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 12 {
		b := openFiles(t, dir.Image(rnd), nil)
		look(b)
		require.NoError(t, b.Close())
	}
}

// durableKind is a kind of object that survives. Each function fails the test if it
// cannot do its work.
type durableKind struct {
	name   string
	before func(t testing.TB, b *warren.Broker) // makes what it needs; may be nil
	create func(t testing.TB, b *warren.Broker)
	remove func(t testing.TB, b *warren.Broker)
	exists func(t testing.TB, b *warren.Broker) bool
}

func isThere(t testing.TB, err error) bool {
	t.Helper()
	if err != nil {
		require.ErrorIs(t, err, warren.ErrNotFound)
	}
	return err == nil
}

func durableKinds() []durableKind {
	in := func(t testing.TB, b *warren.Broker) *warren.Channel { return channelOf(t, b, "/") }
	root := func(t testing.TB, b *warren.Broker) *warren.VirtualHost { return brokertest.VirtualHost(t, b, "/") }
	exports := func(text string) func(t testing.TB, b *warren.Broker) bool {
		return func(t testing.TB, b *warren.Broker) bool { return strings.Contains(exportText(t, b), text) }
	}
	ends := func(t testing.TB, b *warren.Broker) {
		require.NoError(t, in(t, b).ExchangeDeclare("x", warren.Topic, warren.ExchangeOptions{Durable: true}))
		_, err := in(t, b).QueueDeclare("q", warren.QueueOptions{Durable: true})
		require.NoError(t, err)
	}
	return []durableKind{
		{
			name: "a virtual host",
			create: func(t testing.TB, b *warren.Broker) {
				_, err := b.VirtualHostDeclare("v")
				require.NoError(t, err)
			},
			remove: func(t testing.TB, b *warren.Broker) { require.NoError(t, b.VirtualHostDelete("v")) },
			exists: func(t testing.TB, b *warren.Broker) bool {
				v, err := b.VirtualHost("v")
				if err != nil {
					require.ErrorIs(t, err, warren.ErrNotAllowed)
					return false
				}
				p, ok := v.Permissions(warren.Guest)
				require.True(t, ok, "guest's permissions come with it")
				require.Equal(t, warren.AllPermissions(), p)
				return true
			},
		},
		{
			name: "limits",
			create: func(t testing.TB, b *warren.Broker) {
				root(t, b).LimitsSet(warren.VirtualHostLimits{MaxConnections: 3, MaxQueues: -1})
			},
			remove: func(t testing.TB, b *warren.Broker) { root(t, b).LimitsSet(warren.VirtualHostLimits{}) },
			exists: func(t testing.TB, b *warren.Broker) bool {
				return root(t, b).Limits() == warren.VirtualHostLimits{MaxConnections: 3, MaxQueues: -1}
			},
		},
		{
			name: "a user",
			create: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, b.UserDeclare("ann", "secret", "policymaker", warren.Impersonator))
			},
			remove: func(t testing.TB, b *warren.Broker) { require.NoError(t, b.UserDelete("ann")) },
			exists: func(t testing.TB, b *warren.Broker) bool {
				if b.Authenticate("ann", "secret") != nil {
					require.False(t, b.UserExists("ann"))
					return false
				}
				require.ErrorIs(t, b.Authenticate("ann", "wrong"), warren.ErrLoginRefused)
				require.Contains(t, b.Users(), warren.User{Name: "ann", Tags: []string{"policymaker", warren.Impersonator}})
				return true
			},
		},
		{
			name: "a user with a hash from another broker",
			create: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, b.UserDeclareHash("bob", "AAAAAJPD/SAcIHNp/ZqMFKkyLyRxJQL9cBeV0qGCJ0D9P0KN", "SHA256"))
			},
			remove: func(t testing.TB, b *warren.Broker) { require.NoError(t, b.UserDelete("bob")) },
			exists: exports(`AAAAAJPD/SAcIHNp/ZqMFKkyLyRxJQL9cBeV0qGCJ0D9P0KN`),
		},
		{
			name:   "the end of guest",
			create: func(t testing.TB, b *warren.Broker) { require.NoError(t, b.UserDelete(warren.Guest)) },
			remove: func(t testing.TB, b *warren.Broker) { require.NoError(t, b.UserDeclare(warren.Guest, "other")) },
			exists: func(t testing.TB, b *warren.Broker) bool { return !b.UserExists(warren.Guest) },
		},
		{
			name:   "permissions",
			before: func(t testing.TB, b *warren.Broker) { require.NoError(t, b.UserDeclare("ann", "")) },
			create: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, root(t, b).PermissionsSet("ann", warren.Permissions{Configure: "^a", Write: "b|c", Read: ""}))
			},
			remove: func(t testing.TB, b *warren.Broker) { require.NoError(t, root(t, b).PermissionsDelete("ann")) },
			exists: func(t testing.TB, b *warren.Broker) bool {
				p, ok := root(t, b).Permissions("ann")
				return ok && p == warren.Permissions{Configure: "^a", Write: "b|c"}
			},
		},
		{
			name: "topic permissions",
			before: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, b.UserDeclare("ann", ""))
				require.NoError(t, root(t, b).PermissionsSet("ann", warren.AllPermissions()))
			},
			create: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, root(t, b).TopicPermissionsSet("ann", warren.TopicPermissions{Exchange: "amq.topic", Write: "^{username}", Read: "r"}))
			},
			remove: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, root(t, b).TopicPermissionsDelete("ann", ""))
			},
			exists: func(t testing.TB, b *warren.Broker) bool {
				s, err := root(t, b).SessionFor("ann")
				require.NoError(t, err)
				defer s.Close()
				narrowed := brokertest.Send(brokertest.Channel(t, s), "amq.topic", "bob", warren.Message{}, warren.PublishOptions{}) != nil
				require.Equal(t, narrowed, len(root(t, b).TopicPermissions("ann")) == 1)
				return narrowed
			},
		},
		{
			name: "a policy",
			create: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, root(t, b).PolicySet(warren.Policy{Name: "p", Pattern: "^q", ApplyTo: warren.ApplyToQueues, Priority: -7, Definition: warren.Table{"max-length": int32(5)}}))
			},
			remove: func(t testing.TB, b *warren.Broker) { require.NoError(t, root(t, b).PolicyDelete("p")) },
			exists: func(t testing.TB, b *warren.Broker) bool {
				list := root(t, b).Policies()
				if len(list) == 0 {
					return false
				}
				require.Equal(t, []warren.Policy{{Name: "p", Pattern: "^q", ApplyTo: warren.ApplyToQueues, Priority: -7, Definition: warren.Table{"max-length": int32(5)}}}, list)
				return true
			},
		},
		{
			name: "an operator policy",
			create: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, root(t, b).OperatorPolicySet(warren.Policy{Name: "p", Definition: warren.Table{"max-length": int64(9)}}))
			},
			remove: func(t testing.TB, b *warren.Broker) { require.NoError(t, root(t, b).OperatorPolicyDelete("p")) },
			exists: func(t testing.TB, b *warren.Broker) bool {
				require.Empty(t, root(t, b).Policies())
				return len(root(t, b).OperatorPolicies()) == 1
			},
		},
		{
			name: "an exchange",
			create: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, in(t, b).ExchangeDeclare("x", warren.Headers, warren.ExchangeOptions{Durable: true, Internal: true, AutoDelete: true, Alternate: "other"}))
			},
			remove: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, in(t, b).ExchangeDelete("x", warren.ExchangeDeleteOptions{}))
			},
			exists: func(t testing.TB, b *warren.Broker) bool {
				if !isThere(t, in(t, b).ExchangeDeclarePassive("x")) {
					return false
				}
				require.NoError(t, in(t, b).ExchangeDeclare("x", warren.Headers, warren.ExchangeOptions{Durable: true, Internal: true, AutoDelete: true, Alternate: "other"}))
				require.ErrorIs(t, in(t, b).Publish(t.Context(), "x", "", warren.Message{}, warren.PublishOptions{}), warren.ErrAccessRefused, "it is internal")
				return true
			},
		},
		{
			name: "a queue",
			create: func(t testing.TB, b *warren.Broker) {
				_, err := in(t, b).QueueDeclare("q", warren.QueueOptions{Durable: true, AutoDelete: true, MaxPriority: 9, MessageTTL: time.Hour})
				require.NoError(t, err)
			},
			remove: func(t testing.TB, b *warren.Broker) {
				_, err := in(t, b).QueueDelete("q", warren.QueueDeleteOptions{})
				require.NoError(t, err)
			},
			exists: func(t testing.TB, b *warren.Broker) bool {
				_, err := in(t, b).QueueDeclarePassive("q")
				if !isThere(t, err) {
					return false
				}
				hasOptions(t, in(t, b), "q", warren.QueueOptions{Durable: true, AutoDelete: true, MaxPriority: 9, MessageTTL: time.Hour})
				return true
			},
		},
		{
			name:   "a binding of a queue",
			before: ends,
			create: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, in(t, b).QueueBind("q", "a.#", "x", warren.Table{"n": int16(4)}))
			},
			remove: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, in(t, b).QueueUnbind("q", "a.#", "x", warren.Table{"n": int16(4)}))
			},
			exists: func(t testing.TB, b *warren.Broker) bool { return arrives(t, b, "x", "a.b", "q") },
		},
		{
			name:   "a binding to a predeclared exchange",
			before: ends,
			create: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, in(t, b).QueueBind("q", "", "amq.headers", warren.Table{"x-match": "all"}))
			},
			remove: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, in(t, b).QueueUnbind("q", "", "amq.headers", warren.Table{"x-match": "all"}))
			},
			exists: func(t testing.TB, b *warren.Broker) bool {
				require.False(t, arrives(t, b, "amq.match", "", "q"))
				return arrives(t, b, "amq.headers", "", "q")
			},
		},
		{
			name: "a binding of an exchange",
			before: func(t testing.TB, b *warren.Broker) {
				ends(t, b)
				require.NoError(t, in(t, b).QueueBind("q", "", "amq.fanout", nil))
			},
			create: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, in(t, b).ExchangeBind("amq.fanout", "k", "x", nil))
			},
			remove: func(t testing.TB, b *warren.Broker) {
				require.NoError(t, in(t, b).ExchangeUnbind("amq.fanout", "k", "x", nil))
			},
			exists: func(t testing.TB, b *warren.Broker) bool { return arrives(t, b, "x", "k", "q") },
		},
	}
}

// arrives reports whether a message to an exchange comes to a queue, which must be
// empty.
func arrives(t testing.TB, b *warren.Broker, exchange, key, queue string) bool {
	t.Helper()
	ch := channelOf(t, b, "/")
	require.NoError(t, ch.Publish(t.Context(), exchange, key, warren.Message{}, warren.PublishOptions{}))
	n, err := ch.QueuePurge(queue)
	require.NoError(t, err)
	return n == 1
}

func TestWhatIsDurableSurvivesRestarts(t *testing.T) {
	for _, k := range allKinds() {
		t.Run(k.name, func(t *testing.T) {
			dir := filestest.New()
			b := openFiles(t, dir, nil)
			if k.before != nil {
				k.before(t, b)
			}
			require.False(t, k.exists(t, b))
			k.create(t, b)
			b = reopened(t, b, dir)
			require.True(t, k.exists(t, b))
			b = reopened(t, b, dir)
			require.True(t, k.exists(t, b), "once more")
			k.remove(t, b)
			b = reopened(t, b, dir)
			require.False(t, k.exists(t, b))
			k.create(t, b)
			b = reopened(t, b, dir)
			require.True(t, k.exists(t, b), "a new one of the same name")
		})
	}
}

func TestWhatWasAnsweredSurvivesAPowerCut(t *testing.T) {
	for _, k := range allKinds() {
		t.Run(k.name, func(t *testing.T) {
			dir := filestest.New()
			b := openFiles(t, dir, nil)
			if k.before != nil {
				k.before(t, b)
			}
			k.create(t, b)
			afterPowerCuts(t, dir, func(b *warren.Broker) { require.True(t, k.exists(t, b)) })
			k.remove(t, b)
			afterPowerCuts(t, dir, func(b *warren.Broker) { require.False(t, k.exists(t, b)) })
		})
	}
}

func TestWhatIsNotDurableEnds(t *testing.T) {
	dir := filestest.New()
	b := openFiles(t, dir, nil)
	before := exportText(t, b)
	ch := channelOf(t, b, "/")
	declare := func(name string, o warren.QueueOptions) {
		_, err := ch.QueueDeclare(name, o)
		require.NoError(t, err)
	}
	declare("durable", warren.QueueOptions{Durable: true})
	declare("transient", warren.QueueOptions{})
	declare("exclusive", warren.QueueOptions{Durable: true, Exclusive: true})
	require.NoError(t, ch.ExchangeDeclare("durable", warren.Fanout, warren.ExchangeOptions{Durable: true}))
	require.NoError(t, ch.ExchangeDeclare("transient", warren.Fanout, warren.ExchangeOptions{}))
	require.NoError(t, ch.QueueBind("transient", "", "durable", nil))
	require.NoError(t, ch.QueueBind("exclusive", "", "durable", nil))
	require.NoError(t, ch.QueueBind("durable", "", "transient", nil))
	require.NoError(t, ch.ExchangeBind("transient", "", "durable", nil))
	require.NoError(t, ch.ExchangeBind("durable", "", "transient", nil))
	b = reopened(t, b, dir)
	ch = channelOf(t, b, "/")
	for _, name := range []string{"transient", "exclusive"} {
		_, err := ch.QueueDeclarePassive(name)
		require.ErrorIs(t, err, warren.ErrNotFound)
	}
	require.ErrorIs(t, ch.ExchangeDeclarePassive("transient"), warren.ErrNotFound)
	require.NotContains(t, exportText(t, b), "routing_key", "there is no binding")
	_, err := ch.QueueDelete("durable", warren.QueueDeleteOptions{})
	require.NoError(t, err)
	require.NoError(t, ch.ExchangeDelete("durable", warren.ExchangeDeleteOptions{}))
	require.Equal(t, before, exportText(t, b))
}

// TestAnAutoDeleteQueueThatIsDurable ends with its last consumer, but not because that
// ends with the broker.
func TestAnAutoDeleteQueueThatIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		ch := channelOf(t, b, "/")
		for _, name := range []string{"unused", "used", "gone"} {
			_, err := ch.QueueDeclare(name, warren.QueueOptions{Durable: true, AutoDelete: true})
			require.NoError(t, err)
		}
		require.NoError(t, ch.Publish(t.Context(), "", "used", warren.Message{}, warren.PublishOptions{}))
		gone, err := ch.Consume("gone", warren.ConsumeOptions{})
		require.NoError(t, err)
		require.NoError(t, gone.Cancel())
		ending := make(chan struct{})
		var used *warren.Consumer
		used, err = ch.ConsumeFunc("used", warren.ConsumeOptions{}, func(context.Context, warren.Delivery) error {
			<-ending
			return used.Cancel()
		})
		require.NoError(t, err)
		there := func(b *warren.Broker) (names []string) {
			ch := channelOf(t, b, "/")
			for _, name := range []string{"unused", "used", "gone"} {
				if _, err := ch.QueueDeclarePassive(name); isThere(t, err) {
					names = append(names, name)
				}
			}
			return names
		}
		killed := openFiles(t, dir.Clone(), nil)
		require.Subset(t, there(killed), []string{"unused", "used"}, "nobody waits for the end of the third one")
		require.NoError(t, killed.Close())
		done := make(chan error, 1)
		go func() { done <- b.Shutdown(t.Context()) }()
		synctest.Wait()
		close(ending)
		<-done
		b = openFiles(t, dir, nil)
		require.Equal(t, []string{"unused", "used"}, there(b), "the consumer ended because the broker did")
		c, err := channelOf(t, b, "/").Consume("used", warren.ConsumeOptions{})
		require.NoError(t, err)
		require.NoError(t, c.Cancel())
		require.Equal(t, []string{"unused"}, there(b))
		b = reopened(t, b, dir)
		require.Equal(t, []string{"unused"}, there(b))
		require.NoError(t, b.Close())
	})
}

func TestExpiryBeginsAnewWhenABrokerIsOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		_, err := channelOf(t, b, "/").QueueDeclare("q", warren.QueueOptions{Durable: true, Expires: time.Hour})
		require.NoError(t, err)
		there := func(b *warren.Broker) bool { return strings.Contains(exportText(t, b), `"q"`) }
		time.Sleep(50 * time.Minute)
		require.NoError(t, b.Close())
		time.Sleep(time.Hour)
		b = openFiles(t, dir, nil)
		time.Sleep(50 * time.Minute)
		require.True(t, there(b))
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		require.False(t, there(b))
		b = reopened(t, b, dir)
		require.False(t, there(b), "its end is on disk, too")
		require.NoError(t, b.Close())
	})
}

func TestAVirtualHostTakesAllWithIt(t *testing.T) {
	dir := filestest.New()
	b := openFiles(t, dir, nil)
	before := exportText(t, b)
	fill := func() {
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		ch := channelOf(t, b, "v")
		_, err = ch.QueueDeclare("q", warren.QueueOptions{Durable: true})
		require.NoError(t, err)
		require.NoError(t, ch.QueueBind("q", "k", "amq.topic", nil))
		require.NoError(t, v.PolicySet(warren.Policy{Name: "p", Definition: warren.Table{"max-length": 1}}))
		v.LimitsSet(warren.VirtualHostLimits{MaxQueues: 1})
	}
	fill()
	require.NoError(t, b.VirtualHostDelete("v"))
	b = reopened(t, b, dir)
	require.Equal(t, before, exportText(t, b))
	_, err := b.VirtualHostDeclare("v")
	require.NoError(t, err)
	b = reopened(t, b, dir)
	require.NotContains(t, exportText(t, b), `"q"`, "a new one of the same name has nothing of it")
	fill()
	b = reopened(t, b, dir)
	_, err = channelOf(t, b, "v").QueueDeclare("more", warren.QueueOptions{Durable: true})
	require.ErrorIs(t, err, warren.ErrPreconditionFailed, "the limit is back, though it did not hinder the queue")
}

func TestArgumentsKeepTheirTypes(t *testing.T) {
	args := warren.Table{
		"nil": nil, "bool": true, "text": "é\x00", "octets": []byte{0, 255}, "time": time.Unix(1234567890, 0).UTC(),
		"decimal": warren.Decimal{Scale: 2, Value: -5}, "i8": int8(-1), "i16": int16(-2), "i32": int32(-3), "i64": int64(-4),
		"u8": uint8(1), "u16": uint16(2), "u32": uint32(3), "f32": float32(0.5), "f64": math.MaxFloat64,
		"list": []any{int16(1), "x", warren.Table{"deep": int8(1)}}, "table": warren.Table{"empty": warren.Table{}},
	}
	dir := filestest.New()
	b := openFiles(t, dir, nil)
	ch := channelOf(t, b, "/")
	_, err := ch.QueueDeclare("q", warren.QueueOptions{Durable: true, Args: args})
	require.NoError(t, err)
	require.NoError(t, ch.ExchangeDeclare("x", warren.Direct, warren.ExchangeOptions{Durable: true, Args: args}))
	require.NoError(t, ch.QueueBind("q", "", "x", args))
	b = reopened(t, b, dir)
	require.Equal(t, []warren.Table{args, args, args}, warren.StoredArguments(b, "q", "x"))
}

// TestAnImportIsSyncedOnce imports many objects and counts the syncs.
func TestAnImportIsSyncedOnce(t *testing.T) {
	text := definitionsFile(t, "rabbitmq-3.10.8.json")
	dir := filestest.New()
	b := openFiles(t, dir, nil)
	syncs := 0
	dir.Before(func(op filestest.Op) error {
		if op.Kind == filestest.Sync {
			syncs++
		}
		return nil
	})
	memory := warren.New(nil)
	defer memory.Close()
	problems := memory.DefinitionsImport(strings.NewReader(text))
	require.Equal(t, problems, b.DefinitionsImport(strings.NewReader(text)))
	dir.Before(nil)
	require.LessOrEqual(t, syncs, 4, "of the log, and of what begins and ends a file of it")
	imported := exportText(t, b)
	afterPowerCuts(t, dir, func(b *warren.Broker) {
		require.Equal(t, withoutTransient(t, imported), withoutTransient(t, exportText(t, b)))
	})
}

// withoutTransient is an export without queues and exchanges that are not durable.
func withoutTransient(t testing.TB, text string) string {
	t.Helper()
	b := openFiles(t, filestest.New(), nil)
	importText(t, b, text)
	dir := filestest.New()
	c := openFiles(t, dir, nil)
	importText(t, c, text)
	require.NoError(t, b.Close())
	return exportText(t, reopened(t, c, dir))
}

func TestADeclarationWaitsForTheSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		ch, other := channelOf(t, b, "/"), channelOf(t, b, "/")
		time.Sleep(time.Minute) // nothing is left to be synced
		dir.Delay(time.Minute)
		declare := func(ch *warren.Channel, o warren.QueueOptions) time.Duration {
			begun := time.Now()
			_, err := ch.QueueDeclare("q", o)
			require.NoError(t, err)
			return time.Since(begun)
		}
		again := make(chan time.Duration, 1)
		go func() {
			time.Sleep(20 * time.Second)
			again <- declare(other, warren.QueueOptions{Durable: true})
		}()
		require.GreaterOrEqual(t, declare(ch, warren.QueueOptions{Durable: true}), time.Minute)
		require.GreaterOrEqual(t, <-again, 40*time.Second, "who finds it there waits for it, too")
		begun := time.Now()
		_, err := ch.QueueDeclare("transient", warren.QueueOptions{})
		require.NoError(t, err)
		require.Zero(t, time.Since(begun))
		dir.Delay(0)
		require.NoError(t, b.Close())
	})
}

func TestADiskThatFailsIsToldAndTriedAgain(t *testing.T) {
	dir := filestest.New()
	b := openFiles(t, dir, nil)
	ch := channelOf(t, b, "/")
	bad := errors.New("bad luck")
	dir.FailFrom(dir.Ops()+1, bad)
	_, err := ch.QueueDeclare("q", warren.QueueOptions{Durable: true})
	require.ErrorIs(t, err, warren.ErrStorage)
	require.ErrorIs(t, err, bad)
	require.ErrorIs(t, b.UserDeclare("ann", ""), warren.ErrStorage)
	dir.Heal()
	for err = bad; err != nil; _, err = ch.QueueDeclare("q", warren.QueueOptions{Durable: true}) {
	}
	afterPowerCuts(t, dir, func(b *warren.Broker) {
		require.True(t, b.UserExists("ann"), "it came before")
		_, err := channelOf(t, b, "/").QueueDeclarePassive("q")
		require.NoError(t, err)
	})
}

// TestCloseIsBoundedOnAStuckDisk holds the disk: nobody waits longer than CloseTimeout.
func TestCloseIsBoundedOnAStuckDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, &warren.Options{CloseTimeout: 7 * time.Second})
		stuck := make(chan struct{})
		dir.Before(func(filestest.Op) error { <-stuck; return nil })
		declared := make(chan error, 1)
		ch := channelOf(t, b, "/")
		go func() {
			_, err := ch.QueueDeclare("q", warren.QueueOptions{Durable: true})
			declared <- err
		}()
		synctest.Wait()
		require.Empty(t, declared)
		begun := time.Now()
		require.ErrorIs(t, b.Close(), warren.ErrStorage)
		require.LessOrEqual(t, time.Since(begun), 14*time.Second)
		require.ErrorIs(t, <-declared, warren.ErrClosed)
		_, err := warren.OpenFiles(dir, nil)
		var locked *warren.LockedError
		require.ErrorAs(t, err, &locked, "what is being written may still come")
		close(stuck)
	})
}

func TestSyncNeverOutlivesTheProcess(t *testing.T) {
	dir := filestest.New()
	b := openFiles(t, dir, &warren.Options{Sync: warren.SyncNever})
	_, err := channelOf(t, b, "/").QueueDeclare("q", warren.QueueOptions{Durable: true})
	require.NoError(t, err)
	killed := openFiles(t, dir.Clone(), nil)
	_, err = channelOf(t, killed, "/").QueueDeclarePassive("q")
	require.NoError(t, err)
}

func TestNumbersOnDiskAreUsedUpAtSomeTime(t *testing.T) {
	b := openFiles(t, filestest.New(), nil)
	ch := channelOf(t, b, "/")
	warren.UseUpNumbers(b)
	_, err := ch.QueueDeclare("last", warren.QueueOptions{Durable: true})
	require.NoError(t, err)
	for range 2 {
		_, err = ch.QueueDeclare("more", warren.QueueOptions{Durable: true})
		require.ErrorContains(t, err, "506 RESOURCE_ERROR - the store has no numbers left")
		require.Error(t, ch.ExchangeDeclare("more", warren.Topic, warren.ExchangeOptions{Durable: true}))
	}
	_, err = ch.QueueDeclare("transient", warren.QueueOptions{})
	require.NoError(t, err)
}

func TestAnIdleOpenedBrokerHasNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := goroutines(t)
		dir := filestest.New()
		for range 2 {
			b := openFiles(t, dir, nil)
			ch := channelOf(t, b, "/")
			_, err := ch.QueueDeclare("q", warren.QueueOptions{Durable: true})
			require.NoError(t, err)
			require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{DeliveryMode: warren.Persistent}, warren.PublishOptions{}))
			time.Sleep(time.Minute)
			require.Equal(t, before, goroutines(t))
			require.NoError(t, b.Close())
			require.Equal(t, before, goroutines(t))
		}
	})
}
