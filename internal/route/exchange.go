// Package route finds where messages go: matchers of exchanges, bindings, and the
// walk from an exchange to queues. What it knows of a virtual host's topology is
// guarded by a lock of the virtual host.
package route

import (
	"iter"
	"maps"

	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/queue"
)

// Exchange routes messages by its bindings.
type Exchange struct {
	Name      string
	Matcher   Matcher
	Gate      *Gate  // nil: all messages are routed at once
	Alternate string // name of the exchange for what matches no binding; empty: none

	bindings map[BindingKey]*Binding // that start here
	inbound  map[*Binding]struct{}   // that lead here
}

// Binding finds a binding that starts here, or nil.
func (x *Exchange) Binding(key BindingKey) *Binding { return x.bindings[key] }

// Bindings are those that start here.
func (x *Exchange) Bindings() iter.Seq[*Binding] { return maps.Values(x.bindings) }

// InUse reports whether bindings start here.
func (x *Exchange) InUse() bool { return len(x.bindings) > 0 }

// Inbound are the bindings that lead here.
func (x *Exchange) Inbound() iter.Seq[*Binding] { return maps.Keys(x.inbound) }

// Queue is a queue as a destination of bindings.
type Queue struct {
	queue.Queue
	inbound map[*Binding]struct{} // that lead here
}

// Inbound are the bindings that lead here.
func (q *Queue) Inbound() iter.Seq[*Binding] { return maps.Keys(q.inbound) }

// Gate is what a message passes before an exchange routes it, in this order.
type Gate struct {
	Seen   *duplicates.Cache // nil: duplicates pass
	Delays *delay.Store      // nil: nothing is kept back
}

// Close drops what is kept back.
func (g *Gate) Close() {
	if g != nil && g.Delays != nil {
		g.Delays.Close()
	}
}

// SetGate has messages pass a gate: none may go round it.
func (x *Exchange) SetGate(g *Gate) { x.Gate, x.Matcher = g, inexact{x.Matcher} }

// inexact is the matcher of an exchange with a gate.
type inexact struct{ Matcher }

// Exact always wants the walk.
func (inexact) Exact(string) ([]*Queue, bool) { return nil, false }
