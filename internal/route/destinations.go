package route

// destinations are the destinations of several bindings, each once.
type destinations struct {
	queues    bag[*Queue]
	exchanges bag[*Exchange]
}

func (d *destinations) add(b *Binding) {
	if b.Queue != nil {
		d.queues.add(b.Queue)
	} else {
		d.exchanges.add(b.Exchange)
	}
}

func (d *destinations) remove(b *Binding) {
	if b.Queue != nil {
		d.queues.remove(b.Queue)
	} else {
		d.exchanges.remove(b.Exchange)
	}
}

func (d *destinations) len() int { return len(d.queues.items.list) + len(d.exchanges.items.list) }

// exact returns the queues, if no destination is an exchange.
func (d *destinations) exact() ([]*Queue, bool) {
	if d == nil || len(d.exchanges.items.list) > 0 {
		return nil, false
	}
	return d.queues.items.lend(), true
}
