package warren

// PermissionsSet lets a user work in the virtual host, within these bounds.
// They hold at once, for its open sessions too. It fails with [ErrNotFound] if
// there is no such user, and for a pattern that is not one.
func (v *VirtualHost) PermissionsSet(user string, p Permissions) error {
	g, err := newGrant(p)
	if err != nil {
		return err
	}
	return v.changeGrant(permissionsSet, user, func(u *account) { u.setGrant(v, g) })
}

// PermissionsDelete shuts a user out of the virtual host: it may open no session
// and do nothing in those that it has. It fails with [ErrNotFound] if there is
// no such user.
func (v *VirtualHost) PermissionsDelete(user string) error {
	return v.changeGrant(permissionsDeleted, user, func(u *account) { delete(u.grants, v) })
}

func (v *VirtualHost) changeGrant(kind changeKind, name string, do func(*account)) error {
	b := v.broker
	defer b.notifyReaders() // when the lock is free
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.usersLocked()[name]
	if u == nil {
		return errNoUser(name)
	}
	do(u)
	b.updateGrants(u, v)
	b.recordChange(change{kind: kind, vhost: v, user: name})
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
func (b *Broker) updateGrants(u *account, v *VirtualHost) {
	g := u.grants[v]
	if g == nil {
		g = &grant{user: u.name}
	}
	for _, s := range b.sessionsWhere(func(s *Session) bool { return s.user == u && s.vhost == v }) {
		s.grant.Store(g)
	}
}
