package management

import (
	"errors"
	"math"
	"net/http"
	"strings"

	"github.com/warrenmq/warren"
)

func policyRoutes() []route {
	return []route{
		{path: "policies", access: everyUser, get: policies.list},
		{path: "policies/{vhost}", access: everyUser, get: policies.list},
		{path: "policies/{vhost}/{name}", access: policymakers, get: policies.get, put: policies.put, delete: policies.delete},
		{path: "operator-policies", access: everyUser, get: operatorPolicies.list},
		{path: "operator-policies/{vhost}", access: everyUser, get: operatorPolicies.list},
		{path: "operator-policies/{vhost}/{name}", access: policymakers, write: administrators, get: operatorPolicies.get, put: operatorPolicies.put, delete: operatorPolicies.delete},
	}
}

// policySet is one of the two sets of policies of a virtual host.
type policySet struct {
	all    func(*warren.VirtualHost) []warren.Policy
	set    func(*warren.VirtualHost, warren.Policy) error
	remove func(*warren.VirtualHost, string) error
}

var (
	policies         = &policySet{(*warren.VirtualHost).Policies, (*warren.VirtualHost).PolicySet, (*warren.VirtualHost).PolicyDelete}
	operatorPolicies = &policySet{(*warren.VirtualHost).OperatorPolicies, (*warren.VirtualHost).OperatorPolicySet, (*warren.VirtualHost).OperatorPolicyDelete}
)

// policy is a policy of a virtual host.
type policy struct {
	warren.Policy
	vhost string
}

func writePolicy(f *fields, p *policy) {
	f.str("vhost", p.vhost)
	f.str("name", p.Name)
	writePolicyBody(f, &p.Policy)
}

func writePolicyBody(f *fields, p *warren.Policy) {
	f.str("pattern", p.Pattern)
	f.str("apply-to", string(p.ApplyTo))
	f.table("definition", p.Definition)
	f.int("priority", p.Priority)
}

func (s *policySet) of(v *warren.VirtualHost) []policy {
	var list []policy
	for _, p := range s.all(v) {
		list = append(list, policy{p, v.Name()})
	}
	return list
}

func (s *policySet) list(c *call) error {
	items, err := collect(c, s.of)
	if err != nil {
		return err
	}
	return writeList(c, list[policy]{items: items, name: func(p *policy) string { return p.Name }, write: writePolicy})
}

// find returns a policy by its name.
func (s *policySet) find(v *warren.VirtualHost, name string) (policy, bool) {
	for _, p := range s.of(v) {
		if p.Name == name {
			return p, true
		}
	}
	return policy{}, false
}

func (s *policySet) get(c *call) error {
	v, err := c.vhost(c.names[0])
	if err != nil {
		return err
	}
	p, ok := s.find(v, c.names[1])
	if !ok {
		return errNotFound
	}
	return writeObject(c, &p, writePolicy)
}

func (s *policySet) put(c *call) error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	v, err := c.vhostToChange(c.names[0])
	if err != nil {
		return err
	}
	return s.putIn(c, v, c.names[1], body)
}

func (s *policySet) putIn(c *call, v *warren.VirtualHost, name string, body warren.Table) error {
	p, err := policyOf(name, body)
	if err != nil {
		return err
	}
	_, exists := s.find(v, name)
	if err := s.set(v, p); err != nil {
		if e, ok := errors.AsType[*warren.Error](err); ok {
			_, problem, _ := strings.Cut(e.Text, ": ")
			return badRequest("Validation failed\n\n%s\n", problem)
		}
		return err
	}
	return c.made(!exists)
}

func policyOf(name string, body warren.Table) (p warren.Policy, err error) {
	if err := needs(body, "pattern", "definition"); err != nil {
		return p, err
	}
	p.Name = name
	if p.Pattern, err = text(body, "pattern"); err != nil {
		return p, err
	}
	var ok bool
	if p.Definition, ok = body["definition"].(warren.Table); !ok {
		return p, badRequest("Validation failed\n\ndefinition should be an object\n")
	}
	switch n := body["priority"].(type) {
	case nil:
	case int64:
		if n < math.MinInt32 || n > math.MaxInt32 {
			return p, badRequest("Validation failed\n\npriority is out of range\n")
		}
		p.Priority = int(n)
	default:
		if p.Priority, err = whole(body, "priority", 0); err != nil {
			return p, badRequest("Validation failed\n\npriority should be a number\n")
		}
	}
	if body["apply-to"] != nil {
		kind, err := text(body, "apply-to")
		if err != nil {
			return p, err
		}
		p.ApplyTo = warren.ApplyTo(kind)
	}
	return p, nil
}

func (s *policySet) delete(c *call) error {
	v, err := c.vhost(c.names[0])
	if err != nil {
		return err
	}
	err = s.remove(v, c.names[1])
	if errors.Is(err, warren.ErrNotFound) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	return c.status(http.StatusNoContent)
}
