package warren

import (
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// bound notes on the content who has asked for a reply to the queue named replyTo,
// if that is a question of permissions. A name of the pseudo-queue or a reply address
// is none: who knows an address has been asked for a reply.
func (ch *Channel) bound(c message.Content, replyTo string) message.Content {
	g := ch.session.grant.Load()
	if g == nil || g.write.All() || ch.vhost.isReplyName(replyTo) || isReplyAddress(replyTo) {
		return c
	}
	return &message.Bounded{Content: c, User: g.user, Session: ch.session}
}

// checkReplyAccess fails with 403 if the message came from a user who may not have
// its reply sent to the queue. Of the permissions to write, that on the default
// exchange is enough, by which a user can publish to every queue, or that on the
// queue. A session's own exclusive queue needs none; of a message that was on disk, only
// the user is known.
func (v *VirtualHost) checkReplyAccess(c message.Content, queue string) error {
	for {
		switch of := c.(type) {
		case *message.Blind:
			c = of.Content
			continue
		case *message.Letter:
			c = of.Content
			continue
		case *message.Lent:
			c = of.Of()
			continue
		case *message.Bounded:
			return v.checkReplyOf(of, queue)
		}
		return nil
	}
}

func (v *VirtualHost) checkReplyOf(c *message.Bounded, queue string) error {
	if q := v.queue(queue); q != nil && q.owner != nil {
		s, known := c.Session.(*Session)
		if q.owner == s || !known && q.owner.user != nil && q.owner.user.name == c.User {
			return nil
		}
	}
	g := v.grantOf(c.User)
	if g.allows(toWrite, defaultExchangeName) || g.allows(toWrite, queue) {
		return nil
	}
	return failure(wire.BasicPublishID, wire.CodeAccessRefused, "%s access to queue '%s' in vhost '%s' refused for user '%s'", toWrite, queue, v.name, g.user).
		withHint("a message of this user asks for a reply there")
}

// grantOf returns what a user may do now, even if the user's session has ended.
func (v *VirtualHost) grantOf(user string) *grant {
	b := v.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if u := b.users[user]; u != nil && u.grants[v] != nil {
		return u.grants[v]
	}
	return &grant{user: user}
}
