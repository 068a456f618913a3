package warren_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// setPolicy makes a policy for all that is named so.
func setPolicy(t testing.TB, v *warren.VirtualHost, name string, definition warren.Table) {
	t.Helper()
	require.NoError(t, v.PolicySet(warren.Policy{Name: "p-" + name, Pattern: "^" + name + "$", Definition: definition}))
}

// policyKind are the methods for policies or those for operator policies.
type policyKind struct {
	name   string
	set    func(warren.Policy) error
	delete func(string) error
	list   func() []warren.Policy
}

// eachPolicyKind runs f for both kinds.
func eachPolicyKind(t *testing.T, f func(t *testing.T, k policyKind)) {
	b := warren.New(nil)
	defer b.Close()
	v := brokertest.VirtualHost(t, b, "/")
	for _, k := range []policyKind{
		{"policy", v.PolicySet, v.PolicyDelete, v.Policies},
		{"operator policy", v.OperatorPolicySet, v.OperatorPolicyDelete, v.OperatorPolicies},
	} {
		t.Run(k.name, func(t *testing.T) { f(t, k) })
	}
}

func TestPoliciesAreMadeReplacedAndDeleted(t *testing.T) {
	eachPolicyKind(t, func(t *testing.T, k policyKind) {
		require.Empty(t, k.list())
		b := warren.Policy{Name: "b", Pattern: "^log", ApplyTo: warren.ApplyToQueues, Priority: 3, Definition: warren.Table{"max-length": int64(5)}}
		require.NoError(t, k.set(b))
		given := warren.Table{"expires": 1000}
		require.NoError(t, k.set(warren.Policy{Name: "a", Definition: given}))
		given["expires"] = "changed later"
		a := warren.Policy{Name: "a", ApplyTo: warren.ApplyToAll, Definition: warren.Table{"expires": 1000}}
		require.Equal(t, []warren.Policy{a, b}, k.list(), "by name")

		k.list()[0].Definition["expires"] = "changed, too"
		b.Pattern, b.Priority = "", -1
		require.NoError(t, k.set(b))
		require.Equal(t, []warren.Policy{a, b}, k.list(), "it replaces the one of its name")

		require.NoError(t, k.delete("a"))
		require.Equal(t, []warren.Policy{b}, k.list())
		brokertest.Fails(t, k.delete("a"), 404, 0, 0, "NOT_FOUND - no "+k.name+" 'a' in vhost '/'")
		require.NoError(t, k.delete("b"))
		require.Empty(t, k.list())
	})
}

func TestAtMost1000PoliciesOfAKind(t *testing.T) {
	eachPolicyKind(t, func(t *testing.T, k policyKind) {
		p := warren.Policy{Definition: warren.Table{"max-length": 5}}
		for i := range 1000 {
			p.Name = fmt.Sprint(i)
			require.NoError(t, k.set(p))
		}
		require.NoError(t, k.set(p), "one that replaces another")
		p.Name = "one more"
		brokertest.Fails(t, k.set(p), 406, 0, 0, "PRECONDITION_FAILED - invalid "+k.name+" 'one more' in vhost '/': there are 1000, which is the limit")
	})
}

func TestPoliciesOfAClosedBroker(t *testing.T) {
	eachPolicyKind(t, func(t *testing.T, k policyKind) {
		b := warren.New(nil)
		v := brokertest.VirtualHost(t, b, "/")
		require.NoError(t, b.Close())
		p := warren.Policy{Name: "p", Definition: warren.Table{"max-length": 5}}
		require.ErrorIs(t, v.PolicySet(p), warren.ErrClosed)
		require.ErrorIs(t, v.PolicyDelete("p"), warren.ErrClosed)
	})
}

// A badSetting is a policy's definition with what is said of it.
type badSetting struct {
	definition warren.Table
	problem    string
}

var longName = strings.Repeat("n", 256)

