package warren

import (
	"context"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/route"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// gathering is a CallMany that has begun. It belongs to the goroutine of the loop.
type gathering struct {
	vhost  *VirtualHost
	ctx    context.Context
	count  int // answers after which it ends; zero or less: all
	cancel context.CancelFunc
	asked  []asked
	open   int         // how many of asked have a slot
	ready  chan *asked // has room for all
	err    error       // why it has failed as a whole
}

// asked is one of the queues that have got the request. It implements waiter.
type asked struct {
	queue *route.Queue
	name  string
	slot  *replySlot // nil: it is settled
	round uint64
	ready chan<- *asked
	reply Message
	err   error
}

// answered implements waiter. The channel has room, because each is answered once.
func (a *asked) answered(*replySlot) { a.ready <- a }

// send routes the request and gives each queue a copy. If it fails, nobody has one.
func (g *gathering) send(exchange, key string, msg *Message, requireConsumer bool) error {
	v := g.vhost
	var p publishing
	p.Mandatory, p.Immediate = true, requireConsumer
	headers, err := v.prepareCall(g.ctx, &p, exchange, key, msg)
	if err != nil {
		return err
	}
	defer p.release(&v.broker.queues)
	if props := msg.properties(); !props.Plain() {
		p.Content = message.NewChecked(props, headers)
	}
	if v.broker.disk != nil {
		if err := v.admitToDisk(g.ctx, &p, nil, nil); err != nil {
			return err
		}
	}
	p.Immediate = false // routing is no question of consumers
	if err := g.route(&p); err != nil {
		return err
	}
	p.Immediate = requireConsumer
	calls, err := g.takeSlots(msg, headers)
	if err != nil {
		return err
	}
	taken := 0
	for i := range g.asked {
		p.Content = calls[i]
		if g.push(&p, &g.asked[i]) {
			taken++
		}
	}
	p.countPassed(taken)
	return nil
}

// route finds the queues. It fails if there is none.
func (g *gathering) route(p *publishing) error {
	v := g.vhost
	w := v.getWalk()
	defer v.putWalk(w)
	v.walk(w, p)
	queues := w.Queues()
	switch {
	case w.GivenUp():
		return ErrClosed
	case len(w.Delays) > 0:
		return failure(wire.BasicPublishID, wire.CodePreconditionFailed, "exchange '%s' delays the request", p.to.Name).
			withHint("a call of many waits for answers at once: leave out the header " + DelayHeader)
	case len(queues) == 0:
		p.countUnrouted()
		return v.handleUnrouted(p)
	}
	g.asked = make([]asked, len(queues))
	g.ready = make(chan *asked, len(queues))
	for i, q := range queues {
		g.asked[i] = asked{queue: q, name: q.Name(), ready: g.ready}
	}
	return nil
}

// takeSlots gives each queue a slot, and makes its copy of the request.
func (g *gathering) takeSlots(msg *Message, headers table.Checked) ([]*call, error) {
	t := &g.vhost.replies
	var ctx context.Context
	ctx, g.cancel = context.WithCancel(g.ctx)
	calls := make([]*call, len(g.asked))
	for i := range g.asked {
		a := &g.asked[i]
		slot, round, address, err := t.takeSlot(DirectReplyTo, holder{caller: ctx, waiter: a})
		if err != nil {
			return nil, err
		}
		a.slot, a.round = slot, round
		g.open++
		c := slot.newCall(ctx, round, msg)
		c.ReplyTo = address
		if c.CorrelationId == "" {
			c.CorrelationId = address[len(DirectReplyTo)+1:]
		}
		c.setHeaders(msg.Headers, headers)
		calls[i] = c
	}
	return calls, nil
}

// push gives a queue its copy. It reports whether the queue has taken it.
func (g *gathering) push(p *publishing, a *asked) bool {
	taken, err := a.queue.Push(&p.Publishing)
	switch {
	case err != nil:
		err = nackedBy(err)
	case taken:
		return true
	case p.Immediate:
		err = ErrNoConsumers
	default:
		err = ErrNoRoute // it was deleted meanwhile, or drops the request as a duplicate
	}
	a.slot.fail(a.round, err)
	return false
}

// yieldAll yields answers and errors until there are no more, or enough.
func (g *gathering) yieldAll(yield func(Answer, error) bool) {
	answers := 0
	next := func(a *asked) (more bool) {
		if a.err != nil {
			return yield(Answer{Queue: a.name}, &AnswerError{a.name, a.err})
		}
		answers++
		return yield(Answer{a.reply, a.name}, nil) && (g.count <= 0 || answers < g.count)
	}
	for g.open > 0 {
		select {
		case a := <-g.ready:
			if g.settle(a); !next(a) {
				return
			}
		case <-g.ctx.Done():
			g.err = g.ctx.Err()
			for _, a := range g.giveUp() {
				if !next(a) {
					return
				}
			}
			return
		}
	}
}

// settle takes the answer of a queue, and frees its slot.
func (g *gathering) settle(a *asked) {
	s := a.slot
	a.err = s.answer.take(&a.reply)
	g.free(a)
	if a.err != nil {
		a.err = callError(g.ctx, a.err)
	}
}

func (g *gathering) free(a *asked) {
	g.vhost.replies.freeSlot(a.slot)
	a.slot = nil
	g.open--
}

// giveUp settles the queues that have not answered, and returns them after those whose
// answers have just come.
func (g *gathering) giveUp() (late []*asked) {
	var failed []*asked
	for i := range g.asked {
		a := &g.asked[i]
		if a.slot != nil && a.slot.claim(a.round) {
			g.free(a)
			a.err = g.ctx.Err()
			failed = append(failed, a)
		}
	}
	g.cancel()
	for g.open > 0 {
		a := <-g.ready
		g.settle(a)
		late = append(late, a)
	}
	return append(late, failed...)
}

// end gives up what is left.
func (g *gathering) end() {
	if g.cancel != nil { // else there are no slots
		g.giveUp()
	}
}
