package warren_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// steps notes what interceptors see, in order. The tests' brokers call them one after
// another.
type steps []string

func (s *steps) call(name string) func(warren.CallFunc) warren.CallFunc {
	return func(next warren.CallFunc) warren.CallFunc {
		return func(ctx context.Context, queue string, msg warren.Message, opts ...warren.CallOptions) (warren.Message, error) {
			*s = append(*s, name)
			defer func() { *s = append(*s, "/"+name) }()
			return next(ctx, queue, msg, opts...)
		}
	}
}

func (s *steps) handle(name string) func(warren.HandlerFunc) warren.HandlerFunc {
	return func(next warren.HandlerFunc) warren.HandlerFunc {
		return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			*s = append(*s, name)
			defer func() { *s = append(*s, "/"+name) }()
			return next(ctx, req)
		}
	}
}

func (s *steps) publish(name string) func(warren.PublishFunc) warren.PublishFunc {
	return func(next warren.PublishFunc) warren.PublishFunc {
		return func(ctx context.Context, ch *warren.Channel, exchange, key string, msg warren.Message, o warren.PublishOptions) error {
			*s = append(*s, name)
			defer func() { *s = append(*s, "/"+name) }()
			return next(ctx, ch, exchange, key, msg, o)
		}
	}
}

func (s *steps) consume(name string) func(warren.DeliveryFunc) warren.DeliveryFunc {
	return func(next warren.DeliveryFunc) warren.DeliveryFunc {
		return func(ctx context.Context, d warren.Delivery) error {
			*s = append(*s, name)
			defer func() { *s = append(*s, "/"+name) }()
			return next(ctx, d)
		}
	}
}

func TestTheFirstInterceptorIsTheOutermostAndTheBrokersAreOutside(t *testing.T) {
	var s steps
	o := &warren.Options{Intercept: warren.Interceptors{
		Call:   []func(warren.CallFunc) warren.CallFunc{s.call("call 1"), nil, s.call("call 2")},
		Handle: []func(warren.HandlerFunc) warren.HandlerFunc{s.handle("handle 1"), s.handle("handle 2")},
	}}
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", brokertest.Echo, warren.HandleOptions{
			Intercept: []func(warren.HandlerFunc) warren.HandlerFunc{s.handle("handle 3"), s.handle("handle 4")},
		})
		reply, err := warren.Intercept(b, s.call("mine 1"), s.call("mine 2")).Call(t.Context(), "q", warren.Message{Body: []byte("x")})
		require.NoError(t, err)
		require.Equal(t, "x", string(reply.Body))
		require.Equal(t, steps{
			"mine 1", "mine 2", "call 1", "call 2", "handle 1", "handle 2", "handle 3", "handle 4",
			"/handle 4", "/handle 3", "/handle 2", "/handle 1", "/call 2", "/call 1", "/mine 2", "/mine 1",
		}, s)
	})
}

func TestEachVirtualHostHasItsOwnChainOfCalls(t *testing.T) {
	made := 0
	var s steps
	o := &warren.Options{Intercept: warren.Interceptors{
		Call: []func(warren.CallFunc) warren.CallFunc{func(next warren.CallFunc) warren.CallFunc {
			made++
			return s.call("c")(next)
		}},
	}}
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		o.Intercept.Call[0] = nil // the broker has a list of its own
		other, err := b.VirtualHostDeclare("other")
		require.NoError(t, err)
		require.Zero(t, made, "nobody has called")
		brokertest.Handle(t, b, "q", brokertest.Reply("root"))
		brokertest.Handle(t, other, "q", brokertest.Reply("other"))
		for range 3 {
			reply, err := b.Call(t.Context(), "q", warren.Message{})
			require.NoError(t, err)
			require.Equal(t, "root", string(reply.Body))
			reply, err = other.Call(t.Context(), "q", warren.Message{})
			require.NoError(t, err)
			require.Equal(t, "other", string(reply.Body))
		}
		require.Equal(t, 2, made, "once for each virtual host")
		require.Len(t, s, 12)
	})
}

