// Package route finds the queues that a message goes to. It has the matchers of
// exchanges, bindings, and the walk from an exchange to queues. The topology's lock,
// which belongs to the virtual host, guards all of it.
package route

import (
	"iter"
	"maps"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/queue"
)

// Exchange routes messages by its bindings.
type Exchange struct {
	Name      string
	Matcher   Matcher
	Gate      *Gate  // nil: the exchange routes all messages at once
	Alternate string // name of the exchange for what matches no binding; empty: none

	// Gone is set when the exchange is deleted. Messages pass by the bindings to it
	// that have not been removed yet.
	Gone atomic.Bool

	bindings map[BindingKey]*Binding // that start here
	inbound  map[*Binding]struct{}   // that lead here
}

// Binding returns the binding of a key that starts here, or nil if there is none.
func (x *Exchange) Binding(key BindingKey) *Binding { return x.bindings[key] }

// Bindings returns the bindings that start here, in no order.
func (x *Exchange) Bindings() iter.Seq[*Binding] { return maps.Values(x.bindings) }

// BindingCount returns how many bindings start here.
func (x *Exchange) BindingCount() int { return len(x.bindings) }

// InUse reports whether bindings start here.
func (x *Exchange) InUse() bool { return len(x.bindings) > 0 }

// Inbound returns the bindings that lead here, in no order.
func (x *Exchange) Inbound() iter.Seq[*Binding] { return maps.Keys(x.inbound) }

// IsDestination reports whether bindings lead here.
func (x *Exchange) IsDestination() bool { return len(x.inbound) > 0 }

// Queue is a queue as a destination of bindings.
type Queue struct {
	queue.Queue
	// Gone is set when the queue is deleted. Messages pass by the bindings to it that
	// have not been removed yet.
	Gone    atomic.Bool
	inbound map[*Binding]struct{} // that lead here
}

// Inbound returns the bindings that lead here, in no order.
func (q *Queue) Inbound() iter.Seq[*Binding] { return maps.Keys(q.inbound) }

// Gate holds the checks that a message passes, in this order, before an exchange
// routes it.
type Gate struct {
	Seen   *duplicates.Cache // drops duplicates; nil: none are dropped
	Delays *delay.Store      // keeps messages back; nil: none are
}

// Close drops the messages that are kept back and forgets those that came. If the broker
// ends, what is kept back on disk stays there: see delay.Store.Close. On a nil gate it
// does nothing.
func (g *Gate) Close(ends bool) {
	if g == nil {
		return
	}
	g.Seen.Close()
	if g.Delays != nil {
		g.Delays.Close(ends)
	}
}

// SetGate gives the exchange a gate. Exact then never knows the queues, so that every
// message takes the Walk, which passes the gate.
func (x *Exchange) SetGate(g *Gate) { x.Gate, x.Matcher = g, inexact{x.Matcher} }

// inexact is the matcher of an exchange with a gate.
type inexact struct{ Matcher }

// Exact implements Matcher. It never knows the queues.
func (inexact) Exact(string) ([]*Queue, bool) { return nil, false }
