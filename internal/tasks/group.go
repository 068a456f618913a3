// Package tasks counts running goroutines, so that others can wait for their
// end.
package tasks

import (
	"context"
	"sync"
)

// Group counts goroutines and lets others wait until none runs.
type Group struct {
	mu sync.Mutex
	// Guarded by mu.
	running int
	idle    chan struct{} // closed when running becomes zero
}

// Add counts one more goroutine. The goroutine calls Done at its end.
func (g *Group) Add() {
	g.mu.Lock()
	g.running++
	g.mu.Unlock()
}

// Done counts one goroutine less.
func (g *Group) Done() {
	g.mu.Lock()
	if g.running--; g.running == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
	g.mu.Unlock()
}

// Wait waits until no goroutine runs. It fails with ctx's error.
func (g *Group) Wait(ctx context.Context) error {
	g.mu.Lock()
	if g.running == 0 {
		g.mu.Unlock()
		return nil
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
