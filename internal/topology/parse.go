package topology

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// errMalformed is for a record that was not written by this format, although its
// checksum is right.
var errMalformed = errors.New("a record of the topology is malformed")

// parse reads what a record of a kind holds. The result shares nothing with b.
func parse(k kind, b []byte) (Record, error) {
	p := parser{rest: b}
	r, err := p.record(k)
	switch {
	case err != nil:
		return nil, err
	case p.bad || len(p.rest) > 0:
		return nil, errMalformed
	}
	return r, nil
}

func (p *parser) record(k kind) (Record, error) {
	switch k {
	case kindVirtualHost:
		return &VirtualHost{ID: p.id(), Name: p.string()}, nil
	case kindVirtualHostGone:
		return &VirtualHostGone{p.id()}, nil
	case kindLimits:
		return &Limits{p.id(), p.int(), p.int()}, nil
	case kindUser:
		return &User{ID: p.id(), Name: p.string(), Hash: p.string(), Algorithm: p.string(), Tags: p.strings()}, nil
	case kindUserGone:
		return &UserGone{p.id()}, nil
	case kindPermission:
		return &Permission{p.permissionKey(), p.string(), p.string(), p.string()}, nil
	case kindPermissionGone:
		return &PermissionGone{p.permissionKey()}, nil
	case kindTopicPermission:
		return &TopicPermission{p.topicPermissionKey(), p.string(), p.string()}, nil
	case kindTopicPermissionGone:
		return &TopicPermissionGone{p.topicPermissionKey()}, nil
	case kindPolicy:
		return &Policy{p.policyKey(), p.string(), p.string(), p.int(), p.table()}, nil
	case kindPolicyGone:
		return &PolicyGone{p.policyKey()}, nil
	case kindExchange:
		r := &Exchange{ID: p.id32(), VirtualHost: p.id()}
		p.flags(&r.AutoDelete, &r.Internal)
		r.Name, r.Type, r.Args = p.string(), p.string(), p.table()
		return r, nil
	case kindExchangeGone:
		return &ExchangeGone{p.id32()}, nil
	case kindQueue:
		r := &Queue{ID: p.id32(), VirtualHost: p.id()}
		p.flags(&r.AutoDelete)
		r.Name, r.Args = p.string(), p.table()
		return r, nil
	case kindQueueGone:
		return &QueueGone{p.id32()}, nil
	case kindBinding:
		r := &Binding{ID: p.id(), VirtualHost: p.id()}
		p.flags(&r.ToQueue)
		r.Source, r.Destination, r.Key, r.Args = p.id32(), p.id32(), p.string(), p.table()
		return r, nil
	case kindBindingGone:
		return &BindingGone{p.id()}, nil
	}
	return nil, fmt.Errorf("a record of the topology is of the unknown kind %d", k)
}

// parser reads the parts of a record. After a bad part it gives zero values.
type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) fail() { p.rest, p.bad = nil, true }

// take takes the next n bytes, or nil if there are fewer.
func (p *parser) take(n uint64) []byte {
	if n > uint64(len(p.rest)) {
		p.fail()
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) byte() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *parser) id() uint64 {
	v, n := binary.Uvarint(p.rest)
	if n <= 0 {
		p.fail()
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

func (p *parser) id32() uint32 {
	v := p.id()
	if v > math.MaxUint32 {
		p.fail()
		return 0
	}
	return uint32(v)
}

func (p *parser) int() int64 {
	v, n := binary.Varint(p.rest)
	if n <= 0 {
		p.fail()
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

func (p *parser) string() string { return string(p.take(p.id())) }

func (p *parser) strings() (list []string) {
	for n := p.id(); n > 0 && !p.bad; n-- {
		list = append(list, p.string())
	}
	return list
}

func (p *parser) flags(flags ...*bool) {
	bits := p.byte()
	if bits>>len(flags) != 0 {
		p.fail()
	}
	for i, f := range flags {
		*f = bits&(1<<i) != 0
	}
}

// table reads a table in AMQP's encoding, which keeps the types of its values. An
// empty one is nil.
func (p *parser) table() table.Table {
	size := p.take(4)
	if size == nil {
		return nil
	}
	entries := p.take(uint64(binary.BigEndian.Uint32(size)))
	if len(entries) == 0 {
		return nil
	}
	t, err := wire.ParseTable(entries)
	if err != nil {
		p.fail()
	}
	return t
}

func (p *parser) permissionKey() PermissionKey { return PermissionKey{p.id(), p.id()} }

func (p *parser) topicPermissionKey() TopicPermissionKey {
	return TopicPermissionKey{p.permissionKey(), p.string()}
}

func (p *parser) policyKey() (k PolicyKey) {
	k.VirtualHost = p.id()
	p.flags(&k.Operator)
	k.Name = p.string()
	return k
}
