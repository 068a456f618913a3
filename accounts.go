package warren

import (
	"slices"

	"github.com/warrenmq/warren/internal/password"
	"github.com/warrenmq/warren/internal/pattern"
)

// account is a user as the broker stores it. The broker's lock guards it.
type account struct {
	id       uint64 // on disk
	name     string
	tags     []string
	password *password.Password // nil: the user cannot log in
	grants   map[*VirtualHost]*grant
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
	g.user, g.impersonator = u.name, slices.Contains(u.tags, Impersonator)
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