// badSettings are refused in policies of both kinds.
var badSettings = []badSetting{
	{nil, "no policy provided"},
	{warren.Table{}, "no policy provided"},
	{warren.Table{"nope": 1}, `[{<<"nope">>,1}] are not recognised policy settings`},
	{warren.Table{"zope": 2.5, "nope": "x"}, `[{<<"nope">>,<<"x">>},{<<"zope">>,2.5}] are not recognised policy settings`},
	{warren.Table{"nope": 1, "max-length": -2}, "-2 is not a valid maximum length"},
	{warren.Table{"max-priority": 2}, `[{<<"max-priority">>,2}] are not recognised policy settings`},
	{warren.Table{"x-max-length": 2}, `[{<<"x-max-length">>,2}] are not recognised policy settings`},
	{warren.Table{"max-length": -1}, "-1 is not a valid maximum length"},
	{warren.Table{"max-length": "x"}, `<<"x">> is not a valid maximum length`},
	{warren.Table{"max-length": 1.5}, "1.5 is not a valid maximum length"},
	{warren.Table{"max-length": nil}, "null is not a valid maximum length"},
	{warren.Table{"max-length-bytes": -1}, "-1 is not a valid maximum length in bytes"},
	{warren.Table{"message-ttl": -1}, "-1 is not a valid message TTL"},
	{warren.Table{"message-ttl": "a"}, `<<"a">> is not a valid message TTL`},
	{warren.Table{"expires": 0}, "0 is not a valid queue expiry"},
	{warren.Table{"expires": true}, "true is not a valid queue expiry"},
	{warren.Table{"delivery-limit": -1}, "-1 is not a valid delivery limit"},
	{warren.Table{"overflow": "x"}, `<<"x">> is not a valid overflow value`},
	{warren.Table{"overflow": 1}, "1 is not a valid overflow value"},
	{warren.Table{"max-in-memory-length": -1}, "-1 is not a valid maximum memory in bytes"},
	{warren.Table{"max-in-memory-bytes": "x"}, `<<"x">> is not a valid maximum memory in bytes`},
	{warren.Table{"queue-version": 3}, "3 is not a valid queue-version value"},
}

// badUserSettings are refused in policies of users; operators have no such
// settings.
var badUserSettings = []badSetting{
	{warren.Table{"dead-letter-exchange": 1}, "1 is not a valid dead letter exchange name"},
	{warren.Table{"dead-letter-exchange": longName}, `<<"` + longName + `">> is not a valid dead letter exchange name`},
	{warren.Table{"dead-letter-routing-key": 1}, "1 is not a valid dead letter routing key"},
	{warren.Table{"alternate-exchange": 1}, "1 is not a valid alternate exchange name"},
	{warren.Table{"consumer-timeout": -1}, "-1 is not a valid consumer timeout"},
	{warren.Table{"max-age": "1"}, `<<"1">> is not a valid max age`},
	{warren.Table{"max-age": "Y1"}, `<<"Y1">> is not a valid max age`},
	{warren.Table{"max-age": "0h"}, `<<"0h">> is not a valid max age`},
	{warren.Table{"max-age": "1d"}, `<<"1d">> is not a valid max age`},
	{warren.Table{"max-age": 1}, "1 is not a valid max age"},
	{warren.Table{"max-age": ""}, `<<"">> is not a valid max age`},
	{warren.Table{"queue-mode": "x"}, `<<"x">> is not a valid queue-mode value`},
	{warren.Table{"queue-master-locator": "x"}, `<<"x">> invalid queue-master-locator value`},
	{warren.Table{"queue-leader-locator": "x"}, `<<"x">> is not a valid queue leader locator value`},
	{warren.Table{"dead-letter-strategy": "x"}, `<<"x">> is not a valid dead letter strategy`},
	{warren.Table{"stream-max-segment-size-bytes": -1}, "-1 is not a valid segment size"},
	{warren.Table{"initial-cluster-size": -1}, "-1 is not a valid cluster size"},
	{warren.Table{"ha-mode": "x"}, `<<"x">> is not a valid ha-mode value`},
}

// The texts are RabbitMQ 3.10's; those of apply-to, consumer-timeout and
// target-group-size are of later versions.
func TestBadSettingsArePolicyErrors(t *testing.T) {
	eachPolicyKind(t, func(t *testing.T, k policyKind) {
		refused := func(p warren.Policy, problem string) {
			t.Helper()
			p.Name = "p"
			brokertest.Fails(t, k.set(p), 406, 0, 0, "PRECONDITION_FAILED - invalid "+k.name+" 'p' in vhost '/': "+problem)
			require.Empty(t, k.list())
		}
		for _, row := range badSettings {
			refused(warren.Policy{Definition: row.definition}, row.problem)
		}
		for _, row := range badUserSettings {
			if k.name == "policy" {
				refused(warren.Policy{Definition: row.definition}, row.problem)
				continue
			}
			for name := range row.definition {
				err := k.set(warren.Policy{Name: "p", Definition: row.definition})
				require.ErrorContains(t, err, `[{<<"`+name+`">>,`, "operators may not set it")
				require.ErrorContains(t, err, "are not recognised policy settings")
			}
		}
		ok := warren.Table{"max-length": 1}
		refused(warren.Policy{Definition: ok, Pattern: "("}, "pattern should be regular expression but is invalid: error parsing regexp: missing closing ): `(`")
		refused(warren.Policy{Definition: ok, Pattern: strings.Repeat("a", 1025)}, "pattern of 1025 bytes exceeds 1024")
		refused(warren.Policy{Definition: ok, ApplyTo: "foo"}, "apply-to 'foo' unrecognised; should be one of: 'queues', 'classic_queues', 'quorum_queues', 'streams', 'exchanges', or 'all'")
		brokertest.Fails(t, k.set(warren.Policy{Definition: ok}), 406, 0, 0, "PRECONDITION_FAILED - invalid "+k.name+" '' in vhost '/': a policy must have a name")
		require.ErrorIs(t, k.set(warren.Policy{Definition: ok, Name: longName}), warren.ErrPreconditionFailed)
		require.ErrorIs(t, k.set(warren.Policy{Definition: ok, Name: "\xff"}), warren.ErrPreconditionFailed)
		require.Empty(t, k.list())
	})
}

