package warren

import (
	"fmt"
	"slices"
	"strings"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/pattern"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

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
type following [2]*policy

// policiesFor is what a new object is to follow. The caller holds mu.
func (v *VirtualHost) policiesFor(name string, kind argument.Kinds) (f following) {
	for i, list := range v.policies {
		f[i] = list.find(name, kind)
	}
	return f
}

// definition is what the policies ask for together.
func (f *following) definition() Table {
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

func (f *following) effective() EffectivePolicy {
	e := EffectivePolicy{Definition: f.definition()}
	if p := f[userPolicy]; p != nil {
		e.Policy = p.Name
	}
	if p := f[operatorPolicy]; p != nil {
		e.OperatorPolicy = p.Name
	}
	return e
}

// changePolicy replaces the policy of a name; a nil one takes it away.
func (v *VirtualHost) changePolicy(kind policyKind, name string, fresh *policy) error {
	change, err := v.replacePolicy(kind, name, fresh)
	change.reachQueues()
	return err
}

// policyChange is what a change of policies has left to do: queues may lose
// messages by it, so no lock may be held.
type policyChange struct {
	number uint64
	queues []follower
}

type follower struct {
	queue     *declaredQueue
	following following
}

func (c *policyChange) reachQueues() {
	for _, f := range c.queues {
		f.queue.Obey(c.number, argument.RulesBeside(f.queue.args, f.following.definition()))
	}
}

// replacePolicy changes the list of policies and has the exchanges follow.
func (v *VirtualHost) replacePolicy(kind policyKind, name string, fresh *policy) (c policyChange, err error) {
	v.mu.Lock()
	defer v.unlock()
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
		return c, v.badPolicy(kind, name, fmt.Sprintf("there are %d, which is the limit", len(list)))
	case fresh == nil:
		v.note(change{kind: policyDeleted, policy: old, of: kind})
	default:
		v.note(change{kind: policySet, policy: fresh, of: kind})
	}
	list = list.replace(old, fresh)
	v.policies[kind] = list
	v.policyChange++
	c.number = v.policyChange

	for _, x := range v.exchanges {
		if x != v.fallback && list.renew(&x.policies[kind], old, fresh, x.Name, argument.Exchange) {
			x.setAlternate()
		}
	}
	for _, q := range v.queues {
		if list.renew(&q.policies[kind], old, fresh, q.Name, argument.KindOf(q.args)) {
			c.queues = append(c.queues, follower{q, q.policies})
		}
	}
	return c, nil
}

// renew finds the policy that an object follows now that fresh is in the place
// of old, and reports whether it is another one. It looks for a match with one
// pattern, mostly, so that the lock is soon free.
func (l policyList) renew(p **policy, old, fresh *policy, name string, kind argument.Kinds) bool {
	was := *p
	switch {
	case was != nil && was == old:
		*p = l.find(name, kind)
	case fresh != nil && (was == nil || fresh.before(was)) && fresh.matches(name, kind):
		*p = fresh
	}
	return *p != was
}

// setAlternate has the exchange follow: a policy's alternate exchange counts if
// the declaration says nothing of one. The caller holds mu.
func (x *declaredExchange) setAlternate() {
	x.Alternate = x.alternate
	if _, said, _ := argument.AlternateOf(x.args); !said {
		x.Alternate, _ = x.policies.definition()[argument.Alternate].(string)
	}
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
