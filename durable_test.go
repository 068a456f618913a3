package warren_test

import (
	"math/rand/v2"
	"strings"
	"testing"
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
	for _, k := range durableKinds() {
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
	for _, k := range durableKinds() {
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
