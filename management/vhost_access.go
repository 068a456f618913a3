package management

import (
	"context"
	"errors"
	"net/http"

	"github.com/warrenmq/warren"
)

var errNoVHostAccess = notAuthorised("User not authorised to access virtual host")

// enters reports whether the user has permissions in a virtual host.
func (c *call) enters(v *warren.VirtualHost) bool {
	if c.user.everywhere {
		return true
	}
	_, ok := v.Permissions(c.user.Name)
	return ok
}

// vhost returns the virtual host of a name in the path. The user must be an administrator
// or have permissions in it.
func (c *call) vhost(name string) (*warren.VirtualHost, error) {
	v, err := c.anyVHost(name)
	if err != nil {
		return nil, errNotFound
	}
	if c.user.level < administrators && !c.enters(v) {
		return nil, errNoVHostAccess
	}
	return v, nil
}

// vhostToChange is vhost for changes, of which RabbitMQ says what is not there.
func (c *call) vhostToChange(name string) (*warren.VirtualHost, error) {
	v, err := c.vhost(name)
	if errors.Is(err, errNotFound) {
		err = errVHostNotFound
	}
	return v, err
}

// anyVHost returns a virtual host, whoever asks.
func (c *call) anyVHost(name string) (*warren.VirtualHost, error) {
	if name == "" {
		return nil, errVHostNotFound
	}
	v, err := c.broker.VirtualHost(name)
	switch {
	case errors.Is(err, warren.ErrNotAllowed):
		return nil, errVHostNotFound
	case err != nil:
		return nil, err
	}
	return v, nil
}

// vhosts returns the virtual hosts whose content the user may see: those with permissions,
// or all for administrators. If the path names one, it is that alone.
func (c *call) vhosts() ([]*warren.VirtualHost, error) {
	if len(c.names) > 0 {
		v, err := c.vhost(c.names[0])
		if err != nil {
			return nil, err
		}
		return []*warren.VirtualHost{v}, nil
	}
	var list []*warren.VirtualHost
	for _, v := range c.broker.VirtualHosts() {
		if c.user.level == administrators || c.enters(v) {
			list = append(list, v)
		}
	}
	return list, nil
}

// named returns the virtual hosts that the user may know of: monitors know all.
func (c *call) named() []*warren.VirtualHost {
	if c.user.level >= monitors {
		return c.broker.VirtualHosts()
	}
	list, _ := c.vhosts() // it fails for a path that names one only
	return list
}

// collect returns what all virtual hosts have that the request is about.
func collect[T any](c *call, of func(*warren.VirtualHost) []T) ([]T, error) {
	vhosts, err := c.vhosts()
	if err != nil {
		return nil, err
	}
	var all []T
	for _, v := range vhosts {
		some := of(v)
		if len(vhosts) == 1 {
			return some, nil
		}
		all = append(all, some...)
	}
	return all, nil
}

// channel calls do with a channel of the user, so that the permissions of the user
// count. What do leaves unsettled returns to its queues.
func (c *call) channel(vhost string, do func(ctx context.Context, v *warren.VirtualHost, ch *warren.Channel) error) error {
	v, err := c.anyVHost(vhost)
	if err != nil {
		return err
	}
	if !c.enters(v) {
		return errNoVHostAccess
	}
	open := func() (*warren.Session, error) { return v.SessionFor(c.user.Name) }
	if c.user.everywhere {
		open = v.Session
	}
	s, err := open()
	if errors.Is(err, warren.ErrNotAllowed) {
		return newError(http.StatusUnauthorized, "not_authorised", textOf(err))
	}
	if err != nil {
		return err
	}
	defer s.Close()
	ch, err := s.Channel()
	if err != nil {
		return err
	}
	return do(c.r.Context(), v, ch)
}

func textOf(err error) string {
	if e, ok := errors.AsType[*warren.Error](err); ok {
		return e.Text
	}
	return err.Error()
}
