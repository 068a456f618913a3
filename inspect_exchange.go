package warren

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/warrenmq/warren/internal/table"
)

// ExchangeInfo shows an exchange at one moment.
type ExchangeInfo struct {
	Name        string // empty: the default exchange
	VirtualHost string
	Type        ExchangeType
	Durable     bool
	AutoDelete  bool
	Internal    bool
	Arguments   Table // as declared; not to be changed

	// Policy is what applies to the exchange now, besides its arguments.
	Policy EffectivePolicy

	Bindings int // of which it is the source; the default exchange shows none
	Delayed  int // messages that it holds back now

	ExchangeCounts
}

// Exchanges returns the exchanges of the virtual host, sorted by name, with the
// predeclared ones.
func (v *VirtualHost) Exchanges() []ExchangeInfo {
	t := v.view()
	passed := v.passedExchanges()
	slices.SortFunc(t.exchanges, func(x, y exchangeView) int { return cmp.Compare(x.name, y.name) })
	list := make([]ExchangeInfo, len(t.exchanges))
	for i := range t.exchanges {
		list[i] = t.exchanges[i].info(v, passed)
	}
	return list
}

// Exchange returns an exchange. It fails with 404 if there is none of this name.
func (v *VirtualHost) Exchange(name string) (ExchangeInfo, error) {
	v.mu.RLock()
	x := v.exchanges[name]
	if x == nil {
		v.mu.RUnlock()
		return ExchangeInfo{}, v.errNoExchange(0, name)
	}
	view := v.viewExchange(x)
	v.mu.RUnlock()
	return view.info(v, v.passedExchanges()), nil
}

// info returns what users see. No lock is held. Passed is what channels have counted.
func (x *exchangeView) info(v *VirtualHost, passed map[*declaredExchange]ExchangeCounts) ExchangeInfo {
	info := ExchangeInfo{
		Name: x.name, VirtualHost: v.name, Type: x.kind,
		Durable: x.durable, AutoDelete: x.autoDelete, Internal: x.internal, Arguments: table.Widen(x.args),
		Policy: x.policies.effective(), Bindings: x.bindings,
		ExchangeCounts: x.exchange.passed.Load().counts(),
	}
	info.Delayed, _ = x.delayed()
	info.ExchangeCounts.add(passed[x.exchange])
	return info
}

// BindingInfo shows a binding.
type BindingInfo struct {
	VirtualHost string
	Source      string // an exchange
	Destination string
	ToQueue     bool // false: the destination is an exchange
	RoutingKey  string
	Arguments   Table // not to be changed
	// Key tells the binding from others with the same source and destination, as
	// RabbitMQ's properties_key does: "~" for an empty routing key without arguments,
	// the routing key, or the routing key, "~" and a hash of the arguments. In the routing
	// key "~" is written as "%7E".
	Key string
}

// Bindings returns the bindings of the virtual host, sorted by source, destination and
// routing key. It leaves out that each queue is bound to the default exchange.
func (v *VirtualHost) Bindings() []BindingInfo {
	t := v.view()
	slices.SortFunc(t.bindings, func(x, y bindingView) int {
		return cmp.Or(cmp.Compare(x.source, y.source), cmp.Compare(x.destination, y.destination),
			cmp.Compare(x.key, y.key), cmp.Compare(x.canonical, y.canonical))
	})
	list := make([]BindingInfo, len(t.bindings))
	for i := range t.bindings {
		b := &t.bindings[i]
		list[i] = BindingInfo{v.name, b.source, b.destination, b.toQueue, b.key, table.Widen(b.args), b.propertiesKey()}
	}
	return list
}

// propertiesKey returns what [BindingInfo].Key says.
func (b *bindingView) propertiesKey() string {
	key := b.key
	if len(b.args) == 0 {
		if key == "" {
			return "~"
		}
		return strings.ReplaceAll(key, "~", "%7E")
	}
	sum := sha256.Sum256([]byte(b.canonical))
	return strings.ReplaceAll(key, "~", "%7E") + "~" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// passedExchanges returns what the channels of the virtual host have counted for its
// exchanges.
func (v *VirtualHost) passedExchanges() map[*declaredExchange]ExchangeCounts {
	sum := make(map[*declaredExchange]ExchangeCounts)
	for _, s := range v.broker.sessionList(func(s *Session) bool { return s.vhost == v }) {
		for _, ch := range s.channelList() {
			for x, c := range ch.passedList() {
				counts := sum[x]
				counts.add(c.counts())
				sum[x] = counts
			}
		}
	}
	return sum
}
