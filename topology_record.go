package warren

import (
	"github.com/warrenmq/warren/internal/route"
	"github.com/warrenmq/warren/internal/topology"
)

func (d *topologyDisk) record(c change) {
	v := c.vhost
	switch c.kind {
	case vhostDeclared:
		d.log.Put(v.recorded())
	case vhostDeleted:
		d.log.Put(&topology.VirtualHostGone{ID: v.id})
	case limitsSet:
		d.log.Put(v.recordedLimits())
	case exchangeDeclared:
		if c.exchange.id != 0 {
			seq := d.log.Put(c.exchange.recorded(v))
			if d.messages != nil && c.exchange.delays() != nil {
				d.messages.declared(seq)
			}
		}
	case exchangeDeleted:
		if c.exchange.id != 0 {
			d.log.Put(&topology.ExchangeGone{ID: c.exchange.id})
		}
	case queueDeclared:
		if c.queue.id != 0 {
			seq := d.log.Put(c.queue.recorded(v))
			if d.messages != nil {
				d.messages.declared(seq)
			}
		}
	case queueDeleted:
		if c.queue.id != 0 {
			d.log.Put(&topology.QueueGone{ID: c.queue.id})
		}
	case bindingMade:
		if c.binding.ID != 0 {
			d.log.Put(v.recordedBinding(c.binding))
		}
	case bindingRemoved:
		if c.binding.ID != 0 && !c.binding.Vain() { // with its destination it is gone anyhow
			d.log.Put(&topology.BindingGone{ID: c.binding.ID})
		}
	case policySet:
		d.log.Put(c.policy.recorded(v, c.policyKind))
	case policyDeleted:
		d.log.Put(&topology.PolicyGone{PolicyKey: c.policy.key(v, c.policyKind)})
	default:
		d.recordAccount(&c)
	}
}

// recordAccount is record for users and permissions.
func (d *topologyDisk) recordAccount(c *change) {
	switch c.kind {
	case userDeclared:
		d.log.Put(c.account.recorded())
	case userDeleted:
		d.log.Put(&topology.UserGone{ID: c.account.id})
	case permissionsSet:
		d.putPermission(c.account, c.vhost)
	case permissionsDeleted:
		d.log.Put(&topology.PermissionGone{PermissionKey: c.account.permissionKey(c.vhost)})
	case topicPermissionsSet:
		d.log.Put(c.account.topics[c.vhost][c.topic].recorded(c.account.permissionKey(c.vhost)))
	case topicPermissionsDeleted:
		d.log.Put(&topology.TopicPermissionGone{TopicPermissionKey: topology.TopicPermissionKey{PermissionKey: c.account.permissionKey(c.vhost), Exchange: c.topic}})
	}
}

func (d *topologyDisk) putPermission(u *account, v *VirtualHost) {
	d.log.Put(u.recordedPermission(v))
}

func (v *VirtualHost) recorded() *topology.VirtualHost {
	return &topology.VirtualHost{ID: v.id, Name: v.name}
}

// recordedLimits is called with mu held.
func (v *VirtualHost) recordedLimits() *topology.Limits {
	return &topology.Limits{VirtualHost: v.id, MaxConnections: int64(v.limits.MaxConnections), MaxQueues: int64(v.limits.MaxQueues)}
}

func (x *declaredExchange) recorded(v *VirtualHost) *topology.Exchange {
	return &topology.Exchange{
		ID: x.id, VirtualHost: v.id, Name: x.Name, Type: string(x.kind),
		AutoDelete: x.autoDelete, Internal: x.internal, Args: x.args,
	}
}

func (q *declaredQueue) recorded(v *VirtualHost) *topology.Queue {
	return &topology.Queue{ID: q.id, VirtualHost: v.id, Name: q.Name(), AutoDelete: q.autoDelete, Args: q.args}
}

// recordedBinding is called with mu held. Both ends of the binding exist.
func (v *VirtualHost) recordedBinding(b *route.Binding) *topology.Binding {
	r := &topology.Binding{ID: b.ID, VirtualHost: v.id, Source: v.exchanges[b.Source.Name].id, Key: b.Key, Args: b.Args}
	if b.Queue != nil {
		r.ToQueue, r.Destination = true, v.queues[b.Queue.Name()].id
	} else {
		r.Destination = v.exchanges[b.Exchange.Name].id
	}
	return r
}

func (p *policy) key(v *VirtualHost, kind policyKind) topology.PolicyKey {
	return topology.PolicyKey{VirtualHost: v.id, Operator: kind == operatorPolicy, Name: p.Name}
}

func (p *policy) recorded(v *VirtualHost, kind policyKind) *topology.Policy {
	return &topology.Policy{
		PolicyKey: p.key(v, kind), Pattern: p.Pattern, ApplyTo: string(p.ApplyTo),
		Priority: int64(p.Priority), Definition: p.Definition,
	}
}

// recorded is called with the broker's lock held.
func (u *account) recorded() *topology.User {
	r := &topology.User{ID: u.id, Name: u.name, Hash: u.password.Own(), Tags: u.tags}
	if r.Hash == "" {
		r.Hash, r.Algorithm = u.password.Foreign()
	}
	return r
}

func (u *account) permissionKey(v *VirtualHost) topology.PermissionKey {
	return topology.PermissionKey{User: u.id, VirtualHost: v.id}
}

// recordedPermission is called with the broker's lock held.
func (u *account) recordedPermission(v *VirtualHost) *topology.Permission {
	g := u.grants[v]
	return &topology.Permission{PermissionKey: u.permissionKey(v), Configure: g.Configure, Write: g.Write, Read: g.Read}
}

func (g *topicGrant) recorded(of topology.PermissionKey) *topology.TopicPermission {
	return &topology.TopicPermission{TopicPermissionKey: topology.TopicPermissionKey{PermissionKey: of, Exchange: g.Exchange}, Write: g.Write, Read: g.Read}
}
