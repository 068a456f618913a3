package management

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
)

// extraRoutes are what tools ask for, and what is the same for every broker of one node.
func extraRoutes() []route {
	return []route{
		{path: "auth", access: openToAll, get: (*call).auth},
		{path: "login", access: openToAll, post: (*call).checkLogin},
		{path: "auth/attempts/{node}", access: monitors, write: administrators, get: (*call).attempts, delete: (*call).resetAttempts},
		{path: "auth/attempts/{node}/source", access: monitors, write: administrators, get: (*call).emptyList, delete: (*call).resetAttempts},
		{path: "auth/hash_password/{password}", access: administrators, get: (*call).hashPassword},
		{path: "feature-flags", access: administrators, get: (*call).emptyList},
		{path: "deprecated-features", access: administrators, get: (*call).emptyList},
		{path: "deprecated-features/used", access: administrators, get: (*call).emptyList},
		{path: "federation-links", access: monitors, get: (*call).emptyList},
		{path: "federation-links/{vhost}", access: monitors, get: (*call).emptyList},
		{path: "shovels", access: monitors, get: (*call).emptyList},
		{path: "shovels/{vhost}", access: monitors, get: (*call).emptyList},
		{path: "rebalance/queues", access: administrators, post: (*call).nothing},
	}
}

func (c *call) emptyList() error { return c.json([]byte("[]")) }

func (c *call) nothing() error { return c.status(http.StatusNoContent) }

// auth tells a page how to log in: there is no OAuth.
func (c *call) auth() error {
	return c.object(func(f *fields) {
		f.bool("oauth_enabled", false)
		f.bool("enable_uaa", false)
		f.str("uaa_client_id", "")
		f.str("uaa_location", "")
	})
}

// checkLogin tells whether the login of the request is right.
func (c *call) checkLogin() error {
	u, err := c.login(c.r)
	if err != nil {
		return err
	}
	if err := u.may(everyUser); err != nil {
		return err
	}
	return c.object(func(f *fields) {
		f.str("name", u.Name)
		f.strings("tags", u.Tags)
	})
}

// attempts tells of logins over AMQP and HTTP together.
func (c *call) attempts() error {
	if c.names[0] != c.node {
		return errNotFound
	}
	s := c.broker.Stats()
	return writeList(c, list[string]{
		items: []string{"amqp"},
		write: func(f *fields, protocol *string) {
			f.str("protocol", *protocol)
			f.uint64("auth_attempts", s.Logins+s.LoginsRefused)
			f.uint64("auth_attempts_failed", s.LoginsRefused)
			f.uint64("auth_attempts_succeeded", s.Logins)
		},
	})
}

// resetAttempts refuses: others may make rates of these counters.
func (c *call) resetAttempts() error {
	return badRequest("the counters of logins are never set back")
}

// hashPassword returns the hash of a password for definitions and password_hash: four
// bytes of salt, and the SHA-256 digest of salt and password.
func (c *call) hashPassword() error {
	var salt [4]byte
	_, _ = rand.Read(salt[:]) // it never fails
	sum := sha256.Sum256(append(salt[:], c.names[0]...))
	return c.object(func(f *fields) {
		f.str("ok", base64.StdEncoding.EncodeToString(append(salt[:], sum[:]...)))
	})
}
