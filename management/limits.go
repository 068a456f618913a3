package management

import (
	"net/http"

	"github.com/warrenmq/warren"
)

func limitRoutes() []route {
	return []route{
		{path: "user-limits", access: everyUser, get: (*call).emptyList},
		{path: "user-limits/{user}", access: everyUser, get: (*call).listUserLimits},
		{path: "user-limits/{user}/{name}", access: administrators, put: (*call).putUserLimit, delete: (*call).deleteUserLimit},
		{path: "vhost-limits", access: everyUser, get: (*call).listLimits},
		{path: "vhost-limits/{vhost}", access: everyUser, get: (*call).listLimits},
		{path: "vhost-limits/{vhost}/{name}", access: administrators, put: (*call).putLimit, delete: (*call).deleteLimit},
	}
}

// listUserLimits answers that there are none: the broker does not limit users.
func (c *call) listUserLimits() error {
	if !c.broker.UserExists(c.names[0]) {
		return errNotFound
	}
	return c.emptyList()
}

// putUserLimit refuses a limit that nobody would obey.
func (c *call) putUserLimit() error {
	if !c.broker.UserExists(c.names[0]) {
		return badRequest("no_such_user: %s", c.names[0])
	}
	return badRequest("limits of users are not supported; those of virtual hosts are")
}

func (c *call) deleteUserLimit() error {
	if !c.broker.UserExists(c.names[0]) {
		return badRequest("no_such_user: %s", c.names[0])
	}
	return c.nothing()
}

// limitsOf returns the limits of a virtual host by their names, as RabbitMQ writes them:
// zero allows nothing.
func limitsOf(v *warren.VirtualHost) warren.Table {
	l := v.Limits()
	t := warren.Table{}
	for name, n := range map[string]int{"max-connections": l.MaxConnections, "max-queues": l.MaxQueues} {
		if n != 0 {
			t[name] = max(0, n)
		}
	}
	return t
}

// setLimit sets one limit. RabbitMQ takes a negative one for none.
func setLimit(l *warren.VirtualHostLimits, name string, n int) error {
	if n == 0 {
		n = -1
	} else if n < 0 {
		n = 0
	}
	switch name {
	case "max-connections":
		l.MaxConnections = n
	case "max-queues":
		l.MaxQueues = n
	default:
		return badRequest("Validation failed\n\nUnrecognised terms [%s] in limits\n", name)
	}
	return nil
}

func (c *call) listLimits() error {
	vhosts, err := c.limitedVHosts()
	if err != nil {
		return err
	}
	return writeList(c, list[*warren.VirtualHost]{
		items: vhosts,
		name:  func(v **warren.VirtualHost) string { return (*v).Name() },
		write: func(f *fields, v **warren.VirtualHost) {
			f.str("vhost", (*v).Name())
			f.table("value", limitsOf(*v))
		},
	})
}

// limitedVHosts returns the virtual hosts with limits. Monitors may ask for those of any.
func (c *call) limitedVHosts() ([]*warren.VirtualHost, error) {
	all := *c
	if c.user.level >= monitors && len(c.names) > 0 {
		all.user.level = administrators
	}
	vhosts, err := all.vhosts()
	if err != nil {
		return nil, err
	}
	var limited []*warren.VirtualHost
	for _, v := range vhosts {
		if v.Limits() != (warren.VirtualHostLimits{}) {
			limited = append(limited, v)
		}
	}
	return limited, nil
}

func (c *call) putLimit() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	if err := needs(body, "value"); err != nil {
		return err
	}
	n, err := whole(body, "value", 0)
	if err != nil {
		return badRequest("Validation failed\n\n%s should be a number\n", c.names[1])
	}
	return c.changeLimit(n)
}

func (c *call) deleteLimit() error { return c.changeLimit(-1) }

// changeLimit changes the limit that the path names.
func (c *call) changeLimit(n int) error {
	v, err := c.anyVHost(c.names[0])
	if err != nil {
		return err
	}
	c.notes.limits.Lock() // so that two changes of one virtual host do not undo each other
	defer c.notes.limits.Unlock()
	l := v.Limits()
	if err := setLimit(&l, c.names[1], n); err != nil {
		return err
	}
	v.LimitsSet(l)
	return c.status(http.StatusNoContent)
}
