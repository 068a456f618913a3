package warren

import (
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// bounded is the content of a message with a reply_to, from a user who may not
// publish everywhere. A handler that answers it does what the user asks for, so the
// reply goes only where the user could have published it.
type bounded struct {
	message.Content
	session *Session // the publisher's
}

// Edited implements message.Content.
func (c *bounded) Edited(e message.Edit) message.Content {
	return &bounded{c.Content.Edited(e), c.session}
}

// bound notes on the content who has asked for a reply to the queue named replyTo,
// if that is a question of permissions. A name of the pseudo-queue or a reply address
// is none: who knows an address has been asked for a reply.
func (ch *Channel) bound(c message.Content, replyTo string) message.Content {
	if g := ch.session.grant.Load(); g == nil || g.write.All() || ch.vhost.isReplyName(replyTo) || isReplyAddress(replyTo) {
		return c
	}
	return &bounded{c, ch.session}
}

// checkReplyAccess fails with 403 if the message came from a user who may not have
// its reply sent to the queue. Of the permissions to write, that on the default
// exchange is enough, by which a user can publish to every queue, or that on the
// queue. A session's own exclusive queue needs none.
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
		case *bounded:
			return v.checkReplyOf(of.session, queue)
		}
		return nil
	}
}

func (v *VirtualHost) checkReplyOf(s *Session, queue string) error {
	if q := v.queue(queue); q != nil && q.owner == s {
		return nil
	}
	g := v.broker.grantOf(s)
	if g.allows(toWrite, defaultExchangeName) || g.allows(toWrite, queue) {
		return nil
	}
	return failure(wire.BasicPublishID, wire.CodeAccessRefused, "%s access to queue '%s' in vhost '%s' refused for user '%s'", toWrite, queue, v.name, g.user).
		withHint("a message of this user asks for a reply there")
}

// grantOf returns what the user of a session may do now, even if the session has
// ended.
func (b *Broker) grantOf(s *Session) *grant {
	b.mu.Lock()
	defer b.mu.Unlock()
	if u := b.users[s.user.name]; u != nil && u.grants[s.vhost] != nil {
		return u.grants[s.vhost]
	}
	return &grant{user: s.user.name}
}
