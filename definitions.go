package warren

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Definitions are the topology as JSON, in RabbitMQ's shape: export writes it,
// import reads what this package, RabbitMQ and LavinMQ have written.

// DefinitionError tells of an object of a definitions file that could not be
// imported, or not fully. The others were.
type DefinitionError struct {
	Object string // for example: queue 'jobs' in vhost '/'
	Err    error
}

// Error names the object and what is wrong with it.
func (e *DefinitionError) Error() string {
	return fmt.Sprintf("warren: import %s: %s", e.Object, strings.TrimPrefix(e.Err.Error(), "warren: "))
}

// Unwrap is what is wrong, for example an [*Error] with 406 for a queue that
// exists with other properties.
func (e *DefinitionError) Unwrap() error { return e.Err }

const (
	maxDefinitions = 64 << 20  // bytes of a file
	maxObjects     = 1_000_000 // of one section
)

// definitions are a file. A section that is nil is left out.
type definitions struct {
	ProductName      string                             `json:"product_name,omitempty"`
	Users            section[userDefinition]            `json:"users,omitzero"`
	VirtualHosts     section[vhostDefinition]           `json:"vhosts,omitzero"`
	Permissions      section[permissionDefinition]      `json:"permissions,omitzero"`
	TopicPermissions section[topicPermissionDefinition] `json:"topic_permissions,omitzero"`
	Parameters       section[parameterDefinition]       `json:"parameters,omitzero"`
	Policies         section[policyDefinition]          `json:"policies,omitzero"`
	Exchanges        section[exchangeDefinition]        `json:"exchanges,omitzero"`
	Queues           section[queueDefinition]           `json:"queues,omitzero"`
	Bindings         section[bindingDefinition]         `json:"bindings,omitzero"`
}

type userDefinition struct {
	Name             string          `json:"name"`
	PasswordHash     string          `json:"password_hash"`
	HashingAlgorithm string          `json:"hashing_algorithm"`
	OwnHash          string          `json:"warren_password_hash,omitempty"` // that others cannot check
	Password         string          `json:"password,omitempty"`             // never exported
	Tags             tagDefinitions  `json:"tags"`
	Limits           definitionTable `json:"limits,omitempty"`
}

type vhostDefinition struct {
	Name   string          `json:"name"`
	Limits definitionTable `json:"limits"`
}

type permissionDefinition struct {
	User        string `json:"user"`
	VirtualHost string `json:"vhost"`
	Configure   string `json:"configure"`
	Write       string `json:"write"`
	Read        string `json:"read"`
}

type topicPermissionDefinition struct {
	User        string `json:"user"`
	VirtualHost string `json:"vhost"`
	Exchange    string `json:"exchange"`
	Write       string `json:"write"`
	Read        string `json:"read"`
}

// parameterDefinition has the limits of a virtual host as a definitionTable,
// and an operator policy as a *policyDefinition; other values are not read.
type parameterDefinition struct {
	Component   string `json:"component"`
	VirtualHost string `json:"vhost,omitempty"`
	Name        string `json:"name"`
	Value       any    `json:"value"`
}

// policyDefinition is without a name and a virtual host as a parameter's value.
type policyDefinition struct {
	Name        string          `json:"name,omitempty"`
	VirtualHost string          `json:"vhost,omitempty"`
	Pattern     string          `json:"pattern"`
	ApplyTo     ApplyTo         `json:"apply-to"`
	Priority    int             `json:"priority"`
	Definition  definitionTable `json:"definition"`
}

type exchangeDefinition struct {
	Name        string          `json:"name"`
	VirtualHost string          `json:"vhost,omitempty"`
	Type        ExchangeType    `json:"type"`
	Durable     bool            `json:"durable"`
	AutoDelete  bool            `json:"auto_delete"`
	Internal    bool            `json:"internal"`
	Arguments   definitionTable `json:"arguments"`
}

type queueDefinition struct {
	Name        string          `json:"name"`
	VirtualHost string          `json:"vhost,omitempty"`
	Type        string          `json:"type"` // for people: x-queue-type counts
	Durable     bool            `json:"durable"`
	AutoDelete  bool            `json:"auto_delete"`
	Arguments   definitionTable `json:"arguments"`
}

type bindingDefinition struct {
	Source          string          `json:"source"`
	VirtualHost     string          `json:"vhost,omitempty"`
	Destination     string          `json:"destination"`
	DestinationType string          `json:"destination_type"`
	RoutingKey      string          `json:"routing_key"`
	Arguments       definitionTable `json:"arguments"`
	Void            []string        `json:"warren_void_arguments,omitempty"` // that ask for presence only

	canonical string // form of the arguments, to sort by
}

const (
	toAQueue     = "queue"
	toAnExchange = "exchange"

	// Components of parameters.
	limitsComponent   = "vhost-limits"
	operatorComponent = "operator_policy"
)

// write is what export gives.
func (d *definitions) write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return fmt.Errorf("warren: export definitions: %w", err)
	}
	return nil
}

// readDefinitions reads a file of at most limit bytes, and looks at all of it
// before anything is made.
func readDefinitions(r io.Reader, limit int) (*definitions, error) {
	text, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	var d *definitions
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err == nil && d == nil {
		err = errors.New("null is not an object")
	}
	if err != nil {
		return nil, fmt.Errorf("warren: read definitions: %w", err)
	}
	return d, nil
}

// section is a list of definitions of one kind.
type section[T any] []T

// UnmarshalJSON bounds the number of definitions before there is any.
func (s *section[T]) UnmarshalJSON(text []byte) error {
	if countElements(text) > maxObjects {
		return fmt.Errorf("a section has more than %d objects", maxObjects)
	}
	var fresh []T
	err := json.Unmarshal(text, &fresh)
	if err == nil {
		*s = fresh
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil {
		return err
	}
	for i, one := range list { // which one it was is worth another look
		if err := json.Unmarshal(one, new(T)); err != nil {
			return fmt.Errorf("object %d of a section: %w", i+1, err)
		}
	}
	return err
}

// countElements counts those of a list, at most one too many; text is valid
// JSON.
func countElements(text []byte) int {
	n, depth := 1, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth == 1 {
				n++
			}
		case '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		}
	}
	return n
}

// UnmarshalJSON reads the value as its component wants it.
func (p *parameterDefinition) UnmarshalJSON(text []byte) error {
	type plain parameterDefinition
	read := struct {
		*plain
		Value json.RawMessage `json:"value"`
	}{(*plain)(p), nil}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	switch p.Component {
	case limitsComponent:
		p.Value = new(definitionTable)
	case operatorComponent:
		p.Value = new(policyDefinition)
	default:
		p.Value = nil
		return nil
	}
	if read.Value == nil {
		return fmt.Errorf("a parameter of component %s has no value", p.Component)
	}
	return json.Unmarshal(read.Value, p.Value)
}

// tagDefinitions are a list, or in old RabbitMQ and LavinMQ one text with
// commas.
type tagDefinitions []string

func (t *tagDefinitions) UnmarshalJSON(text []byte) error {
	var list []string
	if text[0] == '"' {
		var s string
		if err := json.Unmarshal(text, &s); err != nil {
			return err
		}
		list = strings.Split(s, ",")
	} else if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	*t = nil
	for _, tag := range list {
		if tag = strings.TrimSpace(tag); tag != "" {
			*t = append(*t, tag)
		}
	}
	return nil
}
