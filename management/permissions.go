package management

import (
	"errors"
	"net/http"

	"github.com/warrenmq/warren"
)

func permissionRoutes() []route {
	return []route{
		{path: "permissions", access: administrators, get: (*call).listPermissions},
		{path: "permissions/{vhost}/{user}", access: administrators, get: (*call).getPermission, put: (*call).putPermission, delete: (*call).deletePermission},
		{path: "vhosts/{vhost}/permissions", access: administrators, get: (*call).listPermissions},
		{path: "users/{user}/permissions", access: administrators, get: (*call).listUserPermissions},
		{path: "topic-permissions", access: administrators, get: (*call).listTopicPermissions},
		{path: "topic-permissions/{vhost}/{user}", access: administrators, get: (*call).getTopicPermissions, put: (*call).putTopicPermission, delete: (*call).deleteTopicPermissions},
		{path: "topic-permissions/{vhost}/{user}/{exchange}", access: administrators, get: (*call).getTopicPermission, delete: (*call).deleteTopicPermission},
		{path: "vhosts/{vhost}/topic-permissions", access: administrators, get: (*call).listTopicPermissions},
		{path: "users/{user}/topic-permissions", access: administrators, get: (*call).listUserTopicPermissions},
	}
}

// permission is what a user may do in a virtual host.
type permission struct {
	warren.Permissions
	user, vhost string
}

func writePermission(f *fields, p *permission) {
	f.str("user", p.user)
	f.str("vhost", p.vhost)
	f.str("configure", p.Configure)
	f.str("write", p.Write)
	f.str("read", p.Read)
}

// permissionsIn returns the permissions of users in virtual hosts.
func permissionsIn(vhosts []*warren.VirtualHost, users []warren.User) []permission {
	var all []permission
	for _, v := range vhosts {
		for _, u := range users {
			if p, ok := v.Permissions(u.Name); ok {
				all = append(all, permission{p, u.Name, v.Name()})
			}
		}
	}
	return all
}

func (c *call) writePermissions(items []permission) error {
	return writeList(c, list[permission]{items: items, name: func(p *permission) string { return p.user }, write: writePermission})
}

func (c *call) listPermissions() error {
	vhosts, err := c.vhosts()
	if err != nil {
		return err
	}
	return c.writePermissions(permissionsIn(vhosts, c.broker.Users()))
}

func (c *call) listUserPermissions() error {
	u, ok := c.userOf(c.names[0])
	if !ok {
		return errNotFound
	}
	return c.writePermissions(permissionsIn(c.broker.VirtualHosts(), []warren.User{u}))
}

// permissionOf returns the virtual host and the permissions that the path names.
func (c *call) permissionOf() (*warren.VirtualHost, permission, error) {
	v, err := c.anyVHost(c.names[0])
	if err != nil {
		return nil, permission{}, errNotFound
	}
	p, ok := v.Permissions(c.names[1])
	if !ok {
		return nil, permission{}, errNotFound
	}
	return v, permission{p, c.names[1], v.Name()}, nil
}

func (c *call) getPermission() error {
	_, p, err := c.permissionOf()
	if err != nil {
		return err
	}
	return writeObject(c, &p, writePermission)
}

var errNoVHostOrUser = badRequest("vhost_or_user_not_found")

// userIn returns the virtual host in which the path's user is to get permissions.
func (c *call) userIn() (*warren.VirtualHost, error) {
	v, err := c.anyVHost(c.names[0])
	if err != nil || !c.broker.UserExists(c.names[1]) {
		return nil, errNoVHostOrUser
	}
	return v, nil
}

func (c *call) putPermission() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	v, err := c.userIn()
	if err != nil {
		return err
	}
	var p warren.Permissions
	if err := texts(body, map[string]*string{"configure": &p.Configure, "write": &p.Write, "read": &p.Read}); err != nil {
		return err
	}
	_, exists := v.Permissions(c.names[1])
	if err := v.PermissionsSet(c.names[1], p); err != nil {
		if errors.Is(err, warren.ErrNotFound) {
			return errNoVHostOrUser
		}
		return err
	}
	return c.made(!exists)
}

