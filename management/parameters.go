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

// pluginComponents are components of RabbitMQ's plug-ins. Their parameters are kept for
// tools that set and compare them, as long as the handler. Nothing acts on them.
var pluginComponents = []string{"federation-upstream", "federation-upstream-set", "shovel"}

// parameter is a setting of a component in a virtual host.
type parameter struct {
	component, vhost, name string
	policy                 *warren.Policy // of operatorComponent
	value                  any            // of the others
}

func writeParameter(f *fields, p *parameter) {
	if p.policy == nil {
		f.any("value", p.value)
	} else if f.begin("value") {
		writePolicyBody(f, p.policy)
		f.end()
	}
	f.str("vhost", p.vhost)
	f.str("component", p.component)
	f.str("name", p.name)
}

// parametersOf returns the parameters of a virtual host.
func (h *Handler) parametersOf(v *warren.VirtualHost) []parameter {
	list := h.notes.pluginsOf(v)
	for _, p := range v.OperatorPolicies() {
		list = append(list, parameter{component: operatorComponent, vhost: v.Name(), name: p.Name, policy: &p})
	}
	if limits := limitsOf(v); len(limits) > 0 {
		list = append(list, parameter{component: limitsComponent, vhost: v.Name(), name: "limits", value: limits})
	}
	return list
}

func (c *call) listParameters() error {
	component, inVHosts := "", *c
	inVHosts.names = nil
	if len(c.names) > 0 {
		component, inVHosts.names = c.names[0], c.names[1:]
	}
	items, err := collect(&inVHosts, c.parametersOf)
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
	for _, p := range c.parametersOf(v) {
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
	if slices.Contains(pluginComponents, c.names[0]) {
		return nil
	}
	return badRequest("Validation failed\n\ncomponent %s not found\n", c.names[0])
}

func (c *call) putParameter() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	v, err := c.vhostToChange(c.names[1])
	if err != nil {
		return err
	}
	if err := c.mayChange(); err != nil {
		return err
	}
	if err := needs(body, "value"); err != nil {
		return err
	}
	if slices.Contains(pluginComponents, c.names[0]) {
		if err := checkUpstream(c.names[0], body["value"]); err != nil {
			return err
		}
		isNew, err := c.notes.setPlugin(pluginKey{v, c.names[0], c.names[2]}, body["value"])
		if err != nil {
			return err
		}
		return c.made(isNew)
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

// checkUpstream wants the address of an upstream, as the plug-in does.
func checkUpstream(component string, value any) error {
	if component != "federation-upstream" {
		return nil
	}
	upstream, ok := value.(warren.Table)
	if !ok {
		return badRequest("Validation failed\n\nvalue should be an object\n")
	}
	switch uri := upstream["uri"].(type) {
	case string:
		return nil
	case []any:
		if len(uri) > 0 {
			return nil
		}
	}
	return badRequest("Validation failed\n\nKey \"uri\" not found in upstream\n")
}

func (c *call) deleteParameter() error {
	v, p, err := c.parameter()
	if err != nil {
		return err
	}
	if err := c.mayChange(); err != nil {
		return err
	}
	if slices.Contains(pluginComponents, p.component) {
		c.notes.removePlugin(pluginKey{v, p.component, p.name})
	} else if p.policy != nil {
		if err := v.OperatorPolicyDelete(p.name); err != nil {
			return errNotFound
		}
	} else {
		v.LimitsSet(warren.VirtualHostLimits{})
	}
	return c.status(http.StatusNoContent)
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
	if err := needs(body, "value"); err != nil {
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
