package warren

import (
	"fmt"
	"slices"
	"strings"

	"github.com/warrenmq/warren/internal/pattern"
	"github.com/warrenmq/warren/internal/wire"
)

// Permissions say what a user may do in a virtual host: each is a regular
// expression (RE2) that a name must match in some part of it, as in RabbitMQ
// and LavinMQ. An empty one matches nothing, ".*" everything. The default
// exchange goes by the name of amq.default.
//
//	declare, delete         configure on the queue or exchange
//	bind, unbind            write on the destination, read on the source
//	publish                 write on the exchange
//	consume, get, purge     read on the queue
//	an alternate exchange   read on the exchange, write on the alternate
//	a dead-letter exchange  read on the queue, write on the exchange
//
// The direct reply-to pseudo-queue needs none.
type Permissions struct {
	Configure string
	Write     string
	Read      string
}

// AllPermissions allow everything in a virtual host.
func AllPermissions() Permissions { return Permissions{Configure: ".*", Write: ".*", Read: ".*"} }

// permission is one of the three.
type permission string

const (
	toConfigure permission = "configure"
	toWrite     permission = "write"
	toRead      permission = "read"
)

// defaultExchangeName is what permissions call the default exchange.
const defaultExchangeName = "amq.default"

// grant is what a user may do in a virtual host, ready to be asked. It is never
// changed.
type grant struct {
	Permissions
	user                   string
	configure, write, read pattern.Pattern
	impersonator           bool
}

func newGrant(p Permissions) (*grant, error) {
	g := &grant{Permissions: p}
	for _, n := range [...]struct {
		what permission
		text string
		to   *pattern.Pattern
	}{{toConfigure, p.Configure, &g.configure}, {toWrite, p.Write, &g.write}, {toRead, p.Read, &g.read}} {
		var err error
		if *n.to, err = pattern.New(n.text); err != nil {
			return nil, fmt.Errorf("warren: the permission to %s is not a regular expression that Go knows: %w", n.what, err)
		}
	}
	return g, nil
}

// allow makes g what the user may do in v.
func (u *account) allow(v *VirtualHost, g *grant) {
	g.user, g.impersonator = u.name, slices.Contains(u.tags, Impersonator)
	u.grants[v] = g
}

// PermissionsSet lets a user work in the virtual host, within these bounds.
// They hold at once, for its open sessions too. It fails with [ErrNotFound] if
// there is no such user, and for a pattern that is not one.
func (v *VirtualHost) PermissionsSet(user string, p Permissions) error {
	g, err := newGrant(p)
	if err != nil {
		return err
	}
	return v.changeGrant(permissionsSet, user, func(u *account) { u.allow(v, g) })
}

// PermissionsDelete shuts a user out of the virtual host: it may open no session
// and do nothing in those that it has. It fails with [ErrNotFound] if there is
// no such user.
func (v *VirtualHost) PermissionsDelete(user string) error {
	return v.changeGrant(permissionsDeleted, user, func(u *account) { delete(u.grants, v) })
}

func (v *VirtualHost) changeGrant(kind changeKind, name string, do func(*account)) error {
	b := v.broker
	defer b.giveChanges() // when the lock is free
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.usersLocked()[name]
	if u == nil {
		return noUser(name)
	}
	do(u)
	b.renew(u, v)
	b.note(change{kind: kind, vhost: v, user: name})
	return nil
}

// Permissions are those of a user in the virtual host; ok is false if it has
// none there.
func (v *VirtualHost) Permissions(user string) (p Permissions, ok bool) {
	b := v.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if u := b.usersLocked()[user]; u != nil {
		if g := u.grants[v]; g != nil {
			return g.Permissions, true
		}
	}
	return Permissions{}, false
}

// renew tells the user's sessions in v what it may do now; mu is held.
func (b *Broker) renew(u *account, v *VirtualHost) {
	g := u.grants[v]
	if g == nil {
		g = &grant{user: u.name}
	}
	for _, s := range b.sessionsOf(func(s *Session) bool { return s.user == u && s.vhost == v }) {
		s.grant.Store(g)
	}
}

// may refuses an operation that the session's user is not allowed. A nil
// session is the broker itself, one without a user this process: both may do
// everything.
func (s *Session) may(m wire.MethodID, what permission, kind, name string) error {
	if s == nil {
		return nil
	}
	g := s.grant.Load()
	if g == nil || g.allows(what, name) {
		return nil
	}
	return failure(m, wire.CodeAccessRefused, "%s access to %s '%s' in vhost '%s' refused for user '%s'", what, kind, name, s.vhost.name, g.user)
}

func (g *grant) allows(what permission, name string) bool {
	switch what {
	case toConfigure:
		return g.configure.Allows(name)
	case toWrite:
		return g.write.Allows(name)
	}
	return g.read.Allows(name)
}

// mayQueue is may for a queue.
func (s *Session) mayQueue(m wire.MethodID, what permission, name string) error {
	return s.may(m, what, "queue", name)
}

// mayExchange is may for an exchange.
func (s *Session) mayExchange(m wire.MethodID, what permission, name string) error {
	if name == "" {
		name = defaultExchangeName
	}
	return s.may(m, what, "exchange", name)
}

// mayBind is what bind and unbind need; kind is the destination's. The default
// exchange is left to the rules of binding, which nobody may break.
func (s *Session) mayBind(m wire.MethodID, kind, destination, source string) error {
	if source == "" {
		return nil
	}
	if err := s.may(m, toWrite, kind, destination); err != nil {
		return err
	}
	return s.mayExchange(m, toRead, source)
}

// mayForward is what a new exchange with an alternate one needs.
func (s *Session) mayForward(exchange, alternate string) error {
	if err := s.mayExchange(wire.ExchangeDeclareID, toRead, exchange); err != nil {
		return err
	}
	return s.mayExchange(wire.ExchangeDeclareID, toWrite, alternate)
}

// mayDeadLetter is what a new queue with a dead-letter exchange needs.
func (s *Session) mayDeadLetter(queue, exchange string) error {
	if err := s.mayQueue(wire.QueueDeclareID, toRead, queue); err != nil {
		return err
	}
	return s.mayExchange(wire.QueueDeclareID, toWrite, exchange)
}

// checkUser refuses a message that somebody says another has published. A nil
// grant is of a user that only the host knows.
func (g *grant) checkUser(said, is string) error {
	if said == is || g != nil && g.impersonator {
		return nil
	}
	return failure(wire.BasicPublishID, wire.CodePreconditionFailed, "user_id property set to '%s' but authenticated user was '%s'", said, is)
}

// writable is an exchange that a grant let somebody publish to.
type writable struct {
	grant    *grant
	exchange string
}

// mayPublish is mayExchange for every message: it asks the pattern only if the
// exchange is another than before.
func (ch *Channel) mayPublish(g *grant, exchange string) error {
	if w := ch.writable.Load(); w != nil && w.grant == g && w.exchange == exchange {
		return nil
	}
	if err := ch.session.mayExchange(wire.BasicPublishID, toWrite, exchange); err != nil {
		return err
	}
	ch.writable.Store(&writable{g, strings.Clone(exchange)}) // it may be a view
	return nil
}
