package warren

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/warrenmq/warren/internal/definitions"
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/password"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// DefinitionError says that one object of a definitions file was not imported, or
// only in part. The other objects were imported.
type DefinitionError struct {
	Object string // for example: queue 'jobs' in vhost '/'
	Err    error
}

// Error names the object and what is wrong with it.
func (e *DefinitionError) Error() string {
	return fmt.Sprintf("warren: import %s: %s", e.Object, strings.TrimPrefix(e.Err.Error(), "warren: "))
}

// Unwrap returns the cause, for example an [*Error] with 406 for a queue that exists
// with other properties.
func (e *DefinitionError) Unwrap() error { return e.Err }

// DefinitionsImport makes the objects of a definitions file, which
// [Broker.DefinitionsExport], RabbitMQ or LavinMQ wrote. It may be repeated. Users,
// permissions, limits and policies are set to what the file says. An exchange or
// queue that exists with other properties does not change, nor does anything that
// the file does not name.
//
// A file that is not JSON in this form, or that is larger than 64 MiB, is refused
// before anything is changed. Otherwise everything that can be made is made, and the
// error joins a [*DefinitionError] for each object that could not be made, see
// [errors.Join].
//
// Passwords that RabbitMQ or LavinMQ hashed with SHA-256, SHA-512 or MD5 still work.
// Other hashes, such as LavinMQ's Bcrypt, are an error: a new user gets no password,
// and an existing user does not change.
//
// Errors for lack of support are: limits of users, and parameters of plugins such as
// shovels. If a topic permission cannot be set, because Go does not know its pattern, the
// user gets no permissions in that virtual host, rather than too many. The import skips
// global parameters, descriptions of virtual hosts, and queues, exchanges and
// bindings of queues whose names begin with "amq.". Objects without a virtual host
// go to "/", as in LavinMQ. If the file has permissions, guest gets only these in
// new virtual hosts.
func (b *Broker) DefinitionsImport(r io.Reader) error {
	return b.importDefinitions(r, nil)
}

// DefinitionsImport makes the exchanges, queues, bindings, policies and limits of a
// definitions file in this virtual host, even if the file names another one. It
// skips the rest. See [Broker.DefinitionsImport].
func (v *VirtualHost) DefinitionsImport(r io.Reader) error {
	return v.broker.importDefinitions(r, v)
}

func (b *Broker) importDefinitions(r io.Reader, only *VirtualHost) error {
	if err := b.checkOpen(); err != nil {
		return err
	}
	d, err := definitions.Read(r, definitions.MaxSize)
	if err != nil {
		return err
	}
	in := &importer{broker: b, only: only, withoutGuest: d.Permissions != nil, refusedPermissions: make(map[permissionScope]bool)}
	if only != nil { // a virtual host takes only what it contains
		d.Users, d.VirtualHosts, d.TopicPermissions, d.Permissions = nil, nil, nil, nil
	}
	define(in, d.Users, in.defineUser)
	define(in, d.Users, in.refuseLimits)
	define(in, d.VirtualHosts, in.defineVirtualHost)
	define(in, d.TopicPermissions, in.defineTopicPermission)
	define(in, d.Permissions, in.definePermission)
	define(in, d.Policies, in.definePolicy)
	define(in, d.Parameters, in.defineParameter)
	define(in, d.Exchanges, in.defineExchange)
	define(in, d.Queues, in.defineQueue)
	define(in, d.Bindings, in.defineBinding)
	// Limits come last, because they do not apply to existing objects.
	define(in, d.VirtualHosts, in.limitVirtualHost)
	define(in, d.Parameters, in.limitParameter)
	b.announce(change{kind: definitionsImported, count: len(in.problems)})
	if err := b.stored(nil); err != nil { // once for all
		in.problems = append(in.problems, err)
	}
	return errors.Join(in.problems...)
}

// importer makes the objects of a definitions file.
type importer struct {
	broker             *Broker
	only               *VirtualHost // where all objects go; nil: each object names its virtual host
	withoutGuest       bool         // the file has permissions, so guest gets no others
	refusedPermissions map[permissionScope]bool
	problems           []error
}

// permissionScope is a user in a virtual host.
type permissionScope struct{ user, vhost string }

// define makes the objects of a section. It adds a DefinitionError for each failure.
func define[T any, P interface {
	*T
	fmt.Stringer
}](in *importer, list definitions.Section[T], do func(P) error) {
	for i := range list {
		object := P(&list[i])
		if err := do(object); err != nil {
			in.problems = append(in.problems, &DefinitionError{object.String(), err})
		}
	}
}

// vhost returns the virtual host that an object goes to.
func (in *importer) vhost(name string) (*VirtualHost, error) {
	if in.only != nil {
		return in.only, nil
	}
	return in.broker.VirtualHost(name)
}

// defineUser makes a new account even if its password cannot be used, so that its
// permissions can be imported.
func (in *importer) defineUser(u *definitions.User) error {
	p, problem := in.password(u)
	if problem != nil && in.broker.UserExists(u.Name) {
		return problem
	}
	if err := in.broker.declareUser(u.Name, p, u.Tags); err != nil {
		return err
	}
	return problem
}

func (in *importer) refuseLimits(u *definitions.User) error {
	if len(u.Limits) == 0 {
		return nil
	}
	limits := slices.Sorted(maps.Keys(u.Limits))
	return fmt.Errorf("limits of users are not supported: %s", names.Shorten(strings.Join(limits, ", ")))
}

func (in *importer) password(u *definitions.User) (*password.Password, error) {
	switch {
	case u.PasswordHash != "":
		return password.ParseForeign(u.PasswordHash, u.HashingAlgorithm)
	case u.OwnHash != "":
		return password.ParseOwn(u.OwnHash)
	}
	return in.broker.passwords.New(u.Password), nil
}

