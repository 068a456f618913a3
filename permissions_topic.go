package warren

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/pattern"
	"github.com/warrenmq/warren/internal/wire"
)

// TopicPermissions narrow what a user may do with an exchange of type topic, by the
// routing key. They count besides [Permissions], and only for exchanges that have an entry
// for the user. Each pattern is a regular expression (RE2) that some part of the routing
// key must match. An empty one matches the empty key alone.
//
//	Write    the keys of messages that the user publishes to the exchange, also those in
//	         the headers CC and BCC
//	Read     the keys of bindings from the exchange that the user makes or removes
//
// In patterns {username} stands for the user's name and {vhost} for that of the virtual
// host, to the letter, as in RabbitMQ, which takes these names for patterns, too.
// {client_id} stands for itself, because AMQP 0-9-1 has none.
type TopicPermissions struct {
	Exchange string // at most 255 bytes of UTF-8; it need not exist
	Write    string
	Read     string
}

// topicGrant has the compiled patterns of a user for an exchange. It is immutable.
type topicGrant struct {
	TopicPermissions
	write, read keyPattern
}

// keyPattern is a set of routing keys.
type keyPattern struct {
	pattern.Pattern
	none bool // it allows the empty key alone
}

func (p *keyPattern) allows(key string) bool {
	if p.none {
		return key == ""
	}
	return p.Allows(key)
}

// newTopicGrant compiles patterns for a user in a virtual host.
func newTopicGrant(p TopicPermissions, user, vhost string) (*topicGrant, error) {
	if !names.IsValid(p.Exchange) {
		return nil, fmt.Errorf("warren: an exchange's name has at most %d bytes of UTF-8", names.MaxLen)
	}
	g := &topicGrant{TopicPermissions: p}
	variables := strings.NewReplacer("{username}", regexp.QuoteMeta(user), "{vhost}", regexp.QuoteMeta(vhost))
	for _, n := range [...]struct {
		what permission
		text string
		to   *keyPattern
	}{{toWrite, p.Write, &g.write}, {toRead, p.Read, &g.read}} {
		var err error
		if n.to.Pattern, err = pattern.New(variables.Replace(n.text)); err != nil {
			return nil, fmt.Errorf("warren: the topic permission to %s is not a regular expression that Go knows: %w", n.what, err)
		}
		n.to.none = n.text == ""
	}
	return g, nil
}

func (g *topicGrant) allows(what permission, key string) bool {
	if what == toWrite {
		return g.write.allows(key)
	}
	return g.read.allows(key)
}

// topicGrants are what a user may do with exchanges, by their names. They are never
// modified.
type topicGrants map[string]*topicGrant

// with returns the grants with another one, or without it if g is nil.
func (t topicGrants) with(exchange string, g *topicGrant) topicGrants {
	fresh := maps.Clone(t)
	if g == nil {
		delete(fresh, exchange)
		if len(fresh) == 0 {
			return nil
		}
		return fresh
	}
	if fresh == nil {
		fresh = make(topicGrants)
	}
	fresh[exchange] = g
	return fresh
}

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
