package warren

import (
	"fmt"

	"github.com/warrenmq/warren/internal/pattern"
	"github.com/warrenmq/warren/internal/wire"
)

// Permissions say what a user may do in a virtual host: each is a regular
// expression (RE2) that a name must match in some part of it, as in RabbitMQ
// and LavinMQ. An empty one matches nothing, ".*" everything. The default
// exchange goes by the name of amq.default.
//
//	declare, delete         configure on the queue or exchange
//	bind, unbind            write on the destination, read on the source
//	publish                 write on the exchange
//	consume, get, purge     read on the queue
//	an alternate exchange   read on the exchange, write on the alternate
//	a dead-letter exchange  read on the queue, write on the exchange
//
// The direct reply-to pseudo-queue needs none.
type Permissions struct {
	Configure string
	Write     string
	Read      string
}

// AllPermissions allow everything in a virtual host.
func AllPermissions() Permissions { return Permissions{Configure: ".*", Write: ".*", Read: ".*"} }

// permission is one of the three.
type permission string

const (
	toConfigure permission = "configure"
	toWrite     permission = "write"
	toRead      permission = "read"
)

// defaultExchangeName is what permissions call the default exchange.
const defaultExchangeName = "amq.default"

// grant is what a user may do in a virtual host, ready to be asked. It is never
// changed.
type grant struct {
	Permissions
	user                   string
	configure, write, read pattern.Pattern
	impersonator           bool
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

// checkUser refuses a message that somebody says another has published. A nil
// grant is of a user that only the host knows.
func (g *grant) checkUser(said, is string) error {
	if said == is || g != nil && g.impersonator {
		return nil
	}
	return failure(wire.BasicPublishID, wire.CodePreconditionFailed, "user_id property set to '%s' but authenticated user was '%s'", said, is)
}

// writable is an exchange that a grant let somebody publish to.
type grantedExchange struct {
	grant    *grant
	exchange string
}
