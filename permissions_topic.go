package warren

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/pattern"
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
