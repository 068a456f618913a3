package management

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// route is a path of the API and what its methods do. A segment of the path in braces
// stands for any one name. net/http.ServeMux cannot tell these paths apart, because it
// takes the name "/" for the end of a path.
type route struct {
	path   string
	access access // who may read; and who may do the rest, unless write says otherwise
	write  access // zero: as access
	get    func(*call) error
	put    func(*call) error
	post   func(*call) error
	delete func(*call) error
}

// routeNode is a segment of the paths.
type routeNode struct {
	fixed map[string]*routeNode
	name  *routeNode // any other segment
	route *route
}

func newRoutes() *routeNode {
	top := new(routeNode)
	for _, r := range slices.Concat(
		overviewRoutes(), connectionRoutes(), channelRoutes(), consumerRoutes(), queueRoutes(), userRoutes(),
		exchangeRoutes(), bindingRoutes(), messageRoutes(), vhostRoutes(),
		permissionRoutes(), policyRoutes(), limitRoutes(), parameterRoutes(), definitionRoutes(),
		nodeRoutes(), healthRoutes(), extraRoutes(), rpcRoutes(), rightsRoutes(), eventRoutes(),
	) {
		top.add(&r)
	}
	return top
}

func (n *routeNode) add(r *route) {
	for part := range strings.SplitSeq(r.path, "/") {
		if strings.HasPrefix(part, "{") {
			if n.name == nil {
				n.name = new(routeNode)
			}
			n = n.name
			continue
		}
		next := n.fixed[part]
		if next == nil {
			if n.fixed == nil {
				n.fixed = make(map[string]*routeNode)
			}
			next = new(routeNode)
			n.fixed[part] = next
		}
		n = next
	}
	n.route = r
}

// maxSegments is more than any route has.
const maxSegments = 12

// find returns the route of a path, which is still escaped, and the names in it. It
// returns nil if there is none.
func (n *routeNode) find(path string) (*route, []string) {
	parts := strings.SplitN(path, "/", maxSegments+1)
	if len(parts) > maxSegments {
		return nil, nil
	}
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil {
			return nil, nil
		}
		parts[i] = text
	}
	names := make([]string, 0, len(parts))
	if r := n.walk(parts, &names); r != nil {
		return r, names
	}
	return nil, nil
}

// walk prefers fixed segments to names.
func (n *routeNode) walk(parts []string, names *[]string) *route {
	if len(parts) == 0 {
		return n.route
	}
	if next := n.fixed[parts[0]]; next != nil {
		if r := next.walk(parts[1:], names); r != nil {
			return r
		}
	}
	if n.name == nil {
		return nil
	}
	*names = append(*names, parts[0])
	if r := n.name.walk(parts[1:], names); r != nil {
		return r
	}
	*names = (*names)[:len(*names)-1]
	return nil
}

// allow lists the methods of a route for the header Allow.
func (r *route) allow() string {
	var list []string
	for _, m := range [...]struct {
		name string
		do   func(*call) error
	}{{"HEAD, GET", r.get}, {"POST", r.post}, {"PUT", r.put}, {"DELETE", r.delete}} {
		if m.do != nil {
			list = append(list, m.name)
		}
	}
	return strings.Join(append(list, "OPTIONS"), ", ")
}

// method returns what a method does, and who may do it.
func (r *route) method(name string) (func(*call) error, access) {
	write := r.write
	if write == openToAll {
		write = r.access
	}
	switch name {
	case http.MethodGet, http.MethodHead:
		return r.get, r.access
	case http.MethodPost:
		return r.post, write
	case http.MethodPut:
		return r.put, write
	case http.MethodDelete:
		return r.delete, write
	}
	return nil, r.access
}
