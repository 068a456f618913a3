package warren_test

import (
	"context"
	"testing"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func passCall(next warren.CallFunc) warren.CallFunc {
	return func(ctx context.Context, queue string, msg warren.Message, opts ...warren.CallOptions) (warren.Message, error) {
		return next(ctx, queue, msg, opts...)
	}
}

func passHandle(next warren.HandlerFunc) warren.HandlerFunc {
	return func(ctx context.Context, req *warren.Request) (warren.Message, error) { return next(ctx, req) }
}

func passPublish(next warren.PublishFunc) warren.PublishFunc {
	return func(ctx context.Context, ch *warren.Channel, exchange, key string, msg warren.Message, o warren.PublishOptions) error {
		return next(ctx, ch, exchange, key, msg, o)
	}
}

// repeated is a list of n equal interceptors.
func repeated[F any](n int, f F) (list []F) {
	for range n {
		list = append(list, f)
	}
	return list
}

var interceptorCounts = map[string]int{"none": 0, "one": 1, "three": 3}

func BenchmarkInterceptedCall(b *testing.B) {
	for _, name := range []string{"none", "one", "three"} {
		b.Run(name, func(b *testing.B) {
			broker := warren.New(&warren.Options{Intercept: warren.Interceptors{Call: repeated(interceptorCounts[name], passCall)}})
			b.Cleanup(func() { broker.Close() })
			brokertest.Handle(b, broker, "echo", brokertest.Echo)
			ctx, msg := context.Background(), warren.Message{Body: body16}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := broker.Call(ctx, "echo", msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkInterceptor is what an interceptor of calls costs by itself: what it stands
// around fails at once, since there is no such queue.
func BenchmarkInterceptor(b *testing.B) {
	for _, name := range []string{"none", "one", "three"} {
		b.Run("call/"+name, func(b *testing.B) {
			broker := warren.New(&warren.Options{
				MaxMessageSize: 1, Intercept: warren.Interceptors{Call: repeated(interceptorCounts[name], passCall)},
			})
			b.Cleanup(func() { broker.Close() })
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := broker.Call(ctx, "nowhere", warren.Message{}); err == nil {
					b.Fatal("it must fail")
				}
			}
		})
		b.Run("publish/"+name, func(b *testing.B) {
			broker := warren.New(&warren.Options{Intercept: warren.Interceptors{Publish: repeated(interceptorCounts[name], passPublish)}})
			b.Cleanup(func() { broker.Close() })
			ch := brokertest.Channel(b, broker)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() { // it is dropped, since there is no such queue
				if err := ch.Publish(ctx, "", "nowhere", warren.Message{Body: body16}, warren.PublishOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("handle/"+name, func(b *testing.B) {
			broker := warren.New(&warren.Options{Intercept: warren.Interceptors{Handle: repeated(interceptorCounts[name], passHandle)}})
			b.Cleanup(func() { broker.Close() })
			brokertest.Handle(b, broker, "echo", brokertest.Echo)
			ctx, msg := context.Background(), warren.Message{Body: body16}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := broker.Call(ctx, "echo", msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The floor of BenchmarkInterceptor: the call of one function by another, with all that a
// Call takes and returns.
func BenchmarkInterceptorFloor(b *testing.B) {
	last := func(context.Context, string, warren.Message, ...warren.CallOptions) (warren.Message, error) {
		return warren.Message{}, nil
	}
	one := passCall(last)
	for name, f := range map[string]warren.CallFunc{"direct": last, "intercepted": one} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = f(context.Background(), "q", warren.Message{})
			}
		})
	}
}
