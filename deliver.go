package warren

import (
	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/route"
	"github.com/warrenmq/warren/internal/wire"
)

// route finds the queues of the message and delivers it to them. nacked is set when
// a queue could not keep it. The error is a *Return or nil.
func (v *VirtualHost) route(p *publishing) (nacked bool, err error) {
	if p.Extra == nil && p.to == v.defaultExchange && isReplyAddress(p.Key) { // no queue has such a name
		return v.deliverRouted(p, nil, []string{p.Key}, nil)
	}
	v.mu.RLock()
	if p.Extra == nil {
		if queues, ok := p.to.Matcher.Exact(p.Key); ok && len(queues) > 0 {
			v.mu.RUnlock()
			return v.deliverRouted(p, queues, nil, nil)
		}
	}
	w := v.getWalk()
	v.walkLocked(w, p)
	v.mu.RUnlock()
	nacked, err = v.deliverRouted(p, w.Queues(), w.Replies(), w.Delays)
	v.putWalk(w)
	return nacked, err
}

// deliverRouted gives the message to the queues and requesters that routing found,
// and to the delayed exchanges (delays).
func (v *VirtualHost) deliverRouted(p *publishing, queues []*route.Queue, replies []string, delays []*delay.Store) (nacked bool, err error) {
	taken, nacked := v.offer(p, queues, replies, nil)
	if taken == len(queues) && taken > 0 && len(replies)+len(delays) == 0 { // as a rule
		p.countPassed(taken)
		return false, nil
	}
	routed := taken > 0 || nacked
	for _, d := range delays {
		if d.Add(&p.Publishing) {
			taken++
		}
	}
	c := callOf(p.Content)
	if !routed && (taken == 0 || p.Mandatory && c == nil) {
		p.countUnrouted()
		return false, v.handleUnrouted(p)
	}
	p.countPassed(taken)
	if missed := len(queues) + len(replies) + len(delays) - taken; missed > 0 && taken > 0 && c != nil {
		c.Lost(missed)
	}
	return nacked, nil
}

// offer offers the message to all queues and requesters, and counts those that took
// it. nacked is set when a queue could not keep it. l is as in queue.PushLetter.
func (v *VirtualHost) offer(p *publishing, queues []*route.Queue, replies []string, l *queue.Letters) (taken int, nacked bool) {
	if v.broker.disk != nil {
		p.Shared = len(queues) > 1 && sharesBody(p, queues)
	}
	for _, q := range queues {
		ok, err := q.PushLetter(&p.Publishing, l)
		if err != nil {
			nacked = true
		} else if ok {
			taken++
		}
	}
	for _, address := range replies {
		if v.replies.deliver(address, &p.Entry) {
			taken++
		}
	}
	return taken, nacked
}

// leastShared is how long a body is at least that several queues share on disk. A record
// that refers to another one is not much shorter than a small message, and what is shared
// is written even if all queues have settled it before.
const leastShared = 128

// sharesBody reports whether the queues, of which there are several, should have one body
// on disk.
func sharesBody(p *publishing, queues []*route.Queue) bool {
	if len(p.Body) < leastShared {
		return false
	}
	persistent, n := p.Persistent(), 0
	for _, q := range queues {
		if q.IsOnDisk() && (persistent || q.IsStream()) {
			n++
		}
	}
	return n > 1
}

// forward delivers a message that the broker already had, and that was in the entry
// from, to everything that a walk has found. It reports false if nothing took the
// message. l is as in queue.PushLetter.
func (v *VirtualHost) forward(p *publishing, from *message.Entry, queues []*route.Queue, replies []string, delays []*delay.Store, l *queue.Letters) bool {
	n := len(queues) + len(replies) + len(delays)
	if n == 0 {
		from.Lost()
		return false
	}
	c := callOf(p.Content)
	if c != nil {
		c.share(n)
	}
	taken, _ := v.offer(p, queues, replies, l)
	for _, d := range delays {
		if d.Add(&p.Publishing) {
			taken++
		}
	}
	if c != nil && taken < n {
		c.Lost(n - taken)
	}
	return taken > 0
}

// handleUnrouted counts a message that nothing took. It returns a *Return for a
// mandatory or immediate message.
func (v *VirtualHost) handleUnrouted(p *publishing) error {
	code := 0
	switch {
	case p.Immediate:
		code = wire.CodeNoConsumers
	case p.Mandatory:
		code = wire.CodeNoRoute
	case p.to == v.defaultExchange && isReplyAddress(p.Key):
		return nil // already counted as a dropped reply
	default:
		v.unroutable.Add(1)
		return nil
	}
	v.returned.Add(1)
	return &Return{
		Message: Message(p.Shown()), Code: uint16(code), Text: wire.CodeName(uint16(code)),
		Exchange: p.to.Name, RoutingKey: p.Key, content: p.Content,
	}
}

// walk finds the destinations of a message, starting at its exchange.
func (v *VirtualHost) walk(w *route.Walk, p *publishing) {
	v.mu.RLock()
	v.walkLocked(w, p)
	v.mu.RUnlock()
}

// walkLocked is walk with mu held for reading. The walk may give it up meanwhile.
func (v *VirtualHost) walkLocked(w *route.Walk, p *publishing) {
	if !p.to.Gone.Load() {
		w.From(&p.to.Exchange, &p.Publishing)
	}
}

func (v *VirtualHost) getWalk() *route.Walk {
	if w, ok := v.walks.Get().(*route.Walk); ok {
		return w
	}
	return route.NewWalk((*host)(v))
}

func (v *VirtualHost) putWalk(w *route.Walk) {
	w.Reset()
	v.walks.Put(w)
}
