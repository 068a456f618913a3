package warren_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/warrenmq/warren"
)

// An interceptor that takes the time of every handler of a broker.
func ExampleInterceptors() {
	timed := func(next warren.HandlerFunc) warren.HandlerFunc {
		return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			began := time.Now()
			reply, err := next(ctx, req)
			fmt.Println(warren.HandlerFrom(ctx).Queue(), time.Since(began) < time.Minute, err)
			return reply, err
		}
	}
	b := warren.New(&warren.Options{Intercept: warren.Interceptors{
		Handle: []func(warren.HandlerFunc) warren.HandlerFunc{timed},
	}})
	defer b.Close()
	_, err := b.Handle("greet", func(_ context.Context, req *warren.Request) (warren.Message, error) {
		return warren.Message{Body: []byte("Hello, " + string(req.Body))}, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	reply, err := b.Call(context.Background(), "greet", warren.Message{Body: []byte("world")})
	fmt.Println(string(reply.Body), err)
	// Output:
	// greet true <nil>
	// Hello, world <nil>
}

// A caller that signs its requests, beside others that do not.
func ExampleIntercept() {
	b := warren.New(nil)
	defer b.Close()
	_, err := b.Handle("whoami", func(_ context.Context, req *warren.Request) (warren.Message, error) {
		return warren.Message{Body: []byte(req.AppId)}, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	signed := warren.Intercept(b, func(next warren.CallFunc) warren.CallFunc {
		return func(ctx context.Context, queue string, msg warren.Message, opts ...warren.CallOptions) (warren.Message, error) {
			msg.AppId = "shop"
			return next(ctx, queue, msg, opts...)
		}
	})
	reply, err := signed.Call(context.Background(), "whoami", warren.Message{})
	fmt.Println(string(reply.Body), err)
	// Output: shop <nil>
}

// One function serves two queues, and tells them apart.
func ExampleHandlerFrom() {
	b := warren.New(nil)
	defer b.Close()
	same := func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
		h := warren.HandlerFrom(ctx)
		return warren.Message{Body: []byte(h.VirtualHost().Name() + " " + h.Queue())}, nil
	}
	for _, queue := range []string{"red", "green"} {
		if _, err := b.Handle(queue, same); err != nil {
			log.Fatal(err)
		}
	}
	reply, err := b.Call(context.Background(), "green", warren.Message{})
	fmt.Println(string(reply.Body), err)
	// Output: / green <nil>
}

// What an interceptor of handlers sees is the handler's own error; the caller gets this.
func ExampleRemoteErrorOf() {
	fmt.Println(warren.RemoteErrorOf(fmt.Errorf("price: %w", context.DeadlineExceeded)).Code)
	fmt.Println(warren.RemoteErrorOf(warren.ErrNotFound).Code)
	// Output:
	// timeout
	// error
}
