package warren

import "context"

// Intercept returns a Caller that calls c through interceptors. The first one is the
// outermost. Those of c's [Options] are inside of all of them.
func Intercept(c Caller, with ...func(CallFunc) CallFunc) Caller {
	return interceptedCaller{chain(with, c.Call)}
}

// interceptedCaller is a Caller with interceptors.
type interceptedCaller struct{ call CallFunc }

func (c interceptedCaller) Call(ctx context.Context, queue string, msg Message, opts ...CallOptions) (Message, error) {
	return c.call(ctx, queue, msg, opts...)
}
