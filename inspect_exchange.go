package warren

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

// ExchangeCounts count messages while somebody watches: see [Broker.Watch].
type ExchangeCounts struct {
	In  uint64 // messages published to the exchange, by clients, calls and handlers
	Out uint64 // copies that queues and requesters took of them, also by way of other exchanges
}

// Exchanges returns the exchanges of the virtual host, sorted by name, with the
// predeclared ones.
func (v *VirtualHost) Exchanges() []ExchangeInfo { panic("TODO") }

// Exchange returns an exchange. It fails with 404 if there is none of this name.
func (v *VirtualHost) Exchange(name string) (ExchangeInfo, error) { panic("TODO") }

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
	// the routing key, or the routing key, "~" and a hash of the arguments.
	Key string
}

// Bindings returns the bindings of the virtual host, sorted by source, destination and
// routing key. It leaves out that each queue is bound to the default exchange.
func (v *VirtualHost) Bindings() []BindingInfo { panic("TODO") }
