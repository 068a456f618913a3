// Package topology keeps what is durable of a broker's topology on disk: a log of
// changes, of which each is a record, and what they amount to when it is read.
//
// Objects have numbers that are never used again, and refer to each other by them. So
// whatever belongs to an object that is gone is gone with it, in whichever order the
// records are, and an object of the same name that comes later has nothing to do with
// it.
package topology

import (
	"encoding/binary"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Record is a change of the topology: an object as it is from now on, or its end.
type Record interface {
	// kind says which record it is.
	kind() kind
	// appendTo appends what it holds, as parse reads it.
	appendTo(b []byte) []byte
	// apply makes the change.
	apply(s *State)
}

// kind is the kind of a record in the log. Its values are a part of the format.
type kind byte

const (
	kindVirtualHost kind = iota + 1
	kindVirtualHostGone
	kindLimits
	kindUser
	kindUserGone
	kindPermission
	kindPermissionGone
	kindPolicy
	kindPolicyGone
	kindExchange
	kindExchangeGone
	kindQueue
	kindQueueGone
	kindBinding
	kindBindingGone
	kindTopicPermission
	kindTopicPermissionGone
)

// VirtualHost is a virtual host.
type VirtualHost struct {
	ID   uint64
	Name string
}

// VirtualHostGone ends a virtual host and all that is in it.
type VirtualHostGone struct{ ID uint64 }

// Limits are those of a virtual host.
type Limits struct {
	VirtualHost               uint64
	MaxConnections, MaxQueues int64
}

// User is an account.
type User struct {
	ID        uint64
	Name      string
	Hash      string // of the password; empty: there is none
	Algorithm string // that made the hash; empty: it is Warren's own
	Tags      []string
}

// UserGone ends an account with its permissions and topic permissions.
type UserGone struct{ ID uint64 }

// PermissionKey tells permissions apart.
type PermissionKey struct{ User, VirtualHost uint64 }

// Permission is what a user may do in a virtual host.
type Permission struct {
	PermissionKey
	Configure, Write, Read string // patterns of names
}

// PermissionGone ends a permission.
type PermissionGone struct{ PermissionKey }

// TopicPermissionKey tells topic permissions apart.
type TopicPermissionKey struct {
	PermissionKey
	Exchange string // its name; it need not exist
}

// TopicPermission is which routing keys a user may use at an exchange.
type TopicPermission struct {
	TopicPermissionKey
	Write, Read string // patterns of routing keys
}

// TopicPermissionGone ends a topic permission.
type TopicPermissionGone struct{ TopicPermissionKey }

// PolicyKey tells policies apart.
type PolicyKey struct {
	VirtualHost uint64
	Operator    bool // it is an operator policy
	Name        string
}

// Policy is a policy or an operator policy.
type Policy struct {
	PolicyKey
	Pattern, ApplyTo string
	Priority         int64
	Definition       table.Table
}

// PolicyGone ends a policy.
type PolicyGone struct{ PolicyKey }

// FirstID is the lowest number that a declared exchange or a queue may have. Those
// below are for predeclared exchanges, of which there is no record.
const FirstID = 16

// Exchange is a durable exchange.
type Exchange struct {
	ID                   uint32
	VirtualHost          uint64
	Name, Type           string
	AutoDelete, Internal bool
	Args                 table.Table
}

// ExchangeGone ends an exchange with its bindings.
type ExchangeGone struct{ ID uint32 }

// Queue is a durable queue.
type Queue struct {
	ID          uint32
	VirtualHost uint64
	Name        string
	AutoDelete  bool
	Args        table.Table
}

// QueueGone ends a queue with its bindings.
type QueueGone struct{ ID uint32 }

// Binding leads from a durable exchange to a durable queue or exchange.
type Binding struct {
	ID          uint64
	VirtualHost uint64
	Source      uint32
	Destination uint32
	ToQueue     bool // the destination is a queue, otherwise an exchange
	Key         string
	Args        table.Table
}

// BindingGone ends a binding. Bindings of what is gone need none.
type BindingGone struct{ ID uint64 }

func (*VirtualHost) kind() kind         { return kindVirtualHost }
func (*VirtualHostGone) kind() kind     { return kindVirtualHostGone }
func (*Limits) kind() kind              { return kindLimits }
func (*User) kind() kind                { return kindUser }
func (*UserGone) kind() kind            { return kindUserGone }
func (*Permission) kind() kind          { return kindPermission }
func (*PermissionGone) kind() kind      { return kindPermissionGone }
func (*TopicPermission) kind() kind     { return kindTopicPermission }
func (*TopicPermissionGone) kind() kind { return kindTopicPermissionGone }
func (*Policy) kind() kind              { return kindPolicy }
func (*PolicyGone) kind() kind          { return kindPolicyGone }
func (*Exchange) kind() kind            { return kindExchange }
func (*ExchangeGone) kind() kind        { return kindExchangeGone }
func (*Queue) kind() kind               { return kindQueue }
func (*QueueGone) kind() kind           { return kindQueueGone }
func (*Binding) kind() kind             { return kindBinding }
func (*BindingGone) kind() kind         { return kindBindingGone }

func (r *VirtualHost) appendTo(b []byte) []byte {
	return appendString(binary.AppendUvarint(b, r.ID), r.Name)
}

func (r *VirtualHostGone) appendTo(b []byte) []byte { return binary.AppendUvarint(b, r.ID) }

func (r *Limits) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, r.VirtualHost)
	return binary.AppendVarint(binary.AppendVarint(b, r.MaxConnections), r.MaxQueues)
}

