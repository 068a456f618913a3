package route

import "github.com/warrenmq/warren/internal/table"

// Binding leads from an exchange to a queue or to another exchange.
type Binding struct {
	BindingKey
	Source *Exchange
	Args   table.Table
}

// BindingKey tells the bindings of an exchange apart.
type BindingKey struct {
	Queue    *Queue    // destination: this
	Exchange *Exchange // or this
	Key      string    // routing key or pattern
	Args     string    // canonical form of the arguments
}

// inbound is the set at b's destination that b belongs to.
func (b *Binding) inbound() *map[*Binding]struct{} {
	if b.Queue != nil {
		return &b.Queue.inbound
	}
	return &b.Exchange.inbound
}

// Bind makes a binding that is not there yet.
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

// Unbind takes a binding out on both sides.
func Unbind(b *Binding) {
	delete(b.Source.bindings, b.BindingKey)
	b.Source.Matcher.Remove(b)
	Unlink(b)
}

// Unlink takes a binding out at its destination only: its source is gone.
func Unlink(b *Binding) { delete(*b.inbound(), b) }
