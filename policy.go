package warren

import (
	"fmt"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/pattern"
	"github.com/warrenmq/warren/internal/table"
)

// Policy gives settings to all queues and exchanges that its pattern matches,
// those that are there and those that come: what their declarations would say
// by arguments. It can be changed and taken away while they are in use.
//
// One policy at a time applies to an object, and beside it one operator policy
// (see [VirtualHost.OperatorPolicySet]): of those that match, the one with the
// highest priority; among equals, the first by name. Policies are not added up.
// As in RabbitMQ, one that has a setting which the type of a queue does not
// know, such as max-age, is not for that queue.
//
// Of a number, the smallest counts that the argument, the policy and the
// operator policy say. Of everything else the argument counts, then the
// operator policy, then the policy.
type Policy struct {
	// Name is at most 255 bytes. It tells the virtual host's policies apart.
	Name string
	// Pattern is a regular expression (RE2) that must match in some part of a
	// name: "^log\\." is for names that begin with "log.". An empty one is for
	// all. It has at most 1024 bytes.
	Pattern string
	// ApplyTo says what it is for. Empty: [ApplyToAll].
	ApplyTo ApplyTo
	// Priority: the policy with the highest one applies.
	Priority int
	// Definition has RabbitMQ's keys, which are the names of arguments without
	// "x-": max-length, max-length-bytes, message-ttl, expires, overflow,
	// dead-letter-exchange, dead-letter-routing-key, delivery-limit,
	// consumer-timeout, max-age, alternate-exchange. Times are in milliseconds.
	// [QueuePolicy] and [ExchangePolicy] make it from options. Keys that say
	// how RabbitMQ replicates and stores queues (ha-mode, queue-mode, ...) are
	// accepted, and do nothing.
	Definition Table
}

// ApplyTo says what kinds of objects a policy is for (apply-to).
type ApplyTo string

// The kinds of objects. The types of queues are those of the argument
// x-queue-type.
const (
	ApplyToAll           ApplyTo = "all"
	ApplyToExchanges     ApplyTo = "exchanges"
	ApplyToQueues        ApplyTo = "queues" // of all types
	ApplyToClassicQueues ApplyTo = "classic_queues"
	ApplyToQuorumQueues  ApplyTo = "quorum_queues"
	ApplyToStreams       ApplyTo = "streams"
)

// EffectivePolicy tells what policies ask of a queue or an exchange.
type EffectivePolicy struct {
	Policy         string // name of the policy that applies; empty: none
	OperatorPolicy string // likewise
	Definition     Table  // of both together; what counts beside arguments, [Policy] says
}

// policyKind tells policies from operator policies.
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
func newPolicy(kind policyKind, p Policy) (_ *policy, problem string) {
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
	unfit, problem := argument.CheckPolicy(kind == operatorPolicy, p.Definition)
	if problem != "" {
		return nil, problem
	}
	p.Definition = table.Clone(p.Definition)
	return &policy{Policy: p, kinds: kinds &^ unfit, allowed: allowed}, ""
}

// kinds is zero if a is unknown.
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

// policy is one that has been checked. It is never changed.
type policy struct {
	Policy
	kinds   argument.Kinds // that it is for and that know all of its settings
	allowed pattern.Pattern
}

// matches reports whether the policy is for an object.
func (p *policy) matches(name string, kind argument.Kinds) bool {
	return p.kinds&kind != 0 && p.allowed.Allows(name)
}

// before is the order in which policies win.
func (p *policy) before(o *policy) bool {
	if p.Priority != o.Priority {
		return p.Priority > o.Priority
	}
	return p.Name < o.Name
}

// policyList has the policies of one kind in the order in which they win.
type policyList []*policy

// find gives the policy that an object follows, or nil.
func (l policyList) find(name string, kind argument.Kinds) *policy {
	for _, p := range l {
		if p.matches(name, kind) {
			return p
		}
	}
	return nil
}

// replace gives a list with fresh in the place of old; either may be nil.
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

// following are the policies that an object follows, by their kind; nil: none.
type appliedPolicies [2]*policy

// definition is what the policies ask for together.
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

// renew finds the policy that an object follows now that fresh is in the place
// of old, and reports whether it is another one. It looks for a match with one
// pattern, mostly, so that the lock is soon free.
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
