package warren

import (
	"slices"

	"github.com/warrenmq/warren/internal/password"
	"github.com/warrenmq/warren/internal/pattern"
)

// account is a user as the broker keeps it, under the broker's lock.
type account struct {
	name     string
	tags     []string
	password *password.Password // nil: it cannot log in
	grants   map[*VirtualHost]*grant
}

// stored is the account's password; nil: there is no account, or it has none.
func (u *account) storedPassword() *password.Password {
	if u == nil {
		return nil
	}
	return u.password
}

// allow makes g what the user may do in v.
func (u *account) setGrant(v *VirtualHost, g *grant) {
	g.user, g.impersonator = u.name, slices.Contains(u.tags, Impersonator)
	u.grants[v] = g
}

// usersLocked are the accounts by name; the broker's lock is held. They are
// made when they are asked for first: most programs never do.
func (b *Broker) usersLocked() map[string]*account {
	if b.users == nil {
		g := &account{name: Guest, tags: []string{Administrator}, grants: make(map[*VirtualHost]*grant)}
		g.password = password.Known(Guest)
		b.users = map[string]*account{Guest: g}
		for _, v := range b.vhosts {
			b.grantGuest(v)
		}
	}
	return b.users
}

// welcomeGuest lets guest do everything in a new virtual host, if there is
// still a guest; mu is held.
func (b *Broker) grantGuest(v *VirtualHost) {
	if g := b.users[Guest]; g != nil {
		g.setGrant(v, &grant{Permissions: AllPermissions(), configure: pattern.Any(), write: pattern.Any(), read: pattern.Any()})
	}
}
