package intercept_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/intercept"
)

// What all handlers of a program get, and what only one of them has.
func Example() {
	b := warren.New(&warren.Options{Intercept: intercept.Join(
		intercept.Log(slog.Default(), intercept.LogOptions{Slow: time.Second}),
		intercept.Propagate("traceparent", "tracestate"),
	)})
	defer b.Close()
	_, err := b.Handle("charge", func(context.Context, *warren.Request) (warren.Message, error) {
		return warren.Message{Body: []byte("charged")}, nil
	}, warren.HandleOptions{Intercept: intercept.Join(
		intercept.LimitPerCaller(10),
		intercept.Idempotent(intercept.IdempotentOptions{}),
		intercept.Timeout(time.Second),
	).Handle})
	if err != nil {
		log.Fatal(err)
	}
	c := warren.Intercept(b, intercept.Retry(intercept.RetryOptions{}).Call...)
	reply, err := c.Call(context.Background(), "charge", warren.Message{})
	fmt.Println(string(reply.Body), err)
	// Output: charged <nil>
}

// The queue has room at the third try.
func ExampleRetry() {
	b := warren.New(nil)
	defer b.Close()
	tries := 0
	_, err := b.Handle("work", func(context.Context, *warren.Request) (warren.Message, error) {
		if tries++; tries < 3 {
			return warren.Message{}, warren.ErrBusy
		}
		return warren.Message{Body: []byte("done")}, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	c := warren.Intercept(b, intercept.Retry(intercept.RetryOptions{Delay: time.Millisecond}).Call...)
	reply, err := c.Call(context.Background(), "work", warren.Message{})
	fmt.Println(string(reply.Body), err, tries)
	// Output: done <nil> 3
}

// A repeat is answered, but not charged again.
func ExampleIdempotent() {
	b := warren.New(nil)
	defer b.Close()
	charged := 0
	_, err := b.Handle("charge", func(context.Context, *warren.Request) (warren.Message, error) {
		charged++
		return warren.Message{Body: fmt.Append(nil, "receipt ", charged)}, nil
	}, warren.HandleOptions{Intercept: intercept.Idempotent(intercept.IdempotentOptions{For: time.Hour}).Handle})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		reply, err := b.Call(context.Background(), "charge", warren.Message{MessageId: "order 7"})
		fmt.Println(string(reply.Body), err)
	}
	// Output:
	// receipt 1 <nil>
	// receipt 1 <nil>
}

// A panic has a code of its own.
func ExampleRecover() {
	b := warren.New(&warren.Options{Intercept: intercept.Recover(func(_ context.Context, p any) error {
		return &warren.RemoteError{Code: "bug", Text: fmt.Sprint(p)}
	})})
	defer b.Close()
	if _, err := b.Handle("q", func(context.Context, *warren.Request) (warren.Message, error) { panic("oops") }); err != nil {
		log.Fatal(err)
	}
	_, err := b.Call(context.Background(), "q", warren.Message{})
	fmt.Println(err)
	// Output: warren: the handler failed: bug: oops
}

func ExampleTimeout() {
	b := warren.New(nil)
	defer b.Close()
	_, err := b.Handle("slow", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
		<-ctx.Done() // it works on, as long as it may
		return warren.Message{}, ctx.Err()
	}, warren.HandleOptions{Intercept: intercept.Timeout(10 * time.Millisecond).Handle})
	if err != nil {
		log.Fatal(err)
	}
	_, err = b.Call(context.Background(), "slow", warren.Message{})
	fmt.Println(errors.Is(err, warren.ErrHandlerTimeout))
	fmt.Println(err)
	// Output:
	// true
	// warren: the handler failed: timeout: the handler took longer than 10ms: context deadline exceeded
}

// The third request of a caller that has two is refused.
func ExampleLimitPerCaller() {
	b := warren.New(nil)
	defer b.Close()
	entered, leave := make(chan bool), make(chan bool)
	_, err := b.Handle("q", func(context.Context, *warren.Request) (warren.Message, error) {
		entered <- true
		<-leave
		return warren.Message{}, nil
	}, warren.HandleOptions{Intercept: intercept.LimitPerCaller(2).Handle})
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error)
	for range 2 {
		go func() {
			_, err := b.Call(context.Background(), "q", warren.Message{})
			done <- err
		}()
		<-entered
	}
	_, err = b.Call(context.Background(), "q", warren.Message{})
	fmt.Println(err, warren.Repeatable(err))
	close(leave)
	fmt.Println(<-done, <-done)
	// Output:
	// warren: the handler failed: busy: the caller has 2 requests here already true
	// <nil> <nil>
}

func ExampleLog() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { // an example has no time
			if a.Key == slog.TimeKey || a.Key == "took" {
				return slog.Attr{}
			}
			return a
		},
	}))
	b := warren.New(&warren.Options{Intercept: intercept.Log(logger, intercept.LogOptions{})})
	defer b.Close()
	_, _ = b.Call(context.Background(), "nowhere", warren.Message{MessageId: "m7"})
	// Output:
	// level=WARN msg=call queue=nowhere message=m7 error="warren: message returned: 312 NO_ROUTE (exchange '', routing key 'nowhere')"
}

// The handler's own call has the header of the request.
func ExamplePropagate() {
	b := warren.New(&warren.Options{Intercept: intercept.Propagate("tenant")})
	defer b.Close()
	_, err := warren.HandleFor(b, "inner", func(ctx context.Context, _ int) (any, error) {
		return warren.RequestFrom(ctx).Headers["tenant"], nil
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = warren.HandleFor(b, "outer", func(ctx context.Context, n int) (any, error) {
		return warren.CallFor[any](ctx, b, "inner", n)
	})
	if err != nil {
		log.Fatal(err)
	}
	acme := warren.CallOptions{Properties: warren.Message{Headers: warren.Table{"tenant": "acme"}}}
	tenant, err := warren.CallFor[string](context.Background(), b, "outer", 1, acme)
	fmt.Println(tenant, err)
	// Output: acme <nil>
}
