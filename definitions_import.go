package warren

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

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
	if err := b.accepting(); err != nil {
		return err
	}
	d, err := readDefinitions(r, maxDefinitions)
	if err != nil {
		return err
	}
	in := &importer{broker: b, only: only, withoutGuest: d.Permissions != nil, narrowed: make(map[permissionScope]bool)}
	if only != nil { // the rest is not its business
		d.Users, d.VirtualHosts, d.TopicPermissions, d.Permissions = nil, nil, nil, nil
	}
	define(in, d.Users, (*userDefinition).define)
	define(in, d.Users, (*userDefinition).refuseLimits)
	define(in, d.VirtualHosts, (*vhostDefinition).define)
	define(in, d.TopicPermissions, (*topicPermissionDefinition).define)
	define(in, d.Permissions, (*permissionDefinition).define)
	define(in, d.Policies, (*policyDefinition).define)
	define(in, d.Parameters, (*parameterDefinition).define)
	define(in, d.Exchanges, (*exchangeDefinition).define)
	define(in, d.Queues, (*queueDefinition).define)
	define(in, d.Bindings, (*bindingDefinition).define)
	// Limits come last: they do not touch what is there.
	define(in, d.VirtualHosts, (*vhostDefinition).limit)
	define(in, d.Parameters, (*parameterDefinition).limit)
	b.log.Info("definitions imported", "problems", len(in.problems))
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
}](in *importer, list section[T], do func(P, *importer) error) {
	for i := range list {
		object := P(&list[i])
		if err := do(object, in); err != nil {
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

func (u *userDefinition) String() string { return called("user", u.Name, "") }

// define makes a new account even if nobody can log in, so that what is said of
// it elsewhere holds.
func (u *userDefinition) define(in *importer) error {
	p, problem := u.password(in.broker)
	if problem != nil && in.broker.UserExists(u.Name) {
		return problem
	}
	if err := in.broker.declareUser(u.Name, p, u.Tags); err != nil {
		return err
	}
	return problem
}

func (u *userDefinition) refuseLimits(*importer) error {
	if len(u.Limits) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(u.Limits))
	return fmt.Errorf("limits of users are not supported: %s", shorten(strings.Join(names, ", ")))
}

func (u *userDefinition) password(b *Broker) (*storedPassword, error) {
	switch {
	case u.PasswordHash != "":
		return foreignPassword(u.PasswordHash, u.HashingAlgorithm)
	case u.OwnHash != "":
		return ownPassword(u.OwnHash)
	}
	return b.passwords.password(u.Password), nil
}

func (d *vhostDefinition) String() string { return called("vhost", d.Name, "") }

func (d *vhostDefinition) define(in *importer) error {
	_, err := in.broker.declareVirtualHost(d.Name, !in.withoutGuest)
	return err
}

// limit sets the limits, if there are any: RabbitMQ has them as a parameter,
// too.
func (d *vhostDefinition) limit(in *importer) error {
	if len(d.Limits) == 0 {
		return nil
	}
	return in.setLimits(d.Name, d.Limits)
}

// setLimits takes them as RabbitMQ counts them: negative is no limit.
func (in *importer) setLimits(vhost string, t definitionTable) error {
	var l VirtualHostLimits
	known := l.named()
	for _, name := range slices.Sorted(maps.Keys(t)) {
		i := slices.IndexFunc(known[:], func(n limitName) bool { return n.name == name })
		if i < 0 {
			return fmt.Errorf("there is no limit '%s'", shorten(name))
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

func (p *permissionDefinition) String() string {
	return called("permissions of user", p.User, p.VirtualHost)
}

func (p *permissionDefinition) define(in *importer) error {
	v, err := in.vhost(p.VirtualHost)
	if err != nil || in.narrowed[permissionScope{p.User, v.name}] {
		return err // that the narrowed ones are not given has been told
	}
	return v.PermissionsSet(p.User, Permissions{Configure: p.Configure, Write: p.Write, Read: p.Read})
}

func (p *topicPermissionDefinition) String() string {
	return called("topic permissions on exchange '"+shorten(p.Exchange)+"' of user", p.User, p.VirtualHost)
}

// define refuses what would not be kept: a user who may do less than a
// permission says may do nothing.
func (p *topicPermissionDefinition) define(in *importer) error {
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

func (p *parameterDefinition) String() string {
	return called("parameter '"+shorten(p.Name)+"' of component", p.Component, p.VirtualHost)
}

func (p *parameterDefinition) define(in *importer) error {
	switch v := p.Value.(type) {
	case *definitionTable:
		return nil // limits come later
	case *policyDefinition:
		return in.setPolicy(p.VirtualHost, p.Name, v, (*VirtualHost).OperatorPolicySet)
	}
	return fmt.Errorf("component %s not found", shorten(p.Component)) // RabbitMQ's words
}

func (p *parameterDefinition) limit(in *importer) error {
	t, ok := p.Value.(*definitionTable)
	if !ok {
		return nil
	}
	return in.setLimits(p.VirtualHost, *t)
}

func (p *policyDefinition) String() string { return called("policy", p.Name, p.VirtualHost) }

func (p *policyDefinition) define(in *importer) error {
	return in.setPolicy(p.VirtualHost, p.Name, p, (*VirtualHost).PolicySet)
}

func (in *importer) setPolicy(vhost, name string, p *policyDefinition, set func(*VirtualHost, Policy) error) error {
	v, err := in.vhost(vhost)
	if err != nil {
		return err
	}
	return set(v, Policy{Name: name, Pattern: p.Pattern, ApplyTo: p.ApplyTo, Priority: p.Priority, Definition: Table(p.Definition)})
}

func (d *exchangeDefinition) String() string { return called("exchange", d.Name, d.VirtualHost) }

func (d *exchangeDefinition) define(in *importer) error {
	if isReserved(d.Name) {
		return nil // they are there
	}
	v, err := in.vhost(d.VirtualHost)
	if err != nil {
		return err
	}
	kind, args := d.Type, Table(d.Arguments)
	if args[delayedAlias] == true { // LavinMQ's way to tell of one
		args = table.Clone(args)
		delete(args, delayedAlias)
		kind, args[delayedTypeArg] = DelayedMessage, string(d.Type)
	}
	return v.declareExchange(nil, d.Name, kind, ExchangeOptions{
		Durable: d.Durable, AutoDelete: d.AutoDelete, Internal: d.Internal, Args: args,
	})
}

func (d *queueDefinition) String() string { return called("queue", d.Name, d.VirtualHost) }

func (d *queueDefinition) define(in *importer) error {
	switch {
	case d.Name == "":
		return errors.New("the queue has no name")
	case isReserved(d.Name):
		return nil // its name was made for those who had declared it
	}
	v, err := in.vhost(d.VirtualHost)
	if err != nil {
		return err
	}
	_, err = v.declareQueue(nil, d.Name, QueueOptions{Durable: d.Durable, AutoDelete: d.AutoDelete, Args: Table(d.Arguments)})
	return err
}

func (d *bindingDefinition) String() string {
	return called(fmt.Sprintf("binding from exchange '%s' by key '%s' to %s", shorten(d.Source), shorten(d.RoutingKey), shorten(d.DestinationType)), d.Destination, d.VirtualHost)
}

func (d *bindingDefinition) define(in *importer) error {
	v, err := in.vhost(d.VirtualHost)
	if err != nil {
		return err
	}
	if err := checkName(wire.QueueBindID, "destination", d.Destination); err != nil {
		return err
	}
	for _, name := range d.Void {
		if d.Arguments[name] == voidText {
			d.Arguments[name] = nil
		}
	}
	switch d.DestinationType {
	case toAQueue:
		if isReserved(d.Destination) && d.Destination != "" || d.Source == "" && d.RoutingKey == d.Destination {
			return nil // the queue was left out, or it has this binding by itself
		}
		return v.bind(wire.QueueBindID, nil, d.Source, d.RoutingKey, Table(d.Arguments), v.toQueue(wire.QueueBindID, d.Destination))
	case toAnExchange:
		return v.bind(wire.ExchangeBindID, nil, d.Source, d.RoutingKey, Table(d.Arguments), v.toExchange(wire.ExchangeBindID, d.Destination))
	}
	return errors.New("the destination is neither a queue nor an exchange")
}

// called names an object for people.
func called(kind, name, vhost string) string {
	text := kind + " '" + shorten(name) + "'"
	if vhost != "" {
		text += " in vhost '" + shorten(vhost) + "'"
	}
	return text
}

// shorten cuts a name that is too long to be one.
func shorten(name string) string {
	if len(name) <= maxShortString {
		return name
	}
	end := maxShortString
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + "…"
}
