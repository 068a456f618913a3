package management

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/warrenmq/warren"
)

func userRoutes() []route {
	return []route{
		{path: "whoami", access: everyUser, get: (*call).whoami},
		{path: "users", access: administrators, get: (*call).listUsers},
		{path: "users/without-permissions", access: administrators, get: (*call).listUsersWithoutPermissions},
		{path: "users/bulk-delete", access: administrators, post: (*call).deleteUsers},
		{path: "users/{user}", access: administrators, get: (*call).getUser, put: (*call).putUser, delete: (*call).deleteUser},
	}
}

func (c *call) whoami() error {
	return c.object(func(f *fields) {
		f.str("name", c.user.Name)
		f.strings("tags", c.user.Tags)
	})
}

func (c *call) writeUsers(users []warren.User) error {
	return writeList(c, list[warren.User]{items: users, name: func(u *warren.User) string { return u.Name }, write: c.writeUser})
}

func (c *call) listUsers() error { return c.writeUsers(c.broker.Users()) }

func (c *call) listUsersWithoutPermissions() error {
	vhosts := c.broker.VirtualHosts()
	return c.writeUsers(slices.DeleteFunc(c.broker.Users(), func(u warren.User) bool {
		return slices.ContainsFunc(vhosts, func(v *warren.VirtualHost) bool {
			_, ok := v.Permissions(u.Name)
			return ok
		})
	}))
}

func (c *call) getUser() error {
	u, ok := c.userOf(c.names[0])
	if !ok {
		return errNotFound
	}
	return writeObject(c, &u, c.writeUser)
}

func (c *call) writeUser(f *fields, u *warren.User) {
	hash, algorithm, _ := c.broker.UserHash(u.Name) // nothing, if the user has gone
	f.str("name", u.Name)
	f.str("password_hash", hash)
	f.str("hashing_algorithm", cmp.Or(algorithm, "rabbit_password_hashing_sha256"))
	f.strings("tags", u.Tags)
	f.table("limits", nil)
}

func (c *call) putUser() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	name := c.names[0]
	tags, err := tagsOf(body)
	if err != nil {
		return err
	}
	_, exists := c.userOf(name)
	if err := c.declareUser(name, tags, body); err != nil {
		return err
	}
	return c.made(!exists)
}

// declareUser sets the password of a user as the body says: as text or by its hash. A user
// of which it says neither cannot log in, as in RabbitMQ.
func (c *call) declareUser(name string, tags []string, body warren.Table) error {
	_, plain := body["password"]
	_, hashed := body["password_hash"]
	switch {
	case plain && hashed:
		return badRequest("both_password_and_password_hash_are_provided")
	case plain:
		password, err := text(body, "password")
		if err != nil {
			return err
		}
		return c.broker.UserDeclare(name, password, tags...)
	case hashed:
		hash, err := text(body, "password_hash")
		if err != nil {
			return err
		}
		algorithm, _ := body["hashing_algorithm"].(string)
		return c.broker.UserDeclareHash(name, hash, algorithm, tags...)
	}
	return c.broker.UserDeclareHash(name, "", "", tags...)
}

// tagsOf reads tags, which are a list or a text with commas.
func tagsOf(body warren.Table) ([]string, error) {
	v, ok := body["tags"]
	if !ok {
		if v, ok = body["administrator"]; ok && (v == true || v == "true") {
			return []string{warren.Administrator}, nil
		}
		return nil, badRequest("tags_not_present")
	}
	var tags []string
	switch v := v.(type) {
	case string:
		for t := range strings.SplitSeq(v, ",") {
			tags = append(tags, strings.TrimSpace(t))
		}
	case []any:
		for _, t := range v {
			text, ok := t.(string)
			if !ok {
				return nil, badRequest("a tag is not a text")
			}
			tags = append(tags, strings.TrimSpace(text))
		}
	default:
		return nil, badRequest("tags are neither a list nor a text")
	}
	return slices.DeleteFunc(tags, func(t string) bool { return t == "" }), nil
}

func (c *call) deleteUser() error {
	if err := c.broker.UserDelete(c.names[0]); err != nil {
		return errNotFound
	}
	return c.status(http.StatusNoContent)
}

// deleteUsers deletes users up to the first that does not exist, as RabbitMQ does.
func (c *call) deleteUsers() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	if err := needs(body, "users"); err != nil {
		return err
	}
	list, _ := body["users"].([]any)
	for _, n := range list {
		name, _ := n.(string)
		if err := c.broker.UserDelete(name); err != nil {
			return badRequest("no_such_user: %s", name)
		}
	}
	return c.status(http.StatusNoContent)
}
