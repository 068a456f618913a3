package intercept

import (
	"context"
	"maps"
	"slices"

	"github.com/warrenmq/warren"
)

// Propagate copies headers of the message that is worked on onto the calls and publishes
// that are made with its context, for example traceparent or a tenant's name: from the
// request of a handler, and from the delivery of a function that consumes. A header that
// the new message has already stays as it is. The tables of both messages are not changed.
func Propagate(headers ...string) warren.Interceptors {
	p := propagated(slices.Clone(headers))
	return warren.Interceptors{
		Call:    []func(warren.CallFunc) warren.CallFunc{p.call},
		Publish: []func(warren.PublishFunc) warren.PublishFunc{p.publish},
		Consume: []func(warren.DeliveryFunc) warren.DeliveryFunc{p.consume},
	}
}

// propagated are the names of the headers.
type propagated []string

func (p propagated) call(next warren.CallFunc) warren.CallFunc {
	return func(ctx context.Context, queue string, msg warren.Message, opts ...warren.CallOptions) (warren.Message, error) {
		msg.Headers = p.add(ctx, msg.Headers)
		return next(ctx, queue, msg, opts...)
	}
}

func (p propagated) publish(next warren.PublishFunc) warren.PublishFunc {
	return func(ctx context.Context, ch *warren.Channel, exchange, key string, msg warren.Message, o warren.PublishOptions) error {
		msg.Headers = p.add(ctx, msg.Headers)
		return next(ctx, ch, exchange, key, msg, o)
	}
}

// consumedKey is the key of the headers of a delivery in the context of its function.
type consumedKey struct{}

func (p propagated) consume(next warren.DeliveryFunc) warren.DeliveryFunc {
	return func(ctx context.Context, d warren.Delivery) error {
		for _, name := range p {
			if _, ok := d.Headers[name]; ok {
				ctx = context.WithValue(ctx, consumedKey{}, d.Headers)
				break
			}
		}
		return next(ctx, d)
	}
}

// add returns the headers with those of the message that ctx belongs to.
func (p propagated) add(ctx context.Context, headers warren.Table) warren.Table {
	from, _ := ctx.Value(consumedKey{}).(warren.Table)
	if req := warren.RequestFrom(ctx); req != nil {
		from = req.Headers
	}
	if len(from) == 0 {
		return headers
	}
	own := false
	for _, name := range p {
		v, ok := from[name]
		if _, has := headers[name]; !ok || has {
			continue
		}
		if !own {
			own = true
			if headers = maps.Clone(headers); headers == nil {
				headers = warren.Table{}
			}
		}
		headers[name] = v
	}
	return headers
}
