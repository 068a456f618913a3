package warren

import (
	"fmt"
	"slices"
	"strings"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
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

// PolicyOfQueue tells which policies apply to a queue. It fails with
// [ErrNotFound] if there is no such queue.
func (v *VirtualHost) PolicyOfQueue(queue string) (EffectivePolicy, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	q := v.queues[queue]
	if q == nil {
		return EffectivePolicy{}, v.errNoQueue(0, queue)
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
		return EffectivePolicy{}, v.errNoExchange(0, exchange)
	}
	return x.policies.effective(), nil
}

func (v *VirtualHost) setPolicy(kind policyKind, p Policy) error {
	fresh, problem := newPolicy(kind, p)
	if problem != "" {
		return v.errBadPolicy(kind, p.Name, problem)
	}
	return v.changePolicy(kind, p.Name, fresh)
}

func (v *VirtualHost) errBadPolicy(kind policyKind, name, problem string) error {
	return failure(0, wire.CodePreconditionFailed, "invalid %s '%.*s' in vhost '%s': %s", kind, maxShortString, name, v.name, problem)
}

// changePolicy replaces the policy of a name; a nil one takes it away.
func (v *VirtualHost) changePolicy(kind policyKind, name string, fresh *policy) error {
	change, err := v.replacePolicy(kind, name, fresh)
	change.applyToQueues()
	return err
}

// policyChange is what a change of policies has left to do: queues may lose
// messages by it, so no lock may be held.
type policyChange struct {
	number uint64
	queues []queuePolicies
}

type queuePolicies struct {
	queue    *declaredQueue
	policies appliedPolicies
}

func (c *policyChange) applyToQueues() {
	for _, f := range c.queues {
		f.queue.Obey(c.number, argument.RulesBeside(f.queue.args, f.policies.definition()))
	}
}

// replacePolicy changes the list of policies and has the exchanges follow.
func (v *VirtualHost) replacePolicy(kind policyKind, name string, fresh *policy) (c policyChange, err error) {
	v.mu.Lock()
	defer v.unlockAndNotify()
	if v.closed {
		return c, ErrClosed
	}
	list := v.policies[kind]
	var old *policy
	if i := slices.IndexFunc(list, func(p *policy) bool { return p.Name == name }); i >= 0 {
		old = list[i]
	}
	switch {
	case old == nil && fresh == nil:
		return c, failure(0, wire.CodeNotFound, "no %s '%s' in vhost '%s'", kind, name, v.name)
	case old == nil && len(list) >= maxPolicies:
		return c, v.errBadPolicy(kind, name, fmt.Sprintf("there are %d, which is the limit", len(list)))
	case fresh == nil:
		v.recordChange(change{kind: policyDeleted, policy: old, of: kind})
	default:
		v.recordChange(change{kind: policySet, policy: fresh, of: kind})
	}
	list = list.replace(old, fresh)
	v.policies[kind] = list
	v.policyChanges++
	c.number = v.policyChanges

	for _, x := range v.exchanges {
		if x != v.defaultExchange && list.update(&x.policies[kind], old, fresh, x.Name, argument.Exchange) {
			x.setAlternate()
		}
	}
	for _, q := range v.queues {
		if list.update(&q.policies[kind], old, fresh, q.Name, argument.KindOf(q.args)) {
			c.queues = append(c.queues, queuePolicies{q, q.policies})
		}
	}
	return c, nil
}

func (v *VirtualHost) listPolicies(kind policyKind) []Policy {
	v.mu.RLock()
	list := v.policies[kind]
	v.mu.RUnlock()
	out := make([]Policy, len(list))
	for i, p := range list {
		out[i] = p.Policy
		out[i].Definition = table.Clone(p.Definition)
	}
	slices.SortFunc(out, func(a, b Policy) int { return strings.Compare(a.Name, b.Name) })
	return out
}
