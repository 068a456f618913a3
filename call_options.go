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
	// Durable lets the request of a [Broker.Call] outlive its caller, the server that works
	// on it, and the broker, if its queue is durable and the broker is from [Open]: it is
	// persistent, its handler's context does not end when the caller goes away, and it is
	// served again when a server or the broker dies before it is settled. So it is served
	// at least once if the broker keeps it, unless its deadline, which is ctx's, is over: by
	// MessageId, which is a new one unless it is set, a handler can tell a repeat. If the
	// handler fails and nobody waits any more, the request is rejected or requeued, as a
	// message without a requester.
	//
	// Who waits gets the answer as of any call. The call itself does not wait for the disk:
	// [SyncMode] says how soon the request is there.
	Durable bool
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
		all.Durable = all.Durable || o.Durable
		if o.Window != 0 {
			all.Window = o.Window
		}
	}
	return all
}
