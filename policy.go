package warren

import (
	"fmt"
	"strings"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/pattern"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
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

// QueuePolicy is the definition of a [Policy] that gives queues what these
// options say. Only those options that are arguments count; for one that no
// policy can set, such as MaxPriority, PolicySet fails.
func QueuePolicy(o QueueOptions) Table { return policyOf(o.table()) }

// ExchangePolicy is the definition of a [Policy] that gives exchanges what
// these options say: an alternate exchange.
func ExchangePolicy(o ExchangeOptions) Table {
	t := policyOf(o.Args)
	if o.Alternate != "" {
		t[argument.Alternate] = o.Alternate
	}
	return t
}

// policyOf names arguments as policies do.
func policyOf(args Table) Table {
	t := make(Table, len(args)+1)
	for name, v := range args {
		t[strings.TrimPrefix(name, "x-")] = v
	}
	return t
}

// PolicySet makes a policy or replaces the one of its name. When it returns,
// the queues and exchanges that are there obey: a queue that has become too
// long has lost its oldest messages, to its dead letter exchange if it has one.
// As in RabbitMQ, a message keeps the time to live that it got when it came.
//
// It fails with 406 for a pattern that is no regular expression, for a setting
// that is unknown or has a bad value, and if there are 1000 policies.
func (v *VirtualHost) PolicySet(p Policy) error { return v.setPolicy(userPolicy, p) }

// PolicyDelete takes a policy away, and with it what it has set. It fails with
// [ErrNotFound] if there is none of this name.
func (v *VirtualHost) PolicyDelete(name string) error {
	return v.changePolicy(userPolicy, name, nil)
}

// Policies are those of the virtual host, by name.
func (v *VirtualHost) Policies() []Policy { return v.listPolicies(userPolicy) }

// OperatorPolicySet is PolicySet for a policy of whoever runs the broker: it
// bounds what users ask for by policies and arguments, and applies beside the
// user's policy. Its definition may have expires, message-ttl, max-length,
// max-length-bytes, delivery-limit and overflow, as in RabbitMQ.
func (v *VirtualHost) OperatorPolicySet(p Policy) error { return v.setPolicy(operatorPolicy, p) }

// OperatorPolicyDelete is PolicyDelete for an operator policy.
func (v *VirtualHost) OperatorPolicyDelete(name string) error {
	return v.changePolicy(operatorPolicy, name, nil)
}

// OperatorPolicies are those of the virtual host, by name.
func (v *VirtualHost) OperatorPolicies() []Policy { return v.listPolicies(operatorPolicy) }

// EffectivePolicy tells what policies ask of a queue or an exchange.
type EffectivePolicy struct {
	Policy         string // name of the policy that applies; empty: none
	OperatorPolicy string // likewise
	Definition     Table  // of both together; what counts beside arguments, [Policy] says
}

// PolicyOfQueue tells which policies apply to a queue. It fails with
// [ErrNotFound] if there is no such queue.
func (v *VirtualHost) PolicyOfQueue(queue string) (EffectivePolicy, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	q := v.queues[queue]
	if q == nil {
		return EffectivePolicy{}, v.noQueue(0, queue)
	}
	return q.policies.effective(), nil
}

// PolicyOfExchange tells which policies apply to an exchange. It fails with
// [ErrNotFound] if there is no such exchange.
func (v *VirtualHost) PolicyOfExchange(exchange string) (EffectivePolicy, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	x := v.exchanges[exchange]
	if x == nil {
		return EffectivePolicy{}, v.noExchange(0, exchange)
	}
	return x.policies.effective(), nil
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

func (v *VirtualHost) setPolicy(kind policyKind, p Policy) error {
	fresh, problem := newPolicy(kind, p)
	if problem != "" {
		return v.badPolicy(kind, p.Name, problem)
	}
	return v.changePolicy(kind, p.Name, fresh)
}

func (v *VirtualHost) badPolicy(kind policyKind, name, problem string) error {
	return failure(0, wire.CodePreconditionFailed, "invalid %s '%.*s' in vhost '%s': %s", kind, maxShortString, name, v.name, problem)
}

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