func TestSettingsOfRabbitMQAreAccepted(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	v := brokertest.VirtualHost(t, b, "/")
	operator := warren.Table{
		"expires": 1, "message-ttl": int8(0), "max-length": int16(0), "max-length-bytes": int32(0), "delivery-limit": int64(0),
		"overflow": "reject-publish-dlx", "max-in-memory-length": uint8(1), "max-in-memory-bytes": uint16(1), "queue-version": uint32(2),
	}
	for name, value := range operator {
		require.NoError(t, v.OperatorPolicySet(warren.Policy{Name: "one", Definition: warren.Table{name: value}}), name)
	}
	require.NoError(t, v.OperatorPolicySet(warren.Policy{Name: "all", Definition: operator}))
	require.NoError(t, v.PolicySet(warren.Policy{Name: "all", Definition: operator}))
	for _, d := range []warren.Table{
		{"dead-letter-exchange": "", "dead-letter-routing-key": ""}, {"dead-letter-routing-key": "k"}, {"alternate-exchange": "x"},
		{"consumer-timeout": 0}, {"max-age": "1Y"}, {"max-age": "12M"}, {"max-age": "99999999999D"}, {"max-age": "10m"}, {"max-age": "1s"},
		{"message-ttl": int64(99999999999999)}, {"expires": int64(99999999999999)},
		{"ha-mode": "all", "ha-sync-mode": "automatic", "ha-promote-on-shutdown": "always"}, {"ha-mode": "exactly", "ha-params": 2},
		{"queue-mode": "lazy"}, {"queue-master-locator": "min-masters"}, {"queue-leader-locator": "balanced"},
		{"dead-letter-strategy": "at-least-once"}, {"initial-cluster-size": 3}, {"stream-max-segment-size-bytes": 1000}, {"target-group-size": 3},
		{"federation-upstream-set": "all"}, {"federation-upstream": "other"},
	} {
		require.NoError(t, v.PolicySet(warren.Policy{Name: "one", Definition: d}), d)
	}
}

func TestPolicyDefinitionsFromOptions(t *testing.T) {
	require.Equal(t, warren.Table{
		"message-ttl": int64(60000), "expires": int64(3600000), "max-length": int64(10), "max-length-bytes": int64(1000), "overflow": "reject-publish",
		"dead-letter-exchange": "dlx", "dead-letter-routing-key": "dead", "delivery-limit": int64(3), "consumer-timeout": int64(1000), "queue-mode": "lazy",
	}, warren.QueuePolicy(warren.QueueOptions{
		Durable: true, MessageTTL: time.Minute, Expires: time.Hour, MaxLength: 10, MaxLengthBytes: 1000, Overflow: warren.RejectPublish,
		DeadLetter: &warren.DeadLetter{Exchange: "dlx", RoutingKey: "dead"}, DeliveryLimit: 3, ConsumerTimeout: time.Second,
		Args: warren.Table{"x-queue-mode": "lazy"},
	}))
	require.Equal(t, warren.Table{"alternate-exchange": "other"}, warren.ExchangePolicy(warren.ExchangeOptions{Internal: true, Alternate: "other"}))
	require.Equal(t, warren.Table{"alternate-exchange": "other"}, warren.ExchangePolicy(warren.ExchangeOptions{Args: warren.Table{"x-alternate-exchange": "other"}}))

	b := warren.New(nil)
	defer b.Close()
	err := brokertest.VirtualHost(t, b, "/").PolicySet(warren.Policy{Name: "p", Definition: warren.QueuePolicy(warren.QueueOptions{MaxPriority: 5})})
	require.ErrorContains(t, err, `[{<<"max-priority">>,5}] are not recognised policy settings`)
}
