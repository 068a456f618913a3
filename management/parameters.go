package management

import (
	"net/http"
	"slices"

	"github.com/warrenmq/warren"
)

func parameterRoutes() []route {
	return []route{
		{path: "parameters", access: policymakers, get: (*call).listParameters},
		{path: "parameters/{component}", access: policymakers, get: (*call).listParameters},
		{path: "parameters/{component}/{vhost}", access: policymakers, get: (*call).listParameters},
		{path: "parameters/{component}/{vhost}/{name}", access: policymakers, get: (*call).getParameter, put: (*call).putParameter, delete: (*call).deleteParameter},
		{path: "global-parameters", access: policymakers, get: (*call).listGlobals},
		{path: "global-parameters/{name}", access: policymakers, get: (*call).getGlobal, put: (*call).putGlobal, delete: (*call).deleteGlobal},
		{path: "cluster-name", access: everyUser, write: administrators, get: (*call).getClusterName, put: (*call).putClusterName},
	}
}

// Components of parameters that the broker has.
const (
	limitsComponent   = "vhost-limits"
	operatorComponent = "operator_policy"
)

// parameter is a setting of a component in a virtual host.
type parameter struct {
	component, vhost, name string
	policy                 *warren.Policy // of operatorComponent
	limits                 warren.Table   // of limitsComponent
}

func writeParameter(f *fields, p *parameter) {
	if p.policy == nil {
		f.table("value", p.limits)
	} else if f.begin("value") {
		writePolicyBody(f, p.policy)
		f.end()
	}
	f.str("vhost", p.vhost)
	f.str("component", p.component)
	f.str("name", p.name)
}

// parametersOf returns the parameters of a virtual host.
func parametersOf(v *warren.VirtualHost) []parameter {
	var list []parameter
	for _, p := range v.OperatorPolicies() {
		list = append(list, parameter{component: operatorComponent, vhost: v.Name(), name: p.Name, policy: &p})
	}
	if limits := limitsOf(v); len(limits) > 0 {
		list = append(list, parameter{component: limitsComponent, vhost: v.Name(), name: "limits", limits: limits})
	}
	return list
}

func (c *call) listParameters() error {
	component, inVHosts := "", *c
	inVHosts.names = nil
	if len(c.names) > 0 {
		component, inVHosts.names = c.names[0], c.names[1:]
	}
	items, err := collect(&inVHosts, parametersOf)
	if err != nil {
		return err
	}
	if component != "" {
		items = slices.DeleteFunc(items, func(p parameter) bool { return p.component != component })
	}
	return writeList(c, list[parameter]{items: items, name: func(p *parameter) string { return p.name }, write: writeParameter})
}

// parameter returns the parameter that the path names. The virtual host is nil if there
// is none.
func (c *call) parameter() (*warren.VirtualHost, parameter, error) {
	v, err := c.vhost(c.names[1])
	if err != nil {
		return nil, parameter{}, err
	}
	for _, p := range parametersOf(v) {
		if p.component == c.names[0] && p.name == c.names[2] {
			return v, p, nil
		}
	}
	return v, parameter{}, errNotFound
}

func (c *call) getParameter() error {
	_, p, err := c.parameter()
	if err != nil {
		return err
	}
	return writeObject(c, &p, writeParameter)
}

// mayChange refuses components that are for administrators.
func (c *call) mayChange() error {
	switch c.names[0] {
	case limitsComponent, operatorComponent:
		return c.user.may(administrators)
	}
	return badRequest("Validation failed\n\ncomponent %s not found\n", c.names[0])
}

