package warren

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Arguments of a consistent hash exchange. LavinMQ has another name for the
// first; its x-algorithm may be given but changes nothing: what both of its
// algorithms promise is kept here.
const (
	hashHeaderArg   = "hash-header"
	hashPropertyArg = "hash-property"
	hashOnArg       = "x-hash-on"
)

// hashProperties are the properties that an exchange can hash on.
var hashProperties = [...]string{"correlation_id", "message_id", "timestamp"}

// checkHashArgs refuses arguments that contradict each other.
func checkHashArgs(args Table) error {
	property, ok := args[hashPropertyArg].(string)
	_, header := args[hashHeaderArg]
	_, hashOn := args[hashOnArg]
	switch {
	case !ok:
		return nil
	case header || hashOn:
		return failure(wire.ExchangeDeclareID, wire.CodePreconditionFailed, "hash-header and hash-property are mutually exclusive")
	case !slices.Contains(hashProperties[:], property):
		return failure(wire.ExchangeDeclareID, wire.CodePreconditionFailed, "Unsupported property: %s", property)
	}
	return nil
}

// maxWeight is LavinMQ's bound.
const maxWeight = math.MaxUint32

// checkWeight refuses a binding key that is no weight.
func checkWeight(m wire.MethodID, key string) error {
	n, err := strconv.ParseInt(key, 10, 64) // the nearest value, if it is out of range
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return failure(m, wire.CodePreconditionFailed, "The binding key must be an integer: %s", table.Term(key))
	case n < 1:
		return failure(m, wire.CodePreconditionFailed, "The binding key must be greater than 0")
	case n > maxWeight:
		return failure(m, wire.CodePreconditionFailed, "The binding key must not exceed %d", int64(maxWeight))
	}
	return nil
}

// hashMatcher gives each message to one destination, by the hash of its key or
// of a header or property.
//
// It is rendezvous hashing: every destination draws a number from the hash of
// the message and its own name, and the best one wins. Nothing depends on the
// order of bindings, shares are as exact as the hash is good, and a destination
// that comes or goes takes or leaves its own share and no more.
type hashMatcher struct {
	header   string // to hash on
	property string // or this; both empty: the routing key
	nodes    []hashNode
	index    map[bindingKey]int // of nodes, by destination
}

// hashNode is a destination.
type hashNode struct {
	name     uint64     // hash of what it is called
	scale    float64    // one by its weight
	bindings []*binding // that lead there, the oldest first
	queues   []*queue   // the destination, if it is a queue
}

func newHashMatcher(args Table) *hashMatcher {
	m := &hashMatcher{index: make(map[bindingKey]int)}
	m.property, _ = args[hashPropertyArg].(string)
	var ok bool
	if m.header, ok = args[hashHeaderArg].(string); !ok {
		m.header, _ = args[hashOnArg].(string)
	}
	return m
}

// destination is b's, without what tells its bindings apart.
func (b *binding) destination() bindingKey {
	return bindingKey{queue: b.queue, exchange: b.exchange}
}

// add makes b's destination one of m's. As in RabbitMQ, further bindings of a
// destination give it no further weight.
func (m *hashMatcher) add(b *binding) {
	to := b.destination()
	i, ok := m.index[to]
	if !ok {
		i = len(m.nodes)
		m.index[to] = i
		n := hashNode{}
		if b.queue != nil {
			n.name, n.queues = hashText("queue "+b.queue.name), []*queue{b.queue}
		} else {
			n.name = hashText("exchange " + b.exchange.name)
		}
		m.nodes = append(m.nodes, n)
	}
	m.nodes[i].bindings = append(m.nodes[i].bindings, b)
	m.nodes[i].weigh()
}

func (m *hashMatcher) remove(b *binding) {
	i := m.index[b.destination()]
	n := &m.nodes[i]
	n.bindings = slices.DeleteFunc(n.bindings, func(have *binding) bool { return have == b })
	if len(n.bindings) > 0 {
		n.weigh()
		return
	}
	delete(m.index, b.destination())
	last := len(m.nodes) - 1
	if i < last {
		m.nodes[i] = m.nodes[last]
		m.index[m.nodes[i].bindings[0].destination()] = i
	}
	m.nodes[last] = hashNode{}
	m.nodes = m.nodes[:last]
}

// weigh takes the weight of the oldest binding.
func (n *hashNode) weigh() {
	weight, _ := strconv.ParseInt(n.bindings[0].key, 10, 64)
	n.scale = 1 / float64(weight)
}

// match looks at one key only: CC and BCC give a message no second destination.
func (m *hashMatcher) match(r *routing, key string, c content) {
	if r.found {
		return
	}
	if n := m.pick(m.hashed(key, c)); n != nil {
		r.add(n.bindings[0])
	}
}

func (m *hashMatcher) exact(key string) ([]*queue, bool) {
	if m.header != "" || m.property != "" {
		return nil, false
	}
	n := m.pick(key)
	if n == nil || n.queues == nil {
		return nil, false
	}
	return n.queues, true
}

// hashed is the text of a message that decides. One that has not what the
// exchange hashes on counts as empty.
func (m *hashMatcher) hashed(key string, c content) string {
	switch {
	case m.header == "" && m.property == "":
		return key
	case c == nil:
		return ""
	case m.header != "":
		switch v := c.headers()[m.header].(type) {
		case nil:
			return ""
		case string:
			return v
		default:
			return table.CanonicalValue(v)
		}
	}
	msg := c.message()
	switch {
	case m.property == "correlation_id":
		return msg.CorrelationId
	case m.property == "message_id":
		return msg.MessageId
	case msg.Timestamp.IsZero():
		return ""
	}
	return strconv.FormatInt(msg.Timestamp.Unix(), 10)
}

// pick finds the destination for a text; nil if there is none. Each would wait
// for a time that is exponentially distributed, with its weight as the rate:
// who waits least wins, and does so as often as its weight says.
func (m *hashMatcher) pick(text string) *hashNode {
	h := hashText(text)
	best, least := -1, math.Inf(1)
	for i := range m.nodes {
		n := &m.nodes[i]
		u := (float64(mixHash(h^n.name)>>11) + 0.5) / (1 << 53) // 0 < u <= 1
		// -ln u is at least 1-u, which is had for less and rules out most.
		if (1-u)*n.scale >= least {
			continue
		}
		if wait := -math.Log(u) * n.scale; wait < least {
			best, least = i, wait
		}
	}
	if best < 0 {
		return nil
	}
	return &m.nodes[best]
}

// hashText is the same in every process. It takes eight bytes at a step.
func hashText(s string) uint64 {
	h := mixHash(uint64(len(s)))
	for ; len(s) >= 8; s = s[8:] {
		h = mixHash(h ^ binary.LittleEndian.Uint64([]byte(s[:8])))
	}
	var rest [8]byte
	copy(rest[:], s)
	return mixHash(h ^ binary.LittleEndian.Uint64(rest[:]))
}

// mixHash makes every bit of h count in every bit of the result, by the last
// step of the generator SplitMix64.
func mixHash(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