func (in *importer) defineVirtualHost(d *definitions.VirtualHost) error {
	_, err := in.broker.declareVirtualHost(d.Name, !in.withoutGuest)
	return err
}

// limitVirtualHost sets the limits that the virtual host itself names. RabbitMQ has
// them as a parameter, see limitParameter.
func (in *importer) limitVirtualHost(d *definitions.VirtualHost) error {
	if len(d.Limits) == 0 {
		return nil
	}
	return in.setLimits(d.Name, d.Limits)
}

// setLimits sets limits that are written as in RabbitMQ: zero allows nothing, and
// negative means no limit.
func (in *importer) setLimits(vhost string, t definitions.Table) error {
	var l VirtualHostLimits
	known := l.named()
	for _, name := range slices.Sorted(maps.Keys(t)) {
		i := slices.IndexFunc(known[:], func(n limitName) bool { return n.name == name })
		if i < 0 {
			return fmt.Errorf("there is no limit '%s'", names.Shorten(name))
		}
		n, ok := table.Integer(t[name])
		if !ok || n != int64(int(n)) {
			return fmt.Errorf("the limit %s is not an integer", name)
		}
		switch limit := known[i].value; {
		case n == 0:
			*limit = -1
		case n > 0:
			*limit = int(n)
		}
	}
	v, err := in.vhost(vhost)
	if err == nil {
		v.setLimits(l)
	}
	return err
}

func (in *importer) definePermission(p *definitions.Permission) error {
	v, err := in.vhost(p.VirtualHost)
	if err != nil || in.refusedPermissions[permissionScope{p.User, v.name}] {
		return err // defineTopicPermission has reported that these permissions are not given
	}
	return v.setPermissions(p.User, Permissions{Configure: p.Configure, Write: p.Write, Read: p.Read})
}

// defineTopicPermission sets topic permissions. If they cannot be set, the user gets no
// permissions in the virtual host, rather than too many.
func (in *importer) defineTopicPermission(p *definitions.TopicPermission) error {
	v, err := in.vhost(p.VirtualHost)
	if err != nil {
		return err
	}
	err = v.setTopicPermissions(p.User, TopicPermissions{Exchange: p.Exchange, Write: p.Write, Read: p.Read})
	if err != nil && in.broker.UserExists(p.User) {
		in.refusedPermissions[permissionScope{p.User, v.name}] = true
		err = fmt.Errorf("%w, so the user's permissions in this vhost are not given", err)
	}
	return err
}

func (in *importer) defineParameter(p *definitions.Parameter) error {
	switch v := p.Value.(type) {
	case *definitions.Table:
		return nil // limitParameter sets limits later
	case *definitions.Policy:
		return in.setPolicy(p.VirtualHost, p.Name, v, operatorPolicy)
	}
	return fmt.Errorf("component %s not found", names.Shorten(p.Component)) // RabbitMQ's words
}

func (in *importer) limitParameter(p *definitions.Parameter) error {
	t, ok := p.Value.(*definitions.Table)
	if !ok {
		return nil
	}
	return in.setLimits(p.VirtualHost, *t)
}

func (in *importer) definePolicy(p *definitions.Policy) error {
	return in.setPolicy(p.VirtualHost, p.Name, p, userPolicy)
}

func (in *importer) setPolicy(vhost, name string, p *definitions.Policy, kind policyKind) error {
	v, err := in.vhost(vhost)
	if err != nil {
		return err
	}
	return v.setPolicy(kind, Policy{Name: name, Pattern: p.Pattern, ApplyTo: ApplyTo(p.ApplyTo), Priority: p.Priority, Definition: Table(p.Definition)})
}

func (in *importer) defineExchange(d *definitions.Exchange) error {
	if names.IsReserved(d.Name) {
		return nil // predeclared
	}
	v, err := in.vhost(d.VirtualHost)
	if err != nil {
		return err
	}
	return v.declareExchange(nil, d.Name, ExchangeType(d.Type), ExchangeOptions{
		Durable: d.Durable, AutoDelete: d.AutoDelete, Internal: d.Internal, Args: Table(d.Arguments),
	})
}

func (in *importer) defineQueue(d *definitions.Queue) error {
	switch {
	case d.Name == "":
		return errors.New("the queue has no name")
	case names.IsReserved(d.Name):
		return nil // the broker made this name for a client
	}
	v, err := in.vhost(d.VirtualHost)
	if err != nil {
		return err
	}
	_, err = v.declareQueue(nil, d.Name, QueueOptions{Durable: d.Durable, AutoDelete: d.AutoDelete, Args: Table(d.Arguments)})
	return err
}

func (in *importer) defineBinding(d *definitions.Binding) error {
	v, err := in.vhost(d.VirtualHost)
	if err != nil {
		return err
	}
	if err := checkName(wire.QueueBindID, "destination", d.Destination); err != nil {
		return err
	}
	for _, name := range d.Void {
		if d.Arguments[name] == definitions.Void {
			d.Arguments[name] = nil
		}
	}
	switch d.DestinationType {
	case definitions.ToQueue:
		if names.IsReserved(d.Destination) && d.Destination != "" || d.Source == "" && d.RoutingKey == d.Destination {
			return nil // the queue was skipped, or this is its binding to the default exchange
		}
		return v.bind(wire.QueueBindID, nil, d.Source, d.RoutingKey, Table(d.Arguments), v.toQueue(wire.QueueBindID, d.Destination))
	case definitions.ToExchange:
		return v.bind(wire.ExchangeBindID, nil, d.Source, d.RoutingKey, Table(d.Arguments), v.toExchange(wire.ExchangeBindID, d.Destination))
	}
	return errors.New("the destination is neither a queue nor an exchange")
}
