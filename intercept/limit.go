package intercept

import (
	"context"
	"fmt"
	"sync"

	"github.com/warrenmq/warren"
)

// LimitPerCaller serves at most n requests of a caller at the same time, in each handler
// that it stands around. One more fails with [warren.CodeBusy], which says that a repeat is
// safe. Callers are told apart by [warren.RequesterFrom]: a session of a client is one, all
// calls of this program are one together, and so are all whom nobody knows. Messages
// without ReplyTo have no caller, and are not limited. Zero or less: no limit.
func LimitPerCaller(n int) warren.Interceptors {
	if n <= 0 {
		return warren.Interceptors{}
	}
	return handlers(func(next warren.HandlerFunc) warren.HandlerFunc {
		l := callers{most: n, serving: make(map[warren.Requester]int)}
		return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			if req.ReplyTo == "" {
				return next(ctx, req)
			}
			caller := warren.RequesterFrom(ctx)
			if !l.enter(caller) {
				return warren.Message{}, &warren.RemoteError{
					Code: warren.CodeBusy, Text: fmt.Sprintf("the caller has %d requests here already", n),
				}
			}
			defer l.leave(caller)
			return next(ctx, req)
		}
	})
}

// callers counts what is being served for each caller.
type callers struct {
	most int

	mu sync.Mutex
	// Guarded by mu.
	serving map[warren.Requester]int // no caller has zero
}

func (c *callers) enter(caller warren.Requester) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serving[caller] >= c.most {
		return false
	}
	c.serving[caller]++
	return true
}

func (c *callers) leave(caller warren.Requester) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serving[caller]--; c.serving[caller] == 0 {
		delete(c.serving, caller)
	}
}
