package warren

import "sync/atomic"

// ExchangeType says how an exchange matches messages with bindings.
type ExchangeType string

// The exchange types of AMQP 0-9-1.
const (
	Direct  ExchangeType = "direct"  // binding key equals routing key
	Fanout  ExchangeType = "fanout"  // every binding
	Topic   ExchangeType = "topic"   // binding key is a pattern: * is one word, # any number
	Headers ExchangeType = "headers" // binding arguments are compared with the message's headers
)

// ExchangeOptions are the properties of an exchange (exchange.declare). The
// zero value gives a transient exchange that stays until it is deleted.
type ExchangeOptions struct {
	Durable    bool   // survives a restart of a durable broker
	AutoDelete bool   // deleted when its last binding to a destination goes
	Internal   bool   // takes messages from exchanges only, not from publishers
	Alternate  string // exchange for messages that match no binding (alternate-exchange)
	Args       Table  // further arguments
}

// exchange routes messages by its bindings.
type exchange struct {
	name       string
	kind       ExchangeType
	durable    bool
	autoDelete bool
	internal   bool
	alternate  string // name of the alternate exchange that was declared
	args       Table
	deleted    atomic.Bool // written with vhost.mu held

	// Guarded by vhost.mu.
	matcher  matcher
	bindings map[bindingKey]*binding // that start here
	inbound  map[*binding]struct{}   // that lead here
	policies following
	detour   string // name of the alternate exchange that counts; empty: none
}

// matcher finds the bindings that a message matches: what makes an exchange
// of its type. It is guarded by vhost.mu.
type matcher interface {
	add(b *binding)
	remove(b *binding)
	// match adds the destinations of matching bindings to r.
	match(r *routing, key string, c content)
	// exact gives the queues of a message whose destinations are these and no
	// others, if that takes no more than a look; most messages are such.
	// Their list can be read after vhost.mu is free.
	exact(key string) ([]*queue, bool)
}

// newMatcher returns nil for an unknown type.
func newMatcher(kind ExchangeType) matcher {
	switch kind {
	case Direct:
		return directMatcher{}
	case Fanout:
		return &fanoutMatcher{}
	case Topic:
		return &topicMatcher{plain: directMatcher{}}
	case Headers:
		return &headersMatcher{}
	}
	return nil
}

// directMatcher has the destinations of each binding key.
type directMatcher map[string]*destinations

func (m directMatcher) add(b *binding) {
	d := m[b.key]
	if d == nil {
		d = &destinations{}
		m[b.key] = d
	}
	d.add(b)
}

func (m directMatcher) remove(b *binding) {
	d := m[b.key]
	if d.remove(b); d.empty() {
		delete(m, b.key)
	}
}

func (m directMatcher) match(r *routing, key string, _ content) {
	if d := m[key]; d != nil {
		r.addAll(d)
	}
}

func (m directMatcher) exact(key string) ([]*queue, bool) { return m[key].exact() }

// exact gives the queues if there are no exchanges among the destinations.
func (d *destinations) exact() ([]*queue, bool) {
	if d == nil || len(d.exchanges.items) > 0 {
		return nil, false
	}
	return d.queues.items, true
}

// fanoutMatcher has the destinations of all bindings.
type fanoutMatcher struct{ all destinations }

func (m *fanoutMatcher) add(b *binding)                        { m.all.add(b) }
func (m *fanoutMatcher) remove(b *binding)                     { m.all.remove(b) }
func (m *fanoutMatcher) match(r *routing, _ string, _ content) { r.addAll(&m.all) }
func (m *fanoutMatcher) exact(string) ([]*queue, bool)         { return m.all.exact() }

// defaultMatcher is the default exchange: every queue is bound by its name,
// and so is every requester by its direct reply-to address.
type defaultMatcher struct{ vhost *VirtualHost }

func (defaultMatcher) add(*binding)    {}
func (defaultMatcher) remove(*binding) {}

func (defaultMatcher) exact(string) ([]*queue, bool) { return nil, false }

func (m defaultMatcher) match(r *routing, key string, _ content) {
	if q := m.vhost.queues[key]; q != nil {
		r.addQueue(q)
	} else if isReplyAddress(key) {
		r.addReply(key)
	}
}
