package warren

// PermissionsSet sets the permissions of a user in the virtual host. They take
// effect at once, for open sessions too. It fails with [ErrNotFound] if there is no
// such user, and with another error if a pattern is not valid.
func (v *VirtualHost) PermissionsSet(user string, p Permissions) error {
	return v.broker.stored(v.setPermissions(user, p))
}

func (v *VirtualHost) setPermissions(user string, p Permissions) error {
	g, err := newGrant(p)
	if err != nil {
		return err
	}
	return v.changeGrant(permissionsSet, user, func(u *account) { u.setGrant(v, g) })
}

// PermissionsDelete removes a user's permissions in the virtual host: the user can
// open no session there, and can do nothing in existing sessions. It fails with
// [ErrNotFound] if there is no such user.
func (v *VirtualHost) PermissionsDelete(user string) error {
	return v.broker.stored(v.changeGrant(permissionsDeleted, user, func(u *account) { delete(u.grants, v) }))
}

func (v *VirtualHost) changeGrant(kind changeKind, name string, do func(*account)) error {
	b := v.broker
	defer b.notifyReaders() // after the lock is released
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.usersLocked()[name]
	if u == nil {
		return errNoUser(name)
	}
	do(u)
	b.updateGrants(u, v)
	b.recordChange(change{kind: kind, vhost: v, user: name, account: u})
	return nil
}

// Permissions returns the permissions of a user in the virtual host. ok is false if
// the user has none there.
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
