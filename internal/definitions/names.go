package definitions

import (
	"fmt"

	"github.com/warrenmq/warren/internal/names"
)

// called returns a text that names an object for people.
func called(kind, name, vhost string) string {
	text := kind + " '" + names.Shorten(name) + "'"
	if vhost != "" {
		text += " in vhost '" + names.Shorten(vhost) + "'"
	}
	return text
}

// String names the object for people.
func (u *User) String() string { return called("user", u.Name, "") }

// String names the object for people.
func (v *VirtualHost) String() string { return called("vhost", v.Name, "") }

// String names the object for people.
func (p *Permission) String() string { return called("permissions of user", p.User, p.VirtualHost) }

// String names the object for people.
func (p *TopicPermission) String() string {
	return called("topic permissions on exchange '"+names.Shorten(p.Exchange)+"' of user", p.User, p.VirtualHost)
}

// String names the object for people.
func (p *Parameter) String() string {
	return called("parameter '"+names.Shorten(p.Name)+"' of component", p.Component, p.VirtualHost)
}

// String names the object for people.
func (p *Policy) String() string { return called("policy", p.Name, p.VirtualHost) }

// String names the object for people.
func (x *Exchange) String() string { return called("exchange", x.Name, x.VirtualHost) }

// String names the object for people.
func (q *Queue) String() string { return called("queue", q.Name, q.VirtualHost) }

// String names the object for people.
func (b *Binding) String() string {
	what := fmt.Sprintf("binding from exchange '%s' by key '%s' to %s", names.Shorten(b.Source), names.Shorten(b.RoutingKey), names.Shorten(b.DestinationType))
	return called(what, b.Destination, b.VirtualHost)
}
