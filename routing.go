package warren

// routing collects where one message goes. A message visits each exchange
// once, and each queue gets it once.
type routing struct {
	vhost     *VirtualHost
	queues    []*queue
	exchanges []*exchange         // to visit; visited ones stay at the front
	replies   []string            // direct reply-to addresses
	seen      map[*queue]struct{} // of queues, once they are many
	entered   map[topicStep]struct{}
	found     bool // the exchange at hand had a match
}

// topicStep is a place in a topic exchange's trie with what is left of the key.
type topicStep struct {
	node *topicNode
	left int
	more bool
}

const manyQueues = 16

// route finds the destinations of a message in the vhost. The caller holds
// vhost.mu, at least for reading.
func (r *routing) route(p *publishing) {
	r.exchanges = append(r.exchanges, p.exchange)
	for i := 0; i < len(r.exchanges); i++ {
		x := r.exchanges[i]
		r.found = false
		r.visit(x, p.key, p.content)
		for _, k := range p.extra {
			r.visit(x, k, p.content)
		}
		if !r.found && x.detour != "" {
			if a := r.vhost.exchanges[x.detour]; a != nil {
				r.addExchange(a)
			}
		}
	}
}

func (r *routing) visit(x *exchange, key string, c content) {
	x.matcher.match(r, key, c)
	if r.entered != nil {
		clear(r.entered)
	}
}

// enter reports whether a step of a topic match is new.
func (r *routing) enter(n *topicNode, left int, more bool) bool {
	s := topicStep{n, left, more}
	if _, ok := r.entered[s]; ok {
		return false
	}
	if r.entered == nil {
		r.entered = make(map[topicStep]struct{})
	}
	r.entered[s] = struct{}{}
	return true
}

// add adds the destination of b.
func (r *routing) add(b *binding) {
	if b.queue != nil {
		r.addQueue(b.queue)
	} else {
		r.found = true
		r.addExchange(b.exchange)
	}
}

// addAll adds destinations that hold no doubles among themselves.
func (r *routing) addAll(d *destinations) {
	if d.empty() {
		return
	}
	r.found = true
	if len(r.queues) == 0 {
		r.queues = append(r.queues, d.queues.items...)
	} else {
		for _, q := range d.queues.items {
			r.addQueue(q)
		}
	}
	for _, x := range d.exchanges.items {
		r.addExchange(x)
	}
}

func (r *routing) addQueue(q *queue) {
	r.found = true
	if len(r.queues) < manyQueues {
		for _, have := range r.queues {
			if have == q {
				return
			}
		}
	} else {
		if r.seen == nil {
			r.seen = make(map[*queue]struct{}, 2*manyQueues)
		}
		if len(r.seen) == 0 {
			for _, have := range r.queues {
				r.seen[have] = struct{}{}
			}
		}
		if _, ok := r.seen[q]; ok {
			return
		}
		r.seen[q] = struct{}{}
	}
	r.queues = append(r.queues, q)
}

func (r *routing) addExchange(x *exchange) {
	for _, have := range r.exchanges {
		if have == x {
			return
		}
	}
	r.exchanges = append(r.exchanges, x)
}

func (r *routing) addReply(address string) {
	r.found = true
	for _, have := range r.replies {
		if have == address {
			return
		}
	}
	r.replies = append(r.replies, address)
}

// reset makes r ready for the next message and lets go of the last one's.
func (r *routing) reset() {
	clear(r.queues)
	clear(r.exchanges)
	clear(r.replies)
	clear(r.seen)
	r.queues, r.exchanges, r.replies = r.queues[:0], r.exchanges[:0], r.replies[:0]
}
