package warren

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"strings"
)

// DefinitionsExport writes the topology of the broker as JSON that RabbitMQ,
// LavinMQ and [Broker.DefinitionsImport] read: users, virtual hosts with their
// limits, permissions, policies and operator policies, exchanges, queues and
// bindings, in the order of their names. Messages are not in it, nor is what cannot be declared: exclusive
// queues, and queues and exchanges whose names begin with "amq.", though
// bindings from those exchanges are.
//
// The hashes of passwords are in it, so keep it as safe as they should be.
// RabbitMQ and LavinMQ can check those that were imported or came by
// [Broker.UserDeclareHash], and guest's. They cannot check those of
// [Broker.UserDeclare], which are in a member of their own: such a user has no
// password there until it gets one.
//
// JSON has no octets, timestamps or decimals, so arguments of these types
// become texts, integers and floats, as in RabbitMQ. A virtual host is exported
// as it is at one moment, one after the other.
func (b *Broker) DefinitionsExport(w io.Writer) error {
	d := &definitions{ProductName: productName, VirtualHosts: section[vhostDefinition]{}}
	vhosts := b.exportAccounts(d)
	d.begin()
	for _, v := range vhosts {
		limits := v.exportTopology(d, v.name)
		d.VirtualHosts = append(d.VirtualHosts, vhostDefinition{Name: v.name, Limits: limits})
	}
	return d.write(w)
}

// DefinitionsExport writes the virtual host's policies, exchanges, queues,
// bindings and limits as [Broker.DefinitionsExport] does, without its name, so
// that they may be imported into another one.
func (v *VirtualHost) DefinitionsExport(w io.Writer) error {
	d := &definitions{ProductName: productName}
	d.begin()
	v.exportTopology(d, "")
	return d.write(w)
}

const productName = "Warren"

// begin makes the sections that every file has.
func (d *definitions) begin() {
	d.Parameters = section[parameterDefinition]{}
	d.Policies = section[policyDefinition]{}
	d.Exchanges = section[exchangeDefinition]{}
	d.Queues = section[queueDefinition]{}
	d.Bindings = section[bindingDefinition]{}
}

// exportAccounts adds users and permissions, and gives the virtual hosts.
func (b *Broker) exportAccounts(d *definitions) []*VirtualHost {
	b.mu.Lock()
	defer b.mu.Unlock()
	d.Users, d.Permissions = section[userDefinition]{}, section[permissionDefinition]{}
	for _, u := range b.usersLocked() {
		hash, algorithm := u.password.foreign()
		d.Users = append(d.Users, userDefinition{
			Name: u.name, PasswordHash: hash, HashingAlgorithm: algorithm, OwnHash: u.password.own(),
			Tags: append(tagDefinitions{}, u.tags...),
		})
		for v, g := range u.grants {
			d.Permissions = append(d.Permissions, permissionDefinition{u.name, v.name, g.Configure, g.Write, g.Read})
		}
	}
	slices.SortFunc(d.Users, func(x, y userDefinition) int { return strings.Compare(x.Name, y.Name) })
	slices.SortFunc(d.Permissions, func(x, y permissionDefinition) int {
		return cmp.Or(strings.Compare(x.VirtualHost, y.VirtualHost), strings.Compare(x.User, y.User))
	})
	return slices.SortedFunc(maps.Values(b.vhosts), func(x, y *VirtualHost) int { return strings.Compare(x.name, y.name) })
}

