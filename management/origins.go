package management

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// origins decides which pages may use the API. A browser sends the login that it has
// along with requests that a page of another site makes, so these are refused.
type origins struct {
	all   bool
	allow []string
}

func newOrigins(allow []string) *origins {
	return &origins{all: slices.Contains(allow, "*"), allow: allow}
}

// admit reports whether the request may go on. Otherwise it has answered.
func (o *origins) admit(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin != "" && (o.all || slices.Contains(o.allow, origin)) {
		o.allowed(w.Header(), origin)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			w.WriteHeader(http.StatusNoContent)
			return false
		}
		return true
	}
	if !foreign(r, origin) {
		return true
	}
	f := &fields{}
	f.open()
	f.str("error", "forbidden")
	f.str("reason", "Pages of other sites may not use this API")
	f.close()
	send(w, r, http.StatusForbidden, f.out)
	return false
}

func (o *origins) allowed(header http.Header, origin string) {
	if o.all {
		header.Set("Access-Control-Allow-Origin", "*")
	} else {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Allow-Credentials", "true")
	}
	header.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS")
	header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Reason, X-Warren-UI")
	header.Set("Access-Control-Max-Age", "600")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
}

// foreign reports whether a page of another site made the request. Programs that are no
// browsers send neither header.
func foreign(r *http.Request, origin string) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
	default:
		return true
	}
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(u.Host, r.Host)
}
