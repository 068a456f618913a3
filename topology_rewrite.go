package warren

import (
	"maps"
	"slices"

	"github.com/warrenmq/warren/internal/route"
	"github.com/warrenmq/warren/internal/topology"
)

// rewrite writes the log anew, in a goroutine, if most of it is of no use any more.
func (d *topologyDisk) rewrite() {
	if !d.log.Due() {
		return
	}
	b := d.broker
	b.tasks.Add()
	go func() {
		defer b.tasks.Done()
		if err := d.log.Rewrite(b.handlersCtx, b.putAll); err != nil && b.state.Load() != stateClosed {
			b.log.Warn("the log of the topology was not made smaller", "error", err)
		}
	}()
}

// putAll gives all that is durable to put, each object under the lock that guards it. It
// reports false if the broker was closed meanwhile, so that something may be missing.
func (b *Broker) putAll(put func(topology.Record)) bool {
	b.mu.Lock()
	vhosts := slices.Collect(maps.Values(b.vhosts))
	for _, v := range vhosts {
		put(v.recorded())
	}
	for _, u := range b.users {
		put(u.recorded())
		for v := range u.grants {
			put(u.recordedPermission(v))
		}
		for v, topics := range u.topics {
			for _, g := range topics {
				put(g.recorded(u.permissionKey(v)))
			}
		}
	}
	b.mu.Unlock()
	for _, v := range vhosts {
		v.putAll(put)
	}
	return b.state.Load() != stateClosed
}

// putAtOnce is how many objects are put before others get the virtual host's lock.
const putAtOnce = 256

// putAll gives all that is durable in the virtual host to put.
func (v *VirtualHost) putAll(put func(topology.Record)) {
	v.mu.RLock()
	put(v.recordedLimits())
	for kind, list := range v.policies {
		for _, p := range list {
			put(p.recorded(v, policyKind(kind)))
		}
	}
	exchanges, queues := slices.Collect(maps.Values(v.exchanges)), slices.Collect(maps.Values(v.queues))
	v.mu.RUnlock()
	var bindings []*route.Binding
	v.putSome(len(exchanges), func(i int) {
		x := exchanges[i]
		if x.id == 0 || v.exchanges[x.Name] != x {
			return
		}
		if x.id >= topology.FirstID {
			put(x.recorded(v))
		}
		for b := range x.Bindings() {
			if b.ID != 0 {
				bindings = append(bindings, b)
			}
		}
	})
	v.putSome(len(queues), func(i int) {
		if q := queues[i]; q.id != 0 && v.queues[q.Name()] == q {
			put(q.recorded(v))
		}
	})
	v.putSome(len(bindings), func(i int) {
		b := bindings[i]
		if x := v.exchanges[b.Source.Name]; x != nil && x.Binding(b.BindingKey) == b && !b.Vain() {
			put(v.recordedBinding(b))
		}
	})
}

// putSome calls do for 0 to n-1, with mu held for reading, which others get now and
// then. It ends when the virtual host is closed.
func (v *VirtualHost) putSome(n int, do func(i int)) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for i := range n {
		if i%putAtOnce == putAtOnce-1 {
			v.mu.RUnlock()
			v.mu.RLock()
		}
		if v.closed {
			return
		}
		do(i)
	}
}