// exportTopology adds what is in the virtual host, under the given name, and
// gives its limits.
func (v *VirtualHost) exportTopology(d *definitions, name string) definitionTable {
	parameters, policies := len(d.Parameters), len(d.Policies)
	exchanges, queues, bindings := len(d.Exchanges), len(d.Queues), len(d.Bindings)
	v.mu.RLock()
	limits := v.limits.exported()
	for _, p := range v.policies[userPolicy] {
		policy := p.exported()
		policy.Name, policy.VirtualHost = p.Name, name
		d.Policies = append(d.Policies, policy)
	}
	for _, p := range v.policies[operatorPolicy] {
		policy := p.exported()
		d.Parameters = append(d.Parameters, parameterDefinition{operatorComponent, name, p.Name, &policy})
	}
	for _, q := range v.queues {
		if q.exportable() {
			d.Queues = append(d.Queues, q.exported(name))
		}
	}
	for _, x := range v.exchanges {
		if !isReserved(x.name) {
			d.Exchanges = append(d.Exchanges, x.exported(name))
		}
		for _, b := range x.bindings {
			if b.queue == nil || b.queue.exportable() {
				d.Bindings = append(d.Bindings, b.exported(name))
			}
		}
	}
	v.mu.RUnlock()
	if len(limits) > 0 {
		d.Parameters = append(d.Parameters, parameterDefinition{limitsComponent, name, "limits", &limits})
	}
	slices.SortFunc(d.Parameters[parameters:], func(x, y parameterDefinition) int {
		return cmp.Or(strings.Compare(x.Component, y.Component), strings.Compare(x.Name, y.Name))
	})
	slices.SortFunc(d.Policies[policies:], func(x, y policyDefinition) int { return strings.Compare(x.Name, y.Name) })
	slices.SortFunc(d.Exchanges[exchanges:], func(x, y exchangeDefinition) int { return strings.Compare(x.Name, y.Name) })
	slices.SortFunc(d.Queues[queues:], func(x, y queueDefinition) int { return strings.Compare(x.Name, y.Name) })
	slices.SortFunc(d.Bindings[bindings:], compareBindings)
	return limits
}

// isReserved reports whether an exchange or queue of this name cannot be
// declared.
func isReserved(name string) bool { return name == "" || strings.HasPrefix(name, reservedPrefix) }

func (q *queue) exportable() bool { return !q.exclusive && !isReserved(q.name) }

func (p *policy) exported() policyDefinition {
	return policyDefinition{Pattern: p.Pattern, ApplyTo: p.ApplyTo, Priority: p.Priority, Definition: exportedTable(p.Definition)}
}

func (q *queue) exported(vhost string) queueDefinition {
	kind, ok := q.args["x-queue-type"].(string)
	if !ok {
		kind = "classic"
	}
	return queueDefinition{
		Name: q.name, VirtualHost: vhost, Type: kind,
		Durable: q.durable, AutoDelete: q.autoDelete, Arguments: exportedTable(q.args),
	}
}

func (x *exchange) exported(vhost string) exchangeDefinition {
	return exchangeDefinition{
		Name: x.name, VirtualHost: vhost, Type: x.kind,
		Durable: x.durable, AutoDelete: x.autoDelete, Internal: x.internal, Arguments: exportedTable(x.args),
	}
}

func (b *binding) exported(vhost string) bindingDefinition {
	d := bindingDefinition{
		Source: b.source.name, VirtualHost: vhost, RoutingKey: b.key, Arguments: exportedTable(b.args),
		canonical: b.bindingKey.args,
	}
	for name, v := range b.args {
		if v == nil {
			d.Void = append(d.Void, name)
		}
	}
	slices.Sort(d.Void)
	if b.queue != nil {
		d.Destination, d.DestinationType = b.queue.name, toAQueue
	} else {
		d.Destination, d.DestinationType = b.exchange.name, toAnExchange
	}
	return d
}

func compareBindings(x, y bindingDefinition) int {
	return cmp.Or(
		strings.Compare(x.Source, y.Source),
		strings.Compare(x.DestinationType, y.DestinationType),
		strings.Compare(x.Destination, y.Destination),
		strings.Compare(x.RoutingKey, y.RoutingKey),
		strings.Compare(x.canonical, y.canonical))
}

// exported are the limits as RabbitMQ counts them: zero is none at all.
func (l VirtualHostLimits) exported() definitionTable {
	t := definitionTable{}
	for _, limit := range l.named() {
		if n := *limit.value; n != 0 {
			t[limit.name] = max(0, n)
		}
	}
	return t
}
