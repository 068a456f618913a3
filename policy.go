package warren

import (
	"fmt"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/pattern"
	"github.com/warrenmq/warren/internal/table"
)

// Policy sets arguments of all queues and exchanges that its pattern matches,
// existing and later ones. It can be changed and deleted while they are in use.
//
// At most one policy and one operator policy (see [VirtualHost.OperatorPolicySet])
// apply to an object. Of several that match, the one with the highest priority
// applies; of those with equal priority, the first by name. As in RabbitMQ, a policy
// does not match a queue whose type does not know one of its settings, such as
// max-age.
//
// If the argument, the policy and the operator policy set a number, the smallest one
// is used. For all other settings the argument takes precedence over the operator
// policy, and that over the policy.
type Policy struct {
	// Name is unique in the virtual host. It has 1 to 255 bytes.
	Name string
	// Pattern is a regular expression (RE2) that some part of a name must match:
	// "^log\\." matches names that begin with "log.". An empty pattern matches all
	// names. It has at most 1024 bytes.
	Pattern string
	// ApplyTo selects the kinds of objects. Empty: [ApplyToAll].
	ApplyTo ApplyTo
	// Priority decides between policies that match: the highest applies.
	Priority int
	// Definition has RabbitMQ's keys, which are the names of arguments without "x-":
	// max-length, max-length-bytes, message-ttl, expires, overflow,
	// dead-letter-exchange, dead-letter-routing-key, delivery-limit,
	// consumer-timeout, max-age, alternate-exchange. Times are in milliseconds.
	// [QueuePolicy] and [ExchangePolicy] make a definition from options. Keys for
	// RabbitMQ's replication and storage of queues (ha-mode, queue-mode, ...) are
	// accepted and have no effect.
	Definition Table
}

// ApplyTo selects the kinds of objects of a policy (apply-to).
type ApplyTo string

// The kinds of objects. The type of a queue is its argument x-queue-type.
const (
	ApplyToAll           ApplyTo = "all"
	ApplyToExchanges     ApplyTo = "exchanges"
	ApplyToQueues        ApplyTo = "queues" // of all types
	ApplyToClassicQueues ApplyTo = "classic_queues"
	ApplyToQuorumQueues  ApplyTo = "quorum_queues"
	ApplyToStreams       ApplyTo = "streams"
)

// EffectivePolicy says which policies apply to a queue or an exchange.
type EffectivePolicy struct {
	Policy         string // name of the policy that applies; empty: none
	OperatorPolicy string // name of the operator policy that applies; empty: none
	Definition     Table  // settings of both; [Policy] says how they combine with arguments
}

// policyKind distinguishes policies from operator policies.
type policyKind int

const (
	userPolicy policyKind = iota
	operatorPolicy
)

func (k policyKind) String() string { return [...]string{"policy", "operator policy"}[k] }

const (
	maxPolicies      = 1000
	maxPolicyPattern = 1024
)

// newPolicy checks a policy, in RabbitMQ's order.
func newPolicy(r *like.Rules, kind policyKind, p Policy) (_ *policy, problem string) {
	if p.Name == "" {
		return nil, "a policy must have a name"
	}
	if err := checkName(0, "name", p.Name); err != nil {
		return nil, fmt.Sprintf("%.*q is not a valid name", maxShortString, p.Name)
	}
	if len(p.Pattern) > maxPolicyPattern {
		return nil, fmt.Sprintf("pattern of %d bytes exceeds %d", len(p.Pattern), maxPolicyPattern)
	}
	allowed := pattern.Any()
	if p.Pattern != "" {
		var err error
		if allowed, err = pattern.New(p.Pattern); err != nil {
			return nil, "pattern should be regular expression but is invalid: " + err.Error()
		}
	}
	if p.ApplyTo == "" {
		p.ApplyTo = ApplyToAll
	}
	kinds := p.ApplyTo.kinds()
	if kinds == 0 {
		return nil, fmt.Sprintf("apply-to '%.*s' unrecognised; should be one of: 'queues', 'classic_queues', 'quorum_queues', 'streams', 'exchanges', or 'all'", maxShortString, p.ApplyTo)
	}
	unfit, problem := argument.CheckPolicy(r, kind == operatorPolicy, p.Definition)
	if problem != "" {
		return nil, problem
	}
	p.Definition = table.Clone(p.Definition)
	return &policy{Policy: p, kinds: kinds &^ unfit, allowed: allowed}, ""
}

// kinds returns zero if a is unknown.
func (a ApplyTo) kinds() argument.Kinds {
	switch a {
	case ApplyToAll:
		return argument.Queue | argument.Exchange
	case ApplyToExchanges:
		return argument.Exchange
	case ApplyToQueues:
		return argument.Queue
	case ApplyToClassicQueues:
		return argument.Classic
	case ApplyToQuorumQueues:
		return argument.Quorum
	case ApplyToStreams:
		return argument.Stream
	}
	return 0
}

// policy is a checked policy. It is immutable.
type policy struct {
	Policy
	kinds   argument.Kinds // the selected kinds, without those that do not know a setting
	allowed pattern.Pattern
}

// matches reports whether the policy matches an object.
func (p *policy) matches(name string, kind argument.Kinds) bool {
	return p.kinds&kind != 0 && p.allowed.Allows(name)
}

// before reports whether p takes precedence over o.
func (p *policy) before(o *policy) bool {
	if p.Priority != o.Priority {
		return p.Priority > o.Priority
	}
	return p.Name < o.Name
}

// policyList has the policies of one kind in their order of precedence.
type policyList []*policy

// find returns the policy that applies to an object, or nil.
func (l policyList) find(name string, kind argument.Kinds) *policy {
	for _, p := range l {
		if p.matches(name, kind) {
			return p
		}
	}
	return nil
}

// replace returns a copy of the list with fresh instead of old. Either may be nil.
func (l policyList) replace(old, fresh *policy) policyList {
	out := make(policyList, 0, len(l)+1)
	for _, p := range l {
		if fresh != nil && fresh.before(p) {
			out, fresh = append(out, fresh), nil
		}
		if p != old {
			out = append(out, p)
		}
	}
	if fresh != nil {
		out = append(out, fresh)
	}
	return out
}

// appliedPolicies are the policies that apply to an object, by their kind. An entry
// may be nil.
type appliedPolicies [2]*policy

// definition merges the settings of both policies.
func (f *appliedPolicies) definition() Table {
	var t Table
	for _, p := range [...]*policy{f[operatorPolicy], f[userPolicy]} {
		if p == nil {
			continue
		}
		if t == nil {
			t = make(Table, len(p.Definition))
		}
		argument.Merge(t, "", p.Definition)
	}
	return t
}

func (f *appliedPolicies) effective() EffectivePolicy {
	e := EffectivePolicy{Definition: f.definition()}
	if p := f[userPolicy]; p != nil {
		e.Policy = p.Name
	}
	if p := f[operatorPolicy]; p != nil {
		e.OperatorPolicy = p.Name
	}
	return e
}

// update updates the policy *p that applies to an object, after fresh has replaced
// old in the list. It reports whether *p has changed. It usually matches one pattern
// only, so that the lock is held briefly.
func (l policyList) update(p **policy, old, fresh *policy, name string, kind argument.Kinds) bool {
	was := *p
	switch {
	case was != nil && was == old:
		*p = l.find(name, kind)
	case fresh != nil && (was == nil || fresh.before(was)) && fresh.matches(name, kind):
		*p = fresh
	}
	return *p != was
}
