package warren

// CallOptions say how a request is sent. The zero value sends it to a queue, where
// it waits for a handler. If several are given to one Call, the last one that sets a
// field determines it.
type CallOptions struct {
	// Exchange is where the request is published, with Call's argument queue as
	// routing key. The first reply is the answer. Empty: the default exchange.
	Exchange string
	// RequireConsumer makes the call fail with [ErrNoConsumers] at once unless a
	// consumer has room for the request.
	RequireConsumer bool
	// Properties are the properties of the request of [CallFor], such as Headers and
	// Priority. ContentType is the codec's unless it is set here, Body is not used.
	Properties Message
	// Codec is the codec of [CallFor]. Nil: [JSON].
	Codec Codec
	// Window is how many items of [Broker.CallStream] the handler may send ahead of the
	// loop. Zero or less: 256. More than 65536 is 65536.
	Window int
}

// callOptions merges several options into one.
func callOptions(opts []CallOptions) (all CallOptions) {
	for i := range opts {
		o := &opts[i]
		if o.Exchange != "" {
			all.Exchange = o.Exchange
		}
		all.RequireConsumer = all.RequireConsumer || o.RequireConsumer
		if !o.Properties.properties().Plain() {
			all.Properties = o.Properties
		}
		if o.Codec != nil {
			all.Codec = o.Codec
		}
		if o.Window != 0 {
			all.Window = o.Window
		}
	}
	return all
}
