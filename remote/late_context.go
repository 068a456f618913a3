package remote

import (
	"context"
	"sync"
	"time"
)

// lateContext is a context that is made when somebody asks for it, which most handlers
// never do. It ends with end.
type lateContext struct {
	mu sync.Mutex
	// Guarded by mu.
	ctx    context.Context // nil: nobody has asked
	cancel context.CancelFunc
	over   bool
}

// made returns the context, and makes it if necessary.
func (c *lateContext) made() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		c.ctx, c.cancel = context.WithCancel(context.Background())
		if c.over {
			c.cancel()
		}
	}
	return c.ctx
}

// end ends the context.
func (c *lateContext) end() {
	c.mu.Lock()
	c.over = true
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// Deadline implements context.Context: there is none.
func (c *lateContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (c *lateContext) Done() <-chan struct{} { return c.made().Done() }

// Err implements context.Context.
func (c *lateContext) Err() error { return c.made().Err() }

// Value implements context.Context. It has what package context looks for, which asks for
// Done before.
func (c *lateContext) Value(key any) any {
	c.mu.Lock()
	ctx := c.ctx
	c.mu.Unlock()
	if ctx == nil {
		return nil
	}
	return ctx.Value(key)
}
