package warren

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/definitions"
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/password"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// DefinitionError tells of an object of a definitions file that could not be
// imported, or not fully. The others were.
type DefinitionError struct {
	Object string // for example: queue 'jobs' in vhost '/'
	Err    error
}

// Error names the object and what is wrong with it.
func (e *DefinitionError) Error() string {
	return fmt.Sprintf("warren: import %s: %s", e.Object, strings.TrimPrefix(e.Err.Error(), "warren: "))
}

// Unwrap is what is wrong, for example an [*Error] with 406 for a queue that
// exists with other properties.
func (e *DefinitionError) Unwrap() error { return e.Err }

// DefinitionsImport makes what a definitions file names: one of
// [Broker.DefinitionsExport], of RabbitMQ or of LavinMQ. It adds to what there
// is and may be repeated. Users, permissions, limits and policies are set; an
// exchange or queue that exists with other properties stays as it is, and so
// does everything that the file does not name.
//
// A file that is not JSON in this shape, or larger than 64 MiB, is refused
// before anything is changed. Otherwise all that can be made is made, and the
// error joins a [*DefinitionError] for each object that could not be, see
// [errors.Join].
//
// Passwords that RabbitMQ or LavinMQ hashed with SHA-256, SHA-512 or MD5 log in
// as before. Others, such as LavinMQ's Bcrypt, cannot be checked: a new user
// gets no password then, which is an error, and one that exists stays as it is.
//
// Some things are not supported here, and are errors: limits of users;
// parameters of plugins such as shovels; and topic permissions that do not
// allow everything: the permissions that they would narrow are not given. Some
// are left out: global parameters, what describes a virtual host, and queues,
// exchanges and bindings of queues whose names begin with "amq.". Objects
// without a virtual host go to "/", as in LavinMQ. If the file has permissions,
// guest gets no others in the virtual hosts that are new.
func (b *Broker) DefinitionsImport(r io.Reader) error {
	return b.importDefinitions(r, nil)
}

// DefinitionsImport makes the exchanges, queues, bindings, policies and limits
// of a definitions file in this virtual host, whichever the file says, and
// leaves out the rest. See [Broker.DefinitionsImport].
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
	in := &importer{broker: b, only: only, withoutGuest: d.Permissions != nil, narrowed: make(map[permissionScope]bool)}
	if only != nil { // the rest is not its business
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
	// Limits come last: they do not touch what is there.
	define(in, d.VirtualHosts, in.limitVirtualHost)
	define(in, d.Parameters, in.limitParameter)
	b.announce(change{kind: definitionsImported, count: len(in.problems)})
	return errors.Join(in.problems...)
}

// importer makes what definitions say.
type importer struct {
	broker       *Broker
	only         *VirtualHost // nil: the objects say which
	withoutGuest bool         // the file says who may work where
	narrowed     map[permissionScope]bool
	problems     []error
}

// permissionScope is where permissions hold.
type permissionScope struct{ user, vhost string }

// define makes the objects of a section, and notes what could not be.
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

// vhost is the one that an object goes to.
func (in *importer) vhost(name string) (*VirtualHost, error) {
	if in.only != nil {
		return in.only, nil
	}
	return in.broker.VirtualHost(name)
}

// define makes a new account even if nobody can log in, so that what is said of
// it elsewhere holds.
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

// limit sets the limits, if there are any: RabbitMQ has them as a parameter,
// too.
func (in *importer) limitVirtualHost(d *definitions.VirtualHost) error {
	if len(d.Limits) == 0 {
		return nil
	}
	return in.setLimits(d.Name, d.Limits)
}

// setLimits takes them as RabbitMQ counts them: negative is no limit.
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
		v.LimitsSet(l)
	}
	return err
}

func (in *importer) definePermission(p *definitions.Permission) error {
	v, err := in.vhost(p.VirtualHost)
	if err != nil || in.narrowed[permissionScope{p.User, v.name}] {
		return err // that the narrowed ones are not given has been told
	}
	return v.PermissionsSet(p.User, Permissions{Configure: p.Configure, Write: p.Write, Read: p.Read})
}

// define refuses what would not be kept: a user who may do less than a
// permission says may do nothing.
func (in *importer) defineTopicPermission(p *definitions.TopicPermission) error {
	if p.Write == ".*" && p.Read == ".*" {
		return nil
	}
	v, err := in.vhost(p.VirtualHost)
	if err != nil {
		return err
	}
	in.narrowed[permissionScope{p.User, v.name}] = true
	return errors.New("topic permissions are not supported, so the user's permissions in this vhost are not given")
}

func (in *importer) defineParameter(p *definitions.Parameter) error {
	switch v := p.Value.(type) {
	case *definitions.Table:
		return nil // limits come later
	case *definitions.Policy:
		return in.setPolicy(p.VirtualHost, p.Name, v, (*VirtualHost).OperatorPolicySet)
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
	return in.setPolicy(p.VirtualHost, p.Name, p, (*VirtualHost).PolicySet)
}

func (in *importer) setPolicy(vhost, name string, p *definitions.Policy, set func(*VirtualHost, Policy) error) error {
	v, err := in.vhost(vhost)
	if err != nil {
		return err
	}
	return set(v, Policy{Name: name, Pattern: p.Pattern, ApplyTo: ApplyTo(p.ApplyTo), Priority: p.Priority, Definition: Table(p.Definition)})
}

func (in *importer) defineExchange(d *definitions.Exchange) error {
	if names.IsReserved(d.Name) {
		return nil // they are there
	}
	v, err := in.vhost(d.VirtualHost)
	if err != nil {
		return err
	}
	kind, args := ExchangeType(d.Type), Table(d.Arguments)
	if args[delayedAlias] == true { // LavinMQ's way to tell of one
		args = table.Clone(args)
		delete(args, delayedAlias)
		kind, args[argument.DelayedType] = DelayedMessage, d.Type
	}
	return v.declareExchange(nil, d.Name, kind, ExchangeOptions{
		Durable: d.Durable, AutoDelete: d.AutoDelete, Internal: d.Internal, Args: args,
	})
}

func (in *importer) defineQueue(d *definitions.Queue) error {
	switch {
	case d.Name == "":
		return errors.New("the queue has no name")
	case names.IsReserved(d.Name):
		return nil // its name was made for those who had declared it
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
			return nil // the queue was left out, or it has this binding by itself
		}
		return v.bind(wire.QueueBindID, nil, d.Source, d.RoutingKey, Table(d.Arguments), v.toQueue(wire.QueueBindID, d.Destination))
	case definitions.ToExchange:
		return v.bind(wire.ExchangeBindID, nil, d.Source, d.RoutingKey, Table(d.Arguments), v.toExchange(wire.ExchangeBindID, d.Destination))
	}
	return errors.New("the destination is neither a queue nor an exchange")
}
