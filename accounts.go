package warren

import (
	"fmt"
	"slices"

	"github.com/warrenmq/warren/internal/password"
	"github.com/warrenmq/warren/internal/pattern"
	"github.com/warrenmq/warren/internal/wire"
)

// Tags of users that have a meaning for the broker or for package management, where they
// mean what they mean in RabbitMQ. A user without any of the first four cannot use the
// management API. None of them gives [Permissions].
const (
	// Administrator may do everything: what Policymaker and Monitoring may, in all
	// virtual hosts, and change virtual hosts, users, permissions, limits, operator
	// policies and definitions, and close the connections of others.
	Administrator = "administrator"
	// Monitoring may do what Management may, and see the connections and channels of all
	// users, and figures of the whole broker and of all virtual hosts.
	Monitoring = "monitoring"
	// Policymaker may do what Management may, and change policies and parameters of
	// virtual hosts in which the user has permissions.
	Policymaker = "policymaker"
	// Management may use virtual hosts in which the user has permissions, as far as these
	// allow, and see and close the user's own connections.
	Management = "management"
	// Impersonator lets a user publish messages with the UserId of another user.
	Impersonator = "impersonator"
)

// Guest is the user of a new broker. Its password is "guest" and its tag is
// [Administrator]. It may do everything in every virtual host, including those that
// are made later, like LavinMQ's default user. The listener accepts it only from
// this machine.
const Guest = "guest"

// account is a user as the broker stores it. The broker's lock guards it.
type account struct {
	id       uint64 // on disk
	name     string
	tags     []string
	password *password.Password // nil: the user cannot log in
	grants   map[*VirtualHost]*grant
	topics   map[*VirtualHost]topicGrants // nil: there are none
}

// storedPassword returns the account's password. It is nil if u is nil or if the
// user has no password.
func (u *account) storedPassword() *password.Password {
	if u == nil {
		return nil
	}
	return u.password
}

// setGrant sets what the user may do in v.
func (u *account) setGrant(v *VirtualHost, g *grant) {
	g.user, g.impersonator, g.topics = u.name, slices.Contains(u.tags, Impersonator), u.topics[v]
	u.grants[v] = g
}

// usersLocked returns the accounts by name. It creates them on the first call,
// because most programs need none. The broker's lock is held.
func (b *Broker) usersLocked() map[string]*account {
	if b.users == nil {
		g := &account{id: b.nextID(), name: Guest, tags: []string{Administrator}, grants: make(map[*VirtualHost]*grant)}
		g.password = password.Known(Guest)
		b.users = map[string]*account{Guest: g}
		for _, v := range b.vhosts {
			b.grantGuest(v)
		}
	}
	return b.users
}

func errNoUser(name string) error {
	return &Error{Code: wire.CodeNotFound, Text: fmt.Sprintf("NOT_FOUND - no user '%s'", name)}
}

// grantGuest allows the user guest to do everything in v, if the account guest still
// exists. b.mu is held.
func (b *Broker) grantGuest(v *VirtualHost) {
	if g := b.users[Guest]; g != nil {
		g.setGrant(v, &grant{Permissions: AllPermissions(), configure: pattern.Any(), write: pattern.Any(), read: pattern.Any()})
		if b.topology != nil {
			b.topology.putPermission(g, v)
		}
	}
}

// updateGrants gives the user's open sessions in v the current grant. b.mu is held.
func (b *Broker) updateGrants(u *account, v *VirtualHost) {
	g := u.grants[v]
	if g == nil {
		g = &grant{user: u.name}
	}
	for _, s := range b.sessionsWhere(func(s *Session) bool { return s.user == u && s.vhost == v }) {
		s.grant.Store(g)
	}
}
