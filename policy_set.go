package warren

import (
	"fmt"
	"slices"
	"strings"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// QueuePolicy returns the definition of a [Policy] that sets these options for
// queues. Only options that are arguments count. PolicySet fails for an option that
// no policy can set, such as MaxPriority.
func QueuePolicy(o QueueOptions) Table { return policyOf(o.table()) }

// ExchangePolicy returns the definition of a [Policy] that sets these options for
// exchanges: an alternate exchange.
func ExchangePolicy(o ExchangeOptions) Table {
	t := policyOf(o.Args)
	if o.Alternate != "" {
		t[argument.Alternate] = o.Alternate
	}
	return t
}

// policyOf replaces the names of arguments by the keys of policies.
func policyOf(args Table) Table {
	t := make(Table, len(args)+1)
	for name, v := range args {
		t[strings.TrimPrefix(name, "x-")] = v
	}
	return t
}

// PolicySet makes a policy or replaces the one of its name. When it returns, the
// policy has taken effect for existing queues and exchanges: a queue that is now too
// long has lost its oldest messages, to its dead letter exchange if it has one. As
// in RabbitMQ, a message keeps the time to live that it got when it came.
//
// It fails with 406 for a policy without a name, for a pattern that is not a regular expression, for a setting
// that is unknown or has a bad value, and for the 1001st policy.
func (v *VirtualHost) PolicySet(p Policy) error {
	return v.broker.stored(v.setPolicy(userPolicy, p))
}

// PolicyDelete deletes a policy, and with it the settings that it made. It fails
// with [ErrNotFound] if there is no policy of this name.
func (v *VirtualHost) PolicyDelete(name string) error {
	return v.broker.stored(v.changePolicy(userPolicy, name, nil))
}

// Policies returns the policies of the virtual host, sorted by name.
func (v *VirtualHost) Policies() []Policy { return v.listPolicies(userPolicy) }

// OperatorPolicySet is PolicySet for an operator policy, which belongs to those who
// run the broker. It limits what users request by policies and arguments, and
// applies together with the user's policy. Its definition may have expires,
// message-ttl, max-length, max-length-bytes, delivery-limit and overflow, as in
// RabbitMQ.
func (v *VirtualHost) OperatorPolicySet(p Policy) error {
	return v.broker.stored(v.setPolicy(operatorPolicy, p))
}

// OperatorPolicyDelete is PolicyDelete for an operator policy.
func (v *VirtualHost) OperatorPolicyDelete(name string) error {
	return v.broker.stored(v.changePolicy(operatorPolicy, name, nil))
}

// OperatorPolicies returns the operator policies of the virtual host, sorted by
// name.
func (v *VirtualHost) OperatorPolicies() []Policy { return v.listPolicies(operatorPolicy) }

// PolicyOfQueue returns the policies that apply to a queue. It fails with
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

// PolicyOfExchange returns the policies that apply to an exchange. It fails with
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
	fresh, problem := newPolicy(v.broker.like, kind, p)
	if problem != "" {
		return v.errBadPolicy(kind, p.Name, problem)
	}
	return v.changePolicy(kind, p.Name, fresh)
}

func (v *VirtualHost) errBadPolicy(kind policyKind, name, problem string) error {
	return failure(0, wire.CodePreconditionFailed, "invalid %s '%.*s' in vhost '%s': %s", kind, maxShortString, name, v.name, problem)
}

// changePolicy replaces the policy with the name by fresh, or deletes it if fresh is
// nil.
func (v *VirtualHost) changePolicy(kind policyKind, name string, fresh *policy) error {
	change, err := v.replacePolicy(kind, name, fresh)
	change.applyToQueues()
	return err
}

// policyChange is the part of a change that must be done with no lock held, because
// queues may lose messages by it.
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

// replacePolicy changes the list of policies and applies it to exchanges.
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
		v.recordChange(change{kind: policyDeleted, policy: old, policyKind: kind})
	default:
		v.recordChange(change{kind: policySet, policy: fresh, policyKind: kind})
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
		if list.update(&q.policies[kind], old, fresh, q.Name(), argument.KindOf(q.args)) {
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
