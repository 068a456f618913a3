package argument

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/table"
)

// policyKey is a setting that policies may have.
type policyKey struct {
	name     string
	check    func(v any) bool
	problem  string             // RabbitMQ's text for a bad value
	merge    func(a, b any) any // of two values; nil: the first one counts
	operator bool               // operator policies may have it
	unfit    Kinds              // types of queues that do not know it
	strictly Kinds              // more of them that do not know it in RabbitMQ
}

// policyKeys are the settings of RabbitMQ and of its federation. A setting does
// what the argument of the same name does: see queueArgs.
var policyKeys = [...]policyKey{
	{name: "expires", check: isAtLeast(1), problem: "is not a valid queue expiry", merge: smaller, operator: true, unfit: Stream},
	{name: "message-ttl", check: isAtLeast(0), problem: "is not a valid message TTL", merge: smaller, operator: true, unfit: Stream},
	{name: "max-length", check: isAtLeast(0), problem: "is not a valid maximum length", merge: smaller, operator: true, strictly: Stream},
	{name: "max-length-bytes", check: isAtLeast(0), problem: "is not a valid maximum length in bytes", merge: smaller, operator: true},
	{name: "delivery-limit", check: isAtLeast(0), problem: "is not a valid delivery limit", merge: smaller, operator: true, unfit: Stream, strictly: Classic},
	{name: "consumer-timeout", check: isAtLeast(0), problem: "is not a valid consumer timeout", merge: smaller, unfit: Stream},
	{name: "overflow", check: isWord("drop-head", "reject-publish", "reject-publish-dlx"), problem: "is not a valid overflow value", operator: true, unfit: Stream},
	{name: "dead-letter-exchange", check: isShort, problem: "is not a valid dead letter exchange name", unfit: Stream},
	{name: "dead-letter-routing-key", check: isShort, problem: "is not a valid dead letter routing key", unfit: Stream},
	{name: "max-age", check: isMaxAge, problem: "is not a valid max age", merge: younger, unfit: Classic | Quorum},
	{name: Alternate, check: isShort, problem: "is not a valid alternate exchange name"},

	// These are accepted and do nothing here.
	{name: "dead-letter-strategy", check: isWord("at-most-once", "at-least-once"), problem: "is not a valid dead letter strategy", unfit: Classic | Stream},
	{name: "federation-upstream", check: isShort, problem: "is not a valid federation upstream"},
	{name: "federation-upstream-set", check: isShort, problem: "is not a valid federation upstream set"},
	{name: "ha-mode", check: isWord("all", "exactly", "nodes"), problem: "is not a valid ha-mode value", unfit: Quorum | Stream},
	{name: "ha-params", check: isAnything, unfit: Quorum | Stream},
	{name: "ha-promote-on-failure", check: isAnything, unfit: Quorum | Stream},
	{name: "ha-promote-on-shutdown", check: isAnything, unfit: Quorum | Stream},
	{name: "ha-sync-batch-size", check: isAnything, unfit: Quorum | Stream},
	{name: "ha-sync-mode", check: isAnything, unfit: Quorum | Stream},
	{name: "initial-cluster-size", check: isAtLeast(0), problem: "is not a valid cluster size", unfit: Classic | Quorum},
	{name: "max-in-memory-bytes", check: isAtLeast(0), problem: "is not a valid maximum memory in bytes", merge: smaller, operator: true, unfit: Stream},
	{name: "max-in-memory-length", check: isAtLeast(0), problem: "is not a valid maximum memory in bytes", merge: smaller, operator: true, unfit: Stream},
	{name: "queue-leader-locator", check: isWord(leaderLocators[:]...), problem: "is not a valid queue leader locator value", unfit: Classic},
	{name: "queue-master-locator", check: isWord("client-local", "min-masters", "random"), problem: "invalid queue-master-locator value", unfit: Quorum | Stream},
	{name: "queue-mode", check: isWord("default", "lazy"), problem: "is not a valid queue-mode value", unfit: Quorum | Stream},
	{name: "queue-version", check: isVersion, problem: "is not a valid queue-version value", operator: true},
	{name: "stream-max-segment-size-bytes", check: isAtLeast(0), problem: "is not a valid segment size", merge: smaller, unfit: Classic | Quorum},
	{name: "target-group-size", check: isAtLeast(0), problem: "is not a valid target group size", unfit: Classic | Stream},
}

// findPolicyKey returns the setting of a name, or nil if there is none.
func findPolicyKey(name string) *policyKey {
	if i := slices.IndexFunc(policyKeys[:], func(k policyKey) bool { return k.name == name }); i >= 0 {
		return &policyKeys[i]
	}
	return nil
}

// CheckPolicy returns what is wrong with a definition, or else the kinds of queues
// that do not know all of its settings. The problem is empty if nothing is wrong.
func CheckPolicy(r *like.Rules, operator bool, definition table.Table) (unfit Kinds, problem string) {
	if len(definition) == 0 {
		return 0, "no policy provided"
	}
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(definition)) {
		v := definition[name]
		k := findPolicyKey(name)
		switch {
		case k == nil || operator && !k.operator:
			unknown = append(unknown, "{"+erlang(name)+","+erlang(v)+"}")
		case !k.check(v):
			return 0, erlang(v) + " " + k.problem
		default:
			unfit |= k.unfit
			if r.StrictQueueTypes {
				unfit |= k.strictly
			}
		}
	}
	if unknown != nil {
		return 0, "[" + strings.Join(unknown, ",") + "] are not recognised policy settings"
	}
	return unfit, ""
}

// erlang formats a value as RabbitMQ does in the texts about policies.
func erlang(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("<<%q>>", v)
	}
	return fmt.Sprint(v)
}

func isAnything(any) bool { return true }

func isAtLeast(least int64) func(any) bool {
	return func(v any) bool {
		n, ok := table.Integer(v)
		return ok && n >= least
	}
}

func isWord(list ...string) func(any) bool {
	return func(v any) bool {
		s, ok := v.(string)
		return ok && slices.Contains(list, s)
	}
}

// isShort checks for a text that can be a name or a routing key.
func isShort(v any) bool {
	s, ok := v.(string)
	return ok && names.IsValid(s)
}

func isVersion(v any) bool { return isQueueVersion(v, nil) == "" }

func isMaxAge(v any) bool {
	s, _ := v.(string)
	_, ok := parseAge(s)
	return ok
}

// smaller returns the smaller of two integers.
func smaller(a, b any) any {
	x, _ := table.Integer(a)
	y, _ := table.Integer(b)
	if y < x {
		return b
	}
	return a
}

// younger returns the shorter of two ages.
func younger(a, b any) any {
	x, _ := parseAge(a.(string))
	y, _ := parseAge(b.(string))
	if y < x {
		return b
	}
	return a
}
