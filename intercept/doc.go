// Package intercept has interceptors for calls, handlers, publishes and functions that
// consume, see [warren.Interceptors]. Each function returns lists that can be used for a
// whole broker, for one handler, or around one caller:
//
//	b := warren.New(&warren.Options{Intercept: intercept.Join(
//		intercept.Log(logger, intercept.LogOptions{}),
//		intercept.Propagate("traceparent", "tracestate"),
//	)})
//	h, err := b.Handle("price", price, warren.HandleOptions{
//		Intercept: intercept.Timeout(time.Second).Handle,
//	})
//	c := warren.Intercept(b, intercept.Retry(intercept.RetryOptions{}).Call...)
//
// The first is the outermost. In which order they are good: Log, Recover, LimitPerCaller,
// Idempotent, Timeout.
package intercept
