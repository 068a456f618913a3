package warren

import "context"

// SubscribeFor is Subscribe with values instead of bodies: it decodes each event into an
// E. An event that cannot be decoded goes to the dead letter queue at once, with
// [CodeCodec]. [DeliveryFrom] tells f the headers and everything else about the event. See
// [Broker.Subscribe].
func SubscribeFor[E any](s Subscriber, exchange, pattern string, f func(context.Context, E) error, opts ...SubscribeOptions) (*Subscription, error) {
	_, o := subscribeOptions(opts)
	return s.Subscribe(exchange, pattern, decoding(o.Codec, f), opts...)
}

// WorkFor is Work with values instead of bodies: it decodes each job into a J. A job that
// cannot be decoded goes to the dead letter queue at once, with [CodeCodec].
// [DeliveryFrom] tells f the headers and everything else about the job. See [Broker.Work].
func WorkFor[J any](s Subscriber, queue string, f func(context.Context, J) error, opts ...WorkOptions) (*Subscription, error) {
	return s.Work(queue, decoding(workOptions(opts).Codec, f), opts...)
}

// decoding returns a function for deliveries that decodes them for f.
func decoding[V any](c Codec, f func(context.Context, V) error) DeliveryFunc {
	if f == nil {
		return nil
	}
	c = codecOrJSON(c)
	return func(ctx context.Context, d Delivery) error {
		var v V
		if err := c.Unmarshal(d.Body, &v); err != nil {
			return NoRetry(&RemoteError{Code: CodeCodec, Text: textDecodeMessage, Err: err})
		}
		return f(ctx, v)
	}
}

// textDecodeMessage says no more than CodeCodec does.
const textDecodeMessage = "the message cannot be decoded"
