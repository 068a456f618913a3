package warren

import (
	"fmt"

	"github.com/warrenmq/warren/internal/pattern"
	"github.com/warrenmq/warren/internal/wire"
)

// Permissions say what a user may do in a virtual host. Each is a regular expression
// (RE2) that some part of a name must match, as in RabbitMQ and LavinMQ. An empty
// one matches nothing, ".*" matches everything. The default exchange has the name
// amq.default here.
//
//	declare, delete         configure on the queue or exchange
//	bind, unbind            write on the destination, read on the source
//	publish                 write on the exchange
//	consume, get, purge     read on the queue
//	an alternate exchange   read on the exchange, write on the alternate
//	a dead-letter exchange  read on the queue, write on the exchange
//
// The direct reply-to pseudo-queue needs no permission. [TopicPermissions] can narrow what
// a user may do with exchanges of type topic.
type Permissions struct {
	Configure string
	Write     string
	Read      string
}

// AllPermissions returns permissions that allow everything in a virtual host.
func AllPermissions() Permissions { return Permissions{Configure: ".*", Write: ".*", Read: ".*"} }

// permission is the name of one of the three permissions.
type permission string

const (
	toConfigure permission = "configure"
	toWrite     permission = "write"
	toRead      permission = "read"
)

// defaultExchangeName is the name of the default exchange in permissions.
const defaultExchangeName = "amq.default"

// grant has the compiled permissions of a user in a virtual host. It is immutable.
type grant struct {
	Permissions
	user                   string
	configure, write, read pattern.Pattern
	impersonator           bool
	topics                 topicGrants // what narrows it by routing keys; nil: nothing does
}

// renewed returns a copy for setGrant.
func (g *grant) renewed() *grant {
	return &grant{Permissions: g.Permissions, configure: g.configure, write: g.write, read: g.read}
}

func newGrant(p Permissions) (*grant, error) {
	g := &grant{Permissions: p}
	for _, n := range [...]struct {
		what permission
		text string
		to   *pattern.Pattern
	}{{toConfigure, p.Configure, &g.configure}, {toWrite, p.Write, &g.write}, {toRead, p.Read, &g.read}} {
		var err error
		if *n.to, err = pattern.New(n.text); err != nil {
			return nil, fmt.Errorf("warren: the permission to %s is not a regular expression that Go knows: %w", n.what, err)
		}
	}
	return g, nil
}

func (g *grant) allows(what permission, name string) bool {
	switch what {
	case toConfigure:
		return g.configure.Allows(name)
	case toWrite:
		return g.write.Allows(name)
	}
	return g.read.Allows(name)
}

// checkUser fails with 406 if the property user_id (said) is not the name of the
// logged-in user (is). A nil grant belongs to a user that only the program knows.
func (g *grant) checkUser(said, is string) error {
	if said == is || g != nil && g.impersonator {
		return nil
	}
	return failure(wire.BasicPublishID, wire.CodePreconditionFailed, "user_id property set to '%s' but authenticated user was '%s'", said, is)
}

// grantedExchange is an exchange that a grant allows to publish to.
type grantedExchange struct {
	grant    *grant
	exchange string
}
