package route

import (
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/table"
)

// Binding leads from an exchange to a queue or to another exchange.
type Binding struct {
	BindingKey
	Source *Exchange
	Args   table.Table
	ID     uint64             // on disk; zero: the binding is not there
	Held   memory.Reservation // given back by Unlink
	place  int                // in the list of the source's matcher, if that has one
}

// BindingKey tells the bindings of an exchange apart.
type BindingKey struct {
	Queue    *Queue    // destination; nil: it is Exchange
	Exchange *Exchange // destination; nil: it is Queue
	Key      string    // routing key or pattern
	Args     string    // canonical form of the arguments
}

// Vain reports whether b's destination is deleted, so that b is going to be removed.
func (b *Binding) Vain() bool {
	if b.Queue != nil {
		return b.Queue.Gone.Load()
	}
	return b.Exchange.Gone.Load()
}

// inbound returns the set of bindings to b's destination.
func (b *Binding) inbound() *map[*Binding]struct{} {
	if b.Queue != nil {
		return &b.Queue.inbound
	}
	return &b.Exchange.inbound
}

// Bind adds a binding to its source and its destination. They must not have it.
func Bind(b *Binding) {
	x := b.Source
	if x.bindings == nil {
		x.bindings = make(map[BindingKey]*Binding)
	}
	x.bindings[b.BindingKey] = b
	x.Matcher.Add(b)
	in := b.inbound()
	if *in == nil {
		*in = make(map[*Binding]struct{})
	}
	(*in)[b] = struct{}{}
}

// Unbind removes a binding from its source and its destination.
func Unbind(b *Binding) {
	delete(b.Source.bindings, b.BindingKey)
	b.Source.Matcher.Remove(b)
	Unlink(b)
}

// Unlink removes a binding from its destination only. It is for a source that is
// deleted.
func Unlink(b *Binding) {
	delete(*b.inbound(), b)
	b.Held.Release()
}