func (c *call) deletePermission() error {
	v, _, err := c.permissionOf()
	if err != nil {
		return err
	}
	if err := v.PermissionsDelete(c.names[1]); err != nil {
		return errNotFound
	}
	return c.status(http.StatusNoContent)
}

// topicPermission is which routing keys a user may use at a topic exchange.
type topicPermission struct {
	warren.TopicPermissions
	user, vhost string
}

func writeTopicPermission(f *fields, p *topicPermission) {
	exchange := p.Exchange
	if exchange == "" {
		exchange = defaultExchange
	}
	f.str("user", p.user)
	f.str("vhost", p.vhost)
	f.str("exchange", exchange)
	f.str("write", p.Write)
	f.str("read", p.Read)
}

func topicPermissionsIn(vhosts []*warren.VirtualHost, users []warren.User) []topicPermission {
	var all []topicPermission
	for _, v := range vhosts {
		for _, u := range users {
			for _, p := range v.TopicPermissions(u.Name) {
				all = append(all, topicPermission{p, u.Name, v.Name()})
			}
		}
	}
	return all
}

func (c *call) writeTopicPermissions(items []topicPermission) error {
	return writeList(c, list[topicPermission]{items: items, name: func(p *topicPermission) string { return p.user }, write: writeTopicPermission})
}

func (c *call) listTopicPermissions() error {
	vhosts, err := c.vhosts()
	if err != nil {
		return err
	}
	return c.writeTopicPermissions(topicPermissionsIn(vhosts, c.broker.Users()))
}

func (c *call) listUserTopicPermissions() error {
	u, ok := c.userOf(c.names[0])
	if !ok {
		return errNotFound
	}
	return c.writeTopicPermissions(topicPermissionsIn(c.broker.VirtualHosts(), []warren.User{u}))
}

// topicPermissions returns those that the path names: of one exchange, or all of a user.
func (c *call) topicPermissions() (*warren.VirtualHost, []topicPermission, error) {
	v, err := c.anyVHost(c.names[0])
	if err != nil {
		return nil, nil, errNotFound
	}
	var found []topicPermission
	for _, p := range v.TopicPermissions(c.names[1]) {
		if len(c.names) < 3 || p.Exchange == exchangeName(c.names[2]) {
			found = append(found, topicPermission{p, c.names[1], v.Name()})
		}
	}
	if found == nil {
		return nil, nil, errNotFound
	}
	return v, found, nil
}

func (c *call) getTopicPermissions() error {
	_, all, err := c.topicPermissions()
	if err != nil {
		return err
	}
	return c.writeTopicPermissions(all)
}

func (c *call) getTopicPermission() error {
	_, all, err := c.topicPermissions()
	if err != nil {
		return err
	}
	return writeObject(c, &all[0], writeTopicPermission)
}

func (c *call) putTopicPermission() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	v, err := c.userIn()
	if err != nil {
		return err
	}
	var p warren.TopicPermissions
	if err := texts(body, map[string]*string{"exchange": &p.Exchange, "write": &p.Write, "read": &p.Read}); err != nil {
		return err
	}
	p.Exchange = exchangeName(p.Exchange)
	exists := len(v.TopicPermissions(c.names[1])) > 0
	if err := v.TopicPermissionsSet(c.names[1], p); err != nil {
		return err
	}
	return c.made(!exists)
}

func (c *call) deleteTopicPermissions() error {
	v, all, err := c.topicPermissions()
	if err != nil {
		return err
	}
	for _, p := range all {
		if err := v.TopicPermissionsDelete(c.names[1], p.Exchange); err != nil {
			return err
		}
	}
	return c.status(http.StatusNoContent)
}

func (c *call) deleteTopicPermission() error { return c.deleteTopicPermissions() }
