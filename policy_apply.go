package warren

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// kinds are kinds of objects that policies tell apart.
type kinds uint8

const (
	kindClassic kinds = 1 << iota
	kindQuorum
	kindStream
	kindExchange
	kindQueue = kindClassic | kindQuorum | kindStream
)

// kinds is zero if a is unknown.
func (a ApplyTo) kinds() kinds {
	switch a {
	case ApplyToAll:
		return kindQueue | kindExchange
	case ApplyToExchanges:
		return kindExchange
	case ApplyToQueues:
		return kindQueue
	case ApplyToClassicQueues:
		return kindClassic
	case ApplyToQuorumQueues:
		return kindQuorum
	case ApplyToStreams:
		return kindStream
	}
	return 0
}

// kind is the queue's, by its type.
func (q *queue) kind() kinds {
	switch q.args["x-queue-type"] {
	case "quorum":
		return kindQuorum
	case "stream":
		return kindStream
	}
	return kindClassic
}

// policy is one that has been checked. It is never changed.
type policy struct {
	Policy
	kinds   kinds // that it is for and that know all of its settings
	pattern names
}

func (p *policy) fits(name string, kind kinds) bool {
	return p.kinds&kind != 0 && p.pattern.allow(name)
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
func (l policyList) find(name string, kind kinds) *policy {
	for _, p := range l {
		if p.fits(name, kind) {
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
func (v *VirtualHost) policiesFor(name string, kind kinds) (f following) {
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
		joinDefinition(t, "", p.Definition)
	}
	return t
}

// rules are what a queue with these arguments is to do.
func (f *following) rules(args Table) *rules {
	if d := f.definition(); d != nil {
		all := make(Table, len(args)+len(d))
		maps.Copy(all, args)
		joinDefinition(all, "x-", d)
		if _, ok := all["x-dead-letter-exchange"]; !ok {
			delete(all, "x-dead-letter-routing-key") // alone it means nothing
		}
		args = all
	}
	return newRules(args)
}

// joinDefinition adds the settings of a definition, which are the weaker ones, to those
// in t, whose names have the prefix.
func joinDefinition(t Table, prefix string, definition Table) {
	for name, v := range definition {
		stronger, ok := t[prefix+name]
		if !ok {
			t[prefix+name] = v
		} else if k := findPolicyKey(name); k.merge != nil {
			t[prefix+name] = k.merge(stronger, v)
		}
	}
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
	turn   uint64 // its number
	queues []follower
}

type follower struct {
	queue     *queue
	following following
}

func (c *policyChange) reachQueues() {
	for _, f := range c.queues {
		f.queue.follow(c.turn, f.following.rules(f.queue.args))
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
		v.note(kind.String()+" deleted", "policy", name)
	default:
		v.note(kind.String()+" set", "policy", name)
	}
	list = list.replace(old, fresh)
	v.policies[kind] = list
	v.policyTurn++
	c.turn = v.policyTurn

	for _, x := range v.exchanges {
		if x != v.fallback && list.renew(&x.policies[kind], old, fresh, x.name, kindExchange) {
			x.setDetour()
		}
	}
	for _, q := range v.queues {
		if list.renew(&q.policies[kind], old, fresh, q.name, q.kind()) {
			c.queues = append(c.queues, follower{q, q.policies})
		}
	}
	return c, nil
}

// renew finds the policy that an object follows now that fresh is in the place
// of old, and reports whether it is another one. It looks for a match with one
// pattern, mostly, so that the lock is soon free.
func (l policyList) renew(p **policy, old, fresh *policy, name string, kind kinds) bool {
	was := *p
	switch {
	case was != nil && was == old:
		*p = l.find(name, kind)
	case fresh != nil && (was == nil || fresh.before(was)) && fresh.fits(name, kind):
		*p = fresh
	}
	return *p != was
}

// setDetour has the exchange follow: a policy's alternate exchange counts if the
// declaration says nothing of one. The caller holds mu.
func (x *exchange) setDetour() {
	x.detour = x.alternate
	for _, arg := range alternateArgs {
		if _, ok := x.args[arg]; ok {
			return // be it the empty name, which is none
		}
	}
	if x.detour == "" {
		x.detour, _ = x.policies.definition()[alternateArg].(string)
	}
}

// follow gives the queue the rules of a change of policies, unless those of a
// later one have come first.
func (q *queue) follow(turn uint64, r *rules) {
	q.mu.Lock()
	if q.deleted || q.policyTurn > turn {
		q.mu.Unlock()
		return
	}
	q.rules, q.policyTurn = r, turn
	q.used()
	q.tidy()
	q.unlock()
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
