package warren

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/warrenmq/warren/internal/definitions"
	"github.com/warrenmq/warren/internal/names"
)

// DefinitionsExport writes the topology of the broker as JSON that RabbitMQ, LavinMQ
// and [Broker.DefinitionsImport] read: users, virtual hosts with their limits,
// permissions, topic permissions, policies and operator policies, exchanges, queues and bindings, each
// sorted by name. It contains no messages, no exclusive queues, and no queues and
// exchanges whose names begin with "amq.". It contains bindings whose source is such
// an exchange.
//
// It contains the hashes of passwords, so keep it secret. RabbitMQ and LavinMQ can
// check the passwords of guest, of imported users and of [Broker.UserDeclareHash].
// They cannot check those of [Broker.UserDeclare], which the JSON has in a member
// that only Warren reads: such a user has no password there until it gets one.
//
// JSON has no octets, timestamps or decimals, so arguments of these types become
// strings, integers and floats, as in RabbitMQ. The virtual hosts are exported one
// after another, each as it is at one moment.
func (b *Broker) DefinitionsExport(w io.Writer) error {
	d := &definitions.File{ProductName: productName, VirtualHosts: definitions.Section[definitions.VirtualHost]{}}
	vhosts := b.exportAccounts(d)
	beginExport(d)
	for _, v := range vhosts {
		limits := v.exportTopology(d, v.name)
		d.VirtualHosts = append(d.VirtualHosts, definitions.VirtualHost{Name: v.name, Limits: limits})
	}
	return d.Write(w)
}

// DefinitionsExport writes the virtual host's policies, exchanges, queues, bindings
// and limits as [Broker.DefinitionsExport] does, but without the name of the virtual
// host, so that another one may import them.
func (v *VirtualHost) DefinitionsExport(w io.Writer) error {
	d := &definitions.File{ProductName: productName}
	beginExport(d)
	v.exportTopology(d, "")
	return d.Write(w)
}

const productName = "Warren"

// beginExport makes the sections that every file has, even if they are empty.
func beginExport(d *definitions.File) {
	d.Parameters = definitions.Section[definitions.Parameter]{}
	d.Policies = definitions.Section[definitions.Policy]{}
	d.Exchanges = definitions.Section[definitions.Exchange]{}
	d.Queues = definitions.Section[definitions.Queue]{}
	d.Bindings = definitions.Section[definitions.Binding]{}
}

// exportAccounts adds users and permissions to d, and returns the virtual hosts by
// name.
func (b *Broker) exportAccounts(d *definitions.File) []*VirtualHost {
	b.mu.Lock()
	defer b.mu.Unlock()
	d.Users, d.Permissions = definitions.Section[definitions.User]{}, definitions.Section[definitions.Permission]{}
	d.TopicPermissions = definitions.Section[definitions.TopicPermission]{}
	for _, u := range b.usersLocked() {
		hash, algorithm := u.password.Foreign()
		d.Users = append(d.Users, definitions.User{
			Name: u.name, PasswordHash: hash, HashingAlgorithm: algorithm, OwnHash: u.password.Own(),
			Tags: append(definitions.Tags{}, u.tags...),
		})
		for v, g := range u.grants {
			d.Permissions = append(d.Permissions, definitions.Permission{User: u.name, VirtualHost: v.name, Configure: g.Configure, Write: g.Write, Read: g.Read})
		}
		for v, topics := range u.topics {
			for _, g := range topics {
				d.TopicPermissions = append(d.TopicPermissions, definitions.TopicPermission{User: u.name, VirtualHost: v.name, Exchange: g.Exchange, Write: g.Write, Read: g.Read})
			}
		}
	}
	slices.SortFunc(d.Users, func(x, y definitions.User) int { return strings.Compare(x.Name, y.Name) })
	slices.SortFunc(d.Permissions, func(x, y definitions.Permission) int {
		return cmp.Or(strings.Compare(x.VirtualHost, y.VirtualHost), strings.Compare(x.User, y.User))
	})
	slices.SortFunc(d.TopicPermissions, func(x, y definitions.TopicPermission) int {
		return cmp.Or(strings.Compare(x.VirtualHost, y.VirtualHost), strings.Compare(x.User, y.User), strings.Compare(x.Exchange, y.Exchange))
	})
	return slices.SortedFunc(maps.Values(b.vhosts), func(x, y *VirtualHost) int { return strings.Compare(x.name, y.name) })
}