// callWith are options with one interceptor of calls.
func callWith(f func(next warren.CallFunc) warren.CallFunc) *warren.Options {
	return &warren.Options{Intercept: warren.Interceptors{Call: []func(warren.CallFunc) warren.CallFunc{f}}}
}

func TestPanicOfAnInterceptorOfCallsIsTheCallers(t *testing.T) {
	for name, after := range map[string]bool{"before next": false, "after next": true} {
		t.Run(name, func(t *testing.T) {
			o := callWith(func(next warren.CallFunc) warren.CallFunc {
				return func(ctx context.Context, queue string, msg warren.Message, opts ...warren.CallOptions) (warren.Message, error) {
					if after {
						_, _ = next(ctx, queue, msg, opts...)
					}
					panic("oops")
				}
			})
			brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
				brokertest.Handle(t, b, "q", brokertest.Echo)
				require.PanicsWithValue(t, "oops", func() { _, _ = b.Call(t.Context(), "q", warren.Message{Body: []byte("x")}) })
				brokertest.Clean(t, b)
			})
		})
	}
}

func TestPanicWhileTheChainIsMadeIsTheCallersEachTime(t *testing.T) {
	tries := 0
	o := callWith(func(next warren.CallFunc) warren.CallFunc {
		if tries++; tries < 3 {
			panic("oops")
		}
		return next
	})
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", brokertest.Echo)
		call := func() (warren.Message, error) { return b.Call(t.Context(), "q", warren.Message{Body: []byte("x")}) }
		require.Panics(t, func() { _, _ = call() })
		require.Panics(t, func() { _, _ = call() })
		reply, err := call()
		require.NoError(t, err)
		require.Equal(t, "x", string(reply.Body))
	})
}

func TestInterceptorOfCallsMayAnswerItselfOrCallTwice(t *testing.T) {
	o := callWith(func(next warren.CallFunc) warren.CallFunc {
		return func(ctx context.Context, queue string, msg warren.Message, opts ...warren.CallOptions) (warren.Message, error) {
			switch queue {
			case "mine":
				return warren.Message{Body: []byte("mine")}, nil
			case "refused":
				return warren.Message{}, errRefused
			}
			first, err := next(ctx, queue, msg, opts...)
			if err != nil {
				return first, err
			}
			msg.Body = first.Body
			return next(ctx, queue, msg, opts...)
		}
	})
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "more", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: append([]byte("more "), req.Body...)}, nil
		})
		reply, err := b.Call(t.Context(), "mine", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "mine", string(reply.Body))
		_, err = b.Call(t.Context(), "refused", warren.Message{})
		require.ErrorIs(t, err, errRefused)
		text, err := b.Call(t.Context(), "more", warren.Message{Body: []byte("work")}, warren.CallOptions{RequireConsumer: true})
		require.NoError(t, err)
		require.Equal(t, "more more work", string(text.Body))
		_, err = warren.CallFor[string](t.Context(), b, "nowhere", 1)
		require.ErrorIs(t, err, warren.ErrNoRoute)
		brokertest.Clean(t, b)
	})
}

func TestInterceptorsStandOutsideOfTheTracersOperationOfACall(t *testing.T) {
	tracer := &spans{}
	o := callWith(func(next warren.CallFunc) warren.CallFunc {
		return func(ctx context.Context, queue string, msg warren.Message, opts ...warren.CallOptions) (warren.Message, error) {
			_, _ = next(ctx, queue, msg, opts...)
			return next(ctx, queue, msg, opts...)
		}
	})
	o.Tracer = tracer
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		_, err := b.Call(t.Context(), "nowhere", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNoRoute)
		require.Equal(t, []string{
			`1 call "" "nowhere"`, "1 ends: " + err.Error(), `2 call "" "nowhere"`, "2 ends: " + err.Error(),
		}, tracer.take())
	})
}

var errRefused = errors.New("refused by an interceptor")