func (r *User) appendTo(b []byte) []byte {
	b = appendStrings(binary.AppendUvarint(b, r.ID), r.Name, r.Hash, r.Algorithm)
	b = binary.AppendUvarint(b, uint64(len(r.Tags)))
	return appendStrings(b, r.Tags...)
}

func (r *UserGone) appendTo(b []byte) []byte { return binary.AppendUvarint(b, r.ID) }

func (r *Permission) appendTo(b []byte) []byte {
	return appendStrings(r.PermissionKey.appendTo(b), r.Configure, r.Write, r.Read)
}

func (r *PermissionGone) appendTo(b []byte) []byte {
	return r.PermissionKey.appendTo(b)
}

func (k PermissionKey) appendTo(b []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, k.User), k.VirtualHost)
}

func (r *TopicPermission) appendTo(b []byte) []byte {
	return appendStrings(r.TopicPermissionKey.appendTo(b), r.Write, r.Read)
}

func (r *TopicPermissionGone) appendTo(b []byte) []byte { return r.TopicPermissionKey.appendTo(b) }

func (k TopicPermissionKey) appendTo(b []byte) []byte {
	return appendString(k.PermissionKey.appendTo(b), k.Exchange)
}

func (r *Policy) appendTo(b []byte) []byte {
	b = appendStrings(r.PolicyKey.appendTo(b), r.Pattern, r.ApplyTo)
	return wire.AppendTable(binary.AppendVarint(b, r.Priority), r.Definition)
}

func (r *PolicyGone) appendTo(b []byte) []byte { return r.PolicyKey.appendTo(b) }

func (k PolicyKey) appendTo(b []byte) []byte {
	return appendString(appendFlags(binary.AppendUvarint(b, k.VirtualHost), k.Operator), k.Name)
}

func (r *Exchange) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(r.ID)), r.VirtualHost)
	b = appendStrings(appendFlags(b, r.AutoDelete, r.Internal), r.Name, r.Type)
	return wire.AppendTable(b, r.Args)
}

func (r *ExchangeGone) appendTo(b []byte) []byte { return binary.AppendUvarint(b, uint64(r.ID)) }

func (r *Queue) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(r.ID)), r.VirtualHost)
	return wire.AppendTable(appendString(appendFlags(b, r.AutoDelete), r.Name), r.Args)
}

func (r *QueueGone) appendTo(b []byte) []byte { return binary.AppendUvarint(b, uint64(r.ID)) }

func (r *Binding) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, r.ID), r.VirtualHost)
	b = binary.AppendUvarint(appendFlags(b, r.ToQueue), uint64(r.Source))
	b = appendString(binary.AppendUvarint(b, uint64(r.Destination)), r.Key)
	return wire.AppendTable(b, r.Args)
}

func (r *BindingGone) appendTo(b []byte) []byte { return binary.AppendUvarint(b, r.ID) }

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendStrings(b []byte, list ...string) []byte {
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

func appendFlags(b []byte, flags ...bool) []byte {
	var bits byte
	for i, set := range flags {
		if set {
			bits |= 1 << i
		}
	}
	return append(b, bits)
}
