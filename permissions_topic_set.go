package warren

import (
	"cmp"
	"maps"
	"slices"

	"github.com/warrenmq/warren/internal/wire"
)

// checkTopic fails with 403 if the user may not use a routing key at an exchange.
func (g *grant) checkTopic(m wire.MethodID, what permission, v *VirtualHost, x *declaredExchange, key string) error {
	if x.kind != Topic {
		return nil
	}
	if t := g.topics[x.Name]; t == nil || t.allows(what, key) {
		return nil
	}
	return failure(m, wire.CodeAccessRefused, "access to topic '%s' in exchange '%s' in vhost '%s' refused for user '%s'", key, x.Name, v.name, g.user)
}

// checkBindTopic is checkTopic for a binding that a session makes or removes. The session
// may be nil.
func (s *Session) checkBindTopic(m wire.MethodID, x *declaredExchange, key string) error {
	if s == nil {
		return nil
	}
	g := s.grant.Load()
	if g == nil || g.topics == nil {
		return nil
	}
	return g.checkTopic(m, toRead, s.vhost, x, key)
}

// checkExtraTopics is checkTopic for the keys in the headers CC and BCC of a message.
func (ch *Channel) checkExtraTopics(p *publishing) error {
	g := ch.session.grant.Load()
	if g == nil || g.topics == nil {
		return nil
	}
	for _, key := range p.Extra {
		if err := g.checkTopic(wire.BasicPublishID, toWrite, ch.vhost, p.to, key); err != nil {
			return err
		}
	}
	return nil
}

// TopicPermissions returns a user's topic permissions in the virtual host, sorted by
// exchange. There are none if there is no such user.
func (v *VirtualHost) TopicPermissions(user string) []TopicPermissions {
	b := v.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.usersLocked()[user]
	if u == nil {
		return nil
	}
	list := make([]TopicPermissions, 0, len(u.topics[v]))
	for _, g := range u.topics[v] {
		list = append(list, g.TopicPermissions)
	}
	slices.SortFunc(list, func(x, y TopicPermissions) int { return cmp.Compare(x.Exchange, y.Exchange) })
	return list
}

// TopicPermissionsSet sets a user's topic permissions for an exchange of the virtual host.
// They take effect at once, for open sessions too, but not on bindings that exist. They
// stay when the exchange or the user's [Permissions] are deleted. It fails with
// [ErrNotFound] if there is no such user, and with another error if a pattern or the
// exchange's name is not valid.
func (v *VirtualHost) TopicPermissionsSet(user string, p TopicPermissions) error {
	return v.broker.stored(v.setTopicPermissions(user, p))
}

func (v *VirtualHost) setTopicPermissions(user string, p TopicPermissions) error {
	g, err := newTopicGrant(p, user, v.name)
	if err != nil {
		return err
	}
	return v.changeTopics(topicPermissionsSet, user, func(u *account) []string {
		u.setTopics(v, u.topics[v].with(p.Exchange, g))
		return []string{p.Exchange}
	})
}

// TopicPermissionsDelete removes a user's topic permissions for an exchange, or for all
// exchanges of the virtual host if the name is empty. Where there are none, it does
// nothing. It fails with [ErrNotFound] if there is no such user.
func (v *VirtualHost) TopicPermissionsDelete(user, exchange string) error {
	return v.broker.stored(v.changeTopics(topicPermissionsDeleted, user, func(u *account) (gone []string) {
		have := u.topics[v]
		switch {
		case exchange == "":
			u.setTopics(v, nil)
			return slices.Sorted(maps.Keys(have))
		case have[exchange] != nil:
			u.setTopics(v, have.with(exchange, nil))
			return []string{exchange}
		}
		return nil
	}))
}

// changeTopics changes topic permissions by do, which returns the exchanges that they are
// about.
func (v *VirtualHost) changeTopics(kind changeKind, user string, do func(*account) []string) error {
	b := v.broker
	defer b.notifyReaders() // after the lock is released
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.usersLocked()[user]
	if u == nil {
		return errNoUser(user)
	}
	changed := do(u)
	if g := u.grants[v]; g != nil {
		u.setGrant(v, g.renewed())
		b.updateGrants(u, v)
	}
	for _, exchange := range changed {
		b.recordChange(change{kind: kind, vhost: v, user: user, account: u, topic: exchange})
	}
	return nil
}

// setTopics sets a user's topic permissions in v. The caller renews the user's grant
// there. The broker's lock is held.
func (u *account) setTopics(v *VirtualHost, t topicGrants) {
	if t == nil {
		delete(u.topics, v)
		return
	}
	if u.topics == nil {
		u.topics = make(map[*VirtualHost]topicGrants)
	}
	u.topics[v] = t
}
