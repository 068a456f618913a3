// Package definitions reads and writes a topology as JSON, in RabbitMQ's format.
package definitions

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of a file.
const (
	MaxSize    = 64 << 20  // bytes of a file
	MaxObjects = 1_000_000 // objects of one section
)

// File is a definitions file. A section that is nil is left out.
type File struct {
	ProductName      string                   `json:"product_name,omitempty"`
	Users            Section[User]            `json:"users,omitzero"`
	VirtualHosts     Section[VirtualHost]     `json:"vhosts,omitzero"`
	Permissions      Section[Permission]      `json:"permissions,omitzero"`
	TopicPermissions Section[TopicPermission] `json:"topic_permissions,omitzero"`
	Parameters       Section[Parameter]       `json:"parameters,omitzero"`
	Policies         Section[Policy]          `json:"policies,omitzero"`
	Exchanges        Section[Exchange]        `json:"exchanges,omitzero"`
	Queues           Section[Queue]           `json:"queues,omitzero"`
	Bindings         Section[Binding]         `json:"bindings,omitzero"`
}

// User is a user.
type User struct {
	Name             string `json:"name"`
	PasswordHash     string `json:"password_hash"`
	HashingAlgorithm string `json:"hashing_algorithm"`
	OwnHash          string `json:"warren_password_hash,omitempty"` // hash that only Warren can check
	Password         string `json:"password,omitempty"`             // never exported
	Tags             Tags   `json:"tags"`
	Limits           Table  `json:"limits,omitempty"`
}

// VirtualHost is a virtual host.
type VirtualHost struct {
	Name   string `json:"name"`
	Limits Table  `json:"limits"`
}

// Permission is what a user may do in a virtual host, by patterns of names.
type Permission struct {
	User        string `json:"user"`
	VirtualHost string `json:"vhost"`
	Configure   string `json:"configure"`
	Write       string `json:"write"`
	Read        string `json:"read"`
}

// TopicPermission is which routing keys a user may use at a topic exchange.
type TopicPermission struct {
	User        string `json:"user"`
	VirtualHost string `json:"vhost"`
	Exchange    string `json:"exchange"`
	Write       string `json:"write"`
	Read        string `json:"read"`
}

// Parameter is a parameter of a component. The value of LimitsComponent is a *Table,
// that of OperatorComponent a *Policy. Values of other components are not read.
type Parameter struct {
	Component   string `json:"component"`
	VirtualHost string `json:"vhost,omitempty"`
	Name        string `json:"name"`
	Value       any    `json:"value"`
}

// Policy is a policy. As the value of a Parameter it has no name and no virtual host.
type Policy struct {
	Name        string `json:"name,omitempty"`
	VirtualHost string `json:"vhost,omitempty"`
	Pattern     string `json:"pattern"`
	ApplyTo     string `json:"apply-to"`
	Priority    int    `json:"priority"`
	Definition  Table  `json:"definition"`
}

// Exchange is an exchange.
type Exchange struct {
	Name        string `json:"name"`
	VirtualHost string `json:"vhost,omitempty"`
	Type        string `json:"type"`
	Durable     bool   `json:"durable"`
	AutoDelete  bool   `json:"auto_delete"`
	Internal    bool   `json:"internal"`
	Arguments   Table  `json:"arguments"`
}

// Queue is a queue.
type Queue struct {
	Name        string `json:"name"`
	VirtualHost string `json:"vhost,omitempty"`
	Type        string `json:"type"` // for people; only the argument x-queue-type counts
	Durable     bool   `json:"durable"`
	AutoDelete  bool   `json:"auto_delete"`
	Arguments   Table  `json:"arguments"`
}

// Binding is a binding of a queue or an exchange to an exchange.
type Binding struct {
	Source          string   `json:"source"`
	VirtualHost     string   `json:"vhost,omitempty"`
	Destination     string   `json:"destination"`
	DestinationType string   `json:"destination_type"`
	RoutingKey      string   `json:"routing_key"`
	Arguments       Table    `json:"arguments"`
	Void            []string `json:"warren_void_arguments,omitempty"` // names of arguments that are void, which match any value

	Canonical string `json:"-"` // canonical form of the arguments, to sort by
}

// Words in a definitions file.
const (
	// Types of destinations of bindings.
	ToQueue    = "queue"
	ToExchange = "exchange"

	// Components of parameters.
	LimitsComponent   = "vhost-limits"
	OperatorComponent = "operator_policy"
)

// Write writes the file as JSON. It fails with w's error.
func (d *File) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return fmt.Errorf("warren: export definitions: %w", err)
	}
	return nil
}

// Read reads a file of at most limit bytes. It fails with r's error, or if the file is
// too large or malformed.
func Read(r io.Reader, limit int) (*File, error) {
	text, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	var d *File
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

// Section is a list of objects of one kind.
type Section[T any] []T

// UnmarshalJSON checks the number of objects before it makes any.
func (s *Section[T]) UnmarshalJSON(text []byte) error {
	if countElements(text) > MaxObjects {
		return fmt.Errorf("a section has more than %d objects", MaxObjects)
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
	for i, one := range list { // decode them again, to tell which one is wrong
		if err := json.Unmarshal(one, new(T)); err != nil {
			return fmt.Errorf("object %d of a section: %w", i+1, err)
		}
	}
	return err
}

// countElements counts the elements of a list. For an empty list it may return one.
// The text must be valid JSON.
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

// UnmarshalJSON reads the value in the form that the component has.
func (p *Parameter) UnmarshalJSON(text []byte) error {
	type plain Parameter
	read := struct {
		*plain
		Value json.RawMessage `json:"value"`
	}{(*plain)(p), nil}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	switch p.Component {
	case LimitsComponent:
		p.Value = new(Table)
	case OperatorComponent:
		p.Value = new(Policy)
	default:
		p.Value = nil
		return nil
	}
	if read.Value == nil {
		return fmt.Errorf("a parameter of component %s has no value", p.Component)
	}
	return json.Unmarshal(read.Value, p.Value)
}

// Tags are the tags of a user. In JSON they are a list, or, in old versions of RabbitMQ
// and in LavinMQ, one text with commas.
type Tags []string

// UnmarshalJSON reads both forms.
func (t *Tags) UnmarshalJSON(text []byte) error {
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