// exportTopology adds the content of the virtual host to d, under the given name,
// and returns its limits.
func (v *VirtualHost) exportTopology(d *definitions.File, name string) definitions.Table {
	t := v.view()
	parameters, policies := len(d.Parameters), len(d.Policies)
	exchanges, queues, bindings := len(d.Exchanges), len(d.Queues), len(d.Bindings)
	limits := t.limits.exported()
	for _, p := range t.policies[userPolicy] {
		policy := p.exported()
		policy.Name, policy.VirtualHost = p.Name, name
		d.Policies = append(d.Policies, policy)
	}
	for _, p := range t.policies[operatorPolicy] {
		policy := p.exported()
		d.Parameters = append(d.Parameters, definitions.Parameter{Component: definitions.OperatorComponent, VirtualHost: name, Name: p.Name, Value: &policy})
	}
	for i := range t.queues {
		if q := &t.queues[i]; !q.exclusive && !names.IsReserved(q.name) {
			d.Queues = append(d.Queues, q.exported(name))
		}
	}
	for i := range t.exchanges {
		if x := &t.exchanges[i]; !names.IsReserved(x.name) {
			d.Exchanges = append(d.Exchanges, x.exported(name))
		}
	}
	for i := range t.bindings {
		if b := &t.bindings[i]; !b.toQueue || !b.exclusive && !names.IsReserved(b.destination) {
			d.Bindings = append(d.Bindings, b.exported(name))
		}
	}
	if len(limits) > 0 {
		d.Parameters = append(d.Parameters, definitions.Parameter{Component: definitions.LimitsComponent, VirtualHost: name, Name: "limits", Value: &limits})
	}
	slices.SortFunc(d.Parameters[parameters:], func(x, y definitions.Parameter) int {
		return cmp.Or(strings.Compare(x.Component, y.Component), strings.Compare(x.Name, y.Name))
	})
	slices.SortFunc(d.Policies[policies:], func(x, y definitions.Policy) int { return strings.Compare(x.Name, y.Name) })
	slices.SortFunc(d.Exchanges[exchanges:], func(x, y definitions.Exchange) int { return strings.Compare(x.Name, y.Name) })
	slices.SortFunc(d.Queues[queues:], func(x, y definitions.Queue) int { return strings.Compare(x.Name, y.Name) })
	slices.SortFunc(d.Bindings[bindings:], compareBindings)
	return limits
}

func (p *policy) exported() definitions.Policy {
	return definitions.Policy{Pattern: p.Pattern, ApplyTo: string(p.ApplyTo), Priority: p.Priority, Definition: definitions.ExportTable(p.Definition)}
}

func (q *queueView) exported(vhost string) definitions.Queue {
	kind, ok := q.args["x-queue-type"].(string)
	if !ok {
		kind = "classic"
	}
	return definitions.Queue{
		Name: q.name, VirtualHost: vhost, Type: kind,
		Durable: q.durable, AutoDelete: q.autoDelete, Arguments: definitions.ExportTable(q.args),
	}
}

func (x *exchangeView) exported(vhost string) definitions.Exchange {
	return definitions.Exchange{
		Name: x.name, VirtualHost: vhost, Type: string(x.kind),
		Durable: x.durable, AutoDelete: x.autoDelete, Internal: x.internal, Arguments: definitions.ExportTable(x.args),
	}
}

func (b *bindingView) exported(vhost string) definitions.Binding {
	d := definitions.Binding{
		Source: b.source, VirtualHost: vhost, RoutingKey: b.key, Arguments: definitions.ExportTable(b.args),
		Destination: b.destination, DestinationType: definitions.ToExchange, Canonical: b.canonical,
	}
	if b.toQueue {
		d.DestinationType = definitions.ToQueue
	}
	for name, v := range b.args {
		if v == nil {
			d.Void = append(d.Void, name)
		}
	}
	slices.Sort(d.Void)
	return d
}

func compareBindings(x, y definitions.Binding) int {
	return cmp.Or(
		strings.Compare(x.Source, y.Source),
		strings.Compare(x.DestinationType, y.DestinationType),
		strings.Compare(x.Destination, y.Destination),
		strings.Compare(x.RoutingKey, y.RoutingKey),
		strings.Compare(x.Canonical, y.Canonical))
}

// exported returns the limits as RabbitMQ writes them, where zero allows nothing.
func (l VirtualHostLimits) exported() definitions.Table {
	t := definitions.Table{}
	for _, limit := range l.named() {
		if n := *limit.value; n != 0 {
			t[limit.name] = max(0, n)
		}
	}
	return t
}
