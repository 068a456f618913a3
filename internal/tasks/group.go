// Package tasks joins goroutines.
package tasks

import (
	"context"
	"sync"
)

// Group counts goroutines, to join them.
type Group struct {
	mu sync.Mutex
	// Guarded by mu.
	running int
	idle    chan struct{} // closed when running becomes zero
}

// Add counts one more, which calls Done at its end.
func (g *Group) Add() {
	g.mu.Lock()
	g.running++
	g.mu.Unlock()
}

// Done counts one less.
func (g *Group) Done() {
	g.mu.Lock()
	if g.running--; g.running == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
	g.mu.Unlock()
}

// Wait returns when no task runs, or with ctx's error.
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
