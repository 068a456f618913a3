package management

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/warrenmq/warren"
)

// access says who may use a route.
type access int

const (
	openToAll access = iota
	// everyUser has one of the tags.
	everyUser
	policymakers
	monitors
	administrators
)

// user is who sent a request.
type user struct {
	warren.User
	level access // the highest that the tags give; zero: none
	// everywhere is set for a user of the host that the broker does not know: the broker
	// does not check its permissions.
	everywhere bool
}

func levelOf(tags []string) access {
	level := openToAll
	for _, t := range tags {
		switch t {
		case warren.Management:
			level = max(level, everyUser)
		case warren.Policymaker:
			level = max(level, policymakers)
		case warren.Monitoring:
			level = max(level, monitors)
		case warren.Administrator:
			level = administrators
		}
	}
	return level
}

// may checks the tags of the user. Policymaker and monitoring do not include each
// other: RabbitMQ lets a user with the tag monitoring set no policies.
func (u *user) may(a access) error {
	switch {
	case u.level == openToAll:
		return notAuthorised("Not management user")
	case a == administrators && u.level != administrators:
		return notAuthorised("Not administrator user")
	case a == monitors && u.level < monitors:
		return notAuthorised("Not monitor user")
	case a == policymakers && u.level != administrators && !slices.Contains(u.Tags, warren.Policymaker):
		return notAuthorised("User not authorised to access object")
	}
	return nil
}

// login finds out who sent a request.
func (h *Handler) login(r *http.Request) (user, error) {
	if h.options.Authenticate != nil {
		u, ok := h.options.Authenticate(r)
		if !ok {
			return user{}, errNoCredentials
		}
		known, isKnown := h.userOf(u.Name)
		if len(u.Tags) == 0 {
			u.Tags = known.Tags
		}
		return user{User: u, level: levelOf(u.Tags), everywhere: !isKnown}, nil
	}
	name, password, ok := r.BasicAuth()
	if !ok {
		return user{}, errNoCredentials
	}
	if name == warren.Guest && !isLocal(r) {
		return user{}, errGuest
	}
	if err := h.broker.AuthenticateFrom(r.Context(), name, password, originOf(r)); err != nil {
		return user{}, errLoginFailed
	}
	u, ok := h.userOf(name)
	if !ok {
		return user{}, errLoginFailed
	}
	return user{User: u, level: levelOf(u.Tags)}, nil
}

var (
	errNoCredentials = &apiError{status: http.StatusUnauthorized, asks: true}
	errLoginFailed   = &apiError{http.StatusUnauthorized, "not_authorized", "Not_Authorized", true}
	errGuest         = newError(http.StatusUnauthorized, "not_authorised", "User can only log in via localhost")
)

func (h *Handler) userOf(name string) (warren.User, bool) {
	users := h.broker.Users()
	i, ok := slices.BinarySearchFunc(users, name, func(u warren.User, name string) int { return strings.Compare(u.Name, name) })
	if !ok {
		return warren.User{}, false
	}
	return users[i], true
}

// isLocal reports whether a request comes from this machine and was meant for it. What a
// proxy passes on comes from elsewhere. A name that is not this machine's could be that
// of a page of another site, whose name server gives it this machine's address.
func isLocal(r *http.Request) bool {
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// originOf names where a request came from, so that addresses take turns.
func originOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