func (c *call) putParameter() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	v, err := c.vhost(c.names[1])
	if err != nil {
		return err
	}
	if err := c.mayChange(); err != nil {
		return err
	}
	if err := require(body, "value"); err != nil {
		return err
	}
	value, ok := body["value"].(warren.Table)
	if !ok {
		return badRequest("Validation failed\n\nvalue should be an object\n")
	}
	if c.names[0] == operatorComponent {
		return operatorPolicies.putIn(c, v, c.names[2], value)
	}
	if c.names[2] != "limits" {
		return badRequest("Validation failed\n\nname not recognised\n")
	}
	var l warren.VirtualHostLimits
	for name := range value {
		n, err := whole(value, name, 0)
		if err != nil {
			return badRequest("Validation failed\n\n%s should be a number\n", name)
		}
		if err := setLimit(&l, name, n); err != nil {
			return err
		}
	}
	c.notes.limits.Lock()
	isNew := v.Limits() == warren.VirtualHostLimits{}
	v.LimitsSet(l)
	c.notes.limits.Unlock()
	return c.made(isNew)
}

func (c *call) deleteParameter() error {
	v, p, err := c.parameter()
	if err != nil {
		return err
	}
	if err := c.mayChange(); err != nil {
		return err
	}
	if p.policy != nil {
		if err := v.OperatorPolicyDelete(p.name); err != nil {
			return errNotFound
		}
	} else {
		v.LimitsSet(warren.VirtualHostLimits{})
	}
	return c.status(http.StatusNoContent)
}

// Bounds of global parameters, which are kept for tools as long as the handler.
const (
	maxGlobals     = 1000
	maxGlobalBytes = 64 << 10
)

// clusterNameParameter is the global parameter that has the name of the cluster.
const clusterNameParameter = "cluster_name"

// global is a global parameter.
type global struct {
	name  string
	value any
}

func writeGlobal(f *fields, g *global) {
	f.str("name", g.name)
	f.any("value", g.value)
}

// all returns the global parameters, sorted by name.
func (n *notes) all() []global {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []global
	for _, name := range sortedKeys(n.globals) {
		list = append(list, global{name, n.globals[name]})
	}
	return list
}

func (n *notes) global(name string) (any, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, ok := n.globals[name]
	return v, ok
}

// set sets a global parameter and reports whether it is new.
func (n *notes) set(name string, value any) (isNew bool, err error) {
	if name == "" || len(name) > 255 {
		return false, badRequest("a global parameter's name has 1 to 255 bytes")
	}
	if len(appendJSON(nil, value)) > maxGlobalBytes {
		return false, badRequest("the value has more than %d bytes", maxGlobalBytes)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	_, exists := n.globals[name]
	if !exists && len(n.globals) >= maxGlobals {
		return false, badRequest("there are %d global parameters, which is the limit", maxGlobals)
	}
	n.globals[name] = value
	return !exists, nil
}

func (c *call) listGlobals() error {
	return writeList(c, list[global]{items: c.notes.all(), name: func(g *global) string { return g.name }, write: writeGlobal})
}

func (c *call) getGlobal() error {
	v, ok := c.notes.global(c.names[0])
	if !ok {
		return errNotFound
	}
	return writeObject(c, &global{c.names[0], v}, writeGlobal)
}

func (c *call) putGlobal() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	if err := require(body, "value"); err != nil {
		return err
	}
	isNew, err := c.notes.set(c.names[0], body["value"])
	if err != nil {
		return err
	}
	return c.made(isNew)
}

func (c *call) deleteGlobal() error {
	c.notes.mu.Lock()
	defer c.notes.mu.Unlock()
	if _, ok := c.notes.globals[c.names[0]]; !ok {
		return errNotFound
	}
	delete(c.notes.globals, c.names[0])
	return c.status(http.StatusNoContent)
}

// clusterName is what somebody has set, or what the options say.
func (h *Handler) clusterName() string {
	if v, _ := h.notes.global(clusterNameParameter); v != nil {
		if name, ok := v.(string); ok {
			return name
		}
	}
	if h.options.ClusterName != "" {
		return h.options.ClusterName
	}
	return h.node
}

func (c *call) getClusterName() error {
	return c.object(func(f *fields) { f.str("name", c.clusterName()) })
}

func (c *call) putClusterName() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	name := ""
	if err := texts(body, map[string]*string{"name": &name}); err != nil {
		return err
	}
	if len(name) > 255 {
		return badRequest("the name has more than 255 bytes")
	}
	if _, err := c.notes.set(clusterNameParameter, name); err != nil {
		return err
	}
	return c.status(http.StatusNoContent)
}
