package route

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
)

// HashOn is what an exchange hashes on: a header or a property, or the routing key
// if both are empty.
type HashOn struct {
	Header   string
	Property string // correlation_id, message_id or timestamp
}

// hashMatcher chooses one destination for each message, by the hash of its key or of
// a header or property.
//
// It uses rendezvous hashing: each destination gets a number from the hash of the
// message and its own name, and the destination with the best number is chosen. So
// the order of bindings does not matter, shares are as exact as the hash is good, and
// a destination that is added or removed changes no share but its own.
type hashMatcher struct {
	HashOn
	nodes []hashNode
	index map[BindingKey]int // of nodes, by destination
}

// hashNode is a destination.
type hashNode struct {
	name     uint64     // hash of its name
	scale    float64    // reciprocal of its weight
	bindings []*Binding // bindings to it, the oldest first; nil: removed
	oldest   int32      // position of the first that is not removed
	live     int32      // number of those that are not removed
	queues   []*Queue   // the destination alone, if it is a queue; else nil
}

// binding returns the oldest binding.
func (n *hashNode) binding() *Binding { return n.bindings[n.oldest] }

// add adds a binding.
func (n *hashNode) add(b *Binding) {
	b.place = len(n.bindings)
	n.bindings = append(n.bindings, b)
	n.live++
}

// remove removes a binding. It leaves a gap, and closes the gaps when they are half
// of the list.
func (n *hashNode) remove(b *Binding) {
	n.bindings[b.place] = nil
	n.live--
	if 2*int(n.live) < len(n.bindings) {
		n.bindings = slices.DeleteFunc(n.bindings, func(b *Binding) bool { return b == nil })
		for i, b := range n.bindings {
			b.place = i
		}
		n.oldest = 0
	}
	for n.live > 0 && n.bindings[n.oldest] == nil {
		n.oldest++
	}
}

func newHashMatcher(on HashOn) *hashMatcher {
	return &hashMatcher{HashOn: on, index: make(map[BindingKey]int)}
}

// destination returns b's destination. The key and the arguments are empty.
func (b *Binding) destination() BindingKey {
	return BindingKey{Queue: b.Queue, Exchange: b.Exchange}
}

// Add implements Matcher. As in RabbitMQ, further bindings of a destination do not
// add to its weight.
func (m *hashMatcher) Add(b *Binding) {
	to := b.destination()
	i, ok := m.index[to]
	if !ok {
		i = len(m.nodes)
		m.index[to] = i
		n := hashNode{}
		if b.Queue != nil {
			n.name, n.queues = hashText("queue "+b.Queue.Name()), []*Queue{b.Queue}
		} else {
			n.name = hashText("exchange " + b.Exchange.Name)
		}
		m.nodes = append(m.nodes, n)
	}
	m.nodes[i].add(b)
	m.nodes[i].weigh()
}

// Remove implements Matcher.
func (m *hashMatcher) Remove(b *Binding) {
	i := m.index[b.destination()]
	n := &m.nodes[i]
	n.remove(b)
	if n.live > 0 {
		n.weigh()
		return
	}
	delete(m.index, b.destination())
	last := len(m.nodes) - 1
	if i < last {
		m.nodes[i] = m.nodes[last]
		m.index[m.nodes[i].binding().destination()] = i
	}
	m.nodes[last] = hashNode{}
	m.nodes = m.nodes[:last]
}

// weigh sets the weight, which is that of the oldest binding.
func (n *hashNode) weigh() {
	weight, _ := strconv.ParseInt(n.binding().Key, 10, 64)
	n.scale = 1 / float64(weight)
}

// Match implements Matcher. It uses the first key only: CC and BCC give a message no
// second destination.
func (m *hashMatcher) Match(w *Walk, key string, c message.Content) {
	if w.found {
		return
	}
	w.steps += len(m.nodes) / hashedPerStep
	if n := m.pick(m.hashed(key, c)); n != nil {
		w.add(n.binding())
	}
}

// hashedPerStep is how many destinations a hash is mixed with in the time of a step.
const hashedPerStep = 8

// Exact implements Matcher. It knows the queue if the routing key is hashed.
func (m *hashMatcher) Exact(key string) ([]*Queue, bool) {
	if m.Header != "" || m.Property != "" {
		return nil, false
	}
	n := m.pick(key)
	if n == nil || n.queues == nil {
		return nil, false
	}
	return n.queues, true
}

// hashed returns the text of a message that is hashed. It is empty if the message
// does not have the header or property.
func (m *hashMatcher) hashed(key string, c message.Content) string {
	switch {
	case m.Header == "" && m.Property == "":
		return key
	case c == nil:
		return ""
	case m.Header != "":
		switch v := c.Header(m.Header).(type) {
		case nil:
			return ""
		case string:
			return v
		default:
			return table.CanonicalValue(v)
		}
	}
	p := c.Properties()
	switch {
	case m.Property == "correlation_id":
		return p.CorrelationId
	case m.Property == "message_id":
		return p.MessageId
	case p.Timestamp.IsZero():
		return ""
	}
	return strconv.FormatInt(p.Timestamp.Unix(), 10)
}

// pick returns the destination for a text, or nil if there is none. Each destination
// gets an exponentially distributed time with its weight as the rate. The smallest
// time wins, so the share of a destination is proportional to its weight.
func (m *hashMatcher) pick(text string) *hashNode {
	h := hashText(text)
	best, least := -1, math.Inf(1)
	for i := range m.nodes {
		n := &m.nodes[i]
		u := (float64(mixHash(h^n.name)>>11) + 0.5) / (1 << 53) // 0 < u <= 1
		// -ln u is at least 1-u, which costs less and rules out most destinations.
		if (1-u)*n.scale >= least {
			continue
		}
		if wait := -math.Log(u) * n.scale; wait < least && !n.binding().Vain() {
			best, least = i, wait
		}
	}
	if best < 0 {
		return nil
	}
	return &m.nodes[best]
}

// hashText hashes a text. The hash is the same in every process.
func hashText(s string) uint64 {
	h := mixHash(uint64(len(s)))
	for ; len(s) >= 8; s = s[8:] {
		h = mixHash(h ^ binary.LittleEndian.Uint64([]byte(s[:8])))
	}
	var rest [8]byte
	copy(rest[:], s)
	return mixHash(h ^ binary.LittleEndian.Uint64(rest[:]))
}

// mixHash makes every bit of the result depend on every bit of h. It is the last step
// of the generator SplitMix64.
func mixHash(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
