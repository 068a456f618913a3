package warren

import (
	"context"
	"errors"
	"sync"

	"github.com/warrenmq/warren/internal/message"
)

// gatheringElsewhere is a CallMany of servers of another broker. One request goes there,
// and all answers come to one address: nobody tells from which queue, or how many queues
// there are. It implements addressee and waiter.
type gatheringElsewhere struct {
	vhost *VirtualHost
	ctx   context.Context // ends with the loop
	slot  *replySlot      // whoever claims it ends the gathering
	round uint64
	wake  chan struct{} // has room for one
	done  chan struct{} // closed by answered

	mu sync.Mutex
	// Guarded by mu.
	came []message.Entry // answers that the loop has not seen
	over bool
	err  error // why there are no more; written before done is closed
}

// callManyElsewhere calls yield for the answers, until there are enough or the context
// ends. It returns why the call has failed as a whole.
func (v *VirtualHost) callManyElsewhere(ctx context.Context, exchange, key string, msg *Message, o *CallManyOptions, yield func(Answer, error) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g := &gatheringElsewhere{vhost: v, ctx: ctx, wake: make(chan struct{}, 1), done: make(chan struct{})}
	address, err := g.send(exchange, key, msg, o.RequireConsumer)
	if err != nil {
		yield(Answer{}, err)
		return err
	}
	defer g.end(address)
	for answers := 0; o.Count <= 0 || answers < o.Count; {
		reply, err := g.next()
		if _, returned := errors.AsType[*Return](err); returned {
			yield(Answer{}, err) // nobody has got the request
			return err
		}
		if err != nil {
			yield(Answer{}, &AnswerError{Err: err})
			return err
		}
		if err := remoteError(reply.Headers); err != nil {
			if !yield(Answer{}, &AnswerError{Err: receivedError(err)}) {
				return nil
			}
			continue
		}
		answers++
		if !yield(Answer{Message: reply}, nil) {
			return nil
		}
	}
	return nil
}

// send sends the request, and returns the address of the answers.
func (g *gatheringElsewhere) send(exchange, key string, msg *Message, requireConsumer bool) (address string, err error) {
	v := g.vhost
	var p publishing
	p.Mandatory, p.Immediate = true, requireConsumer
	headers, err := v.prepareCall(g.ctx, &p, exchange, key, msg)
	if err != nil {
		return "", err
	}
	defer p.release(&v.broker.queues)
	if g.slot, g.round, address, err = v.replies.takeSlot(DirectReplyTo, holder{consumer: g, caller: g.ctx, waiter: g}); err != nil {
		return "", err
	}
	c := g.slot.newCall(g.ctx, g.round, msg)
	c.ReplyTo = address
	if c.CorrelationId == "" {
		c.CorrelationId = address[len(DirectReplyTo)+1:]
	}
	c.setHeaders(msg.Headers, headers)
	p.Content = c
	if err := v.sendElsewhere(&p, c); err != nil && g.slot.claim(g.round) {
		v.replies.freeSlot(g.slot)
		return "", err
	}
	return address, nil
}

// next waits for an answer. If the request was lost after it had been sent, or the
// context ends, the error says so: perhaps others would have answered.
func (g *gatheringElsewhere) next() (reply Message, err error) {
	for {
		g.mu.Lock()
		if len(g.came) > 0 {
			e := g.came[0]
			g.came = g.came[1:]
			g.mu.Unlock()
			g.vhost.broker.queues.Memory.Add(-e.Cost())
			return Message(e.Shown()), nil
		}
		err := g.err
		g.mu.Unlock()
		if err != nil {
			return Message{}, callError(g.ctx, err)
		}
		select {
		case <-g.wake:
		case <-g.ctx.Done():
			return Message{}, g.ctx.Err()
		}
	}
}

// end says that nobody waits for answers any more.
func (g *gatheringElsewhere) end(address string) {
	if !g.slot.claim(g.round) {
		<-g.done // the failure is coming, or has come
	}
	g.vhost.forget(address)
	g.mu.Lock()
	g.over = true
	came := g.came
	g.came = nil
	g.mu.Unlock()
	for i := range came {
		g.vhost.broker.queues.Memory.Add(-came[i].Cost())
	}
	g.vhost.replies.freeSlot(g.slot)
}

// answered implements waiter: the request has failed, or the broker closes.
func (g *gatheringElsewhere) answered(s *replySlot) {
	var reply Message // there is none: what comes to the address is delivered
	err := s.answer.take(&reply)
	g.mu.Lock()
	g.err = err
	g.mu.Unlock()
	g.awake()
	close(g.done)
}

func (g *gatheringElsewhere) awake() {
	select {
	case g.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// context implements addressee.
func (g *gatheringElsewhere) context() context.Context { return g.ctx }

// deliver implements addressee: an answer has come.
func (g *gatheringElsewhere) deliver(e message.Entry) bool {
	t, memory := &g.vhost.replies, &g.vhost.broker.queues.Memory
	cost := e.Cost()
	if !memory.Overdraw(cost) {
		t.droppedSlow.Add(1)
		g.slot.fail(g.round, ErrMemoryLimit)
		return false
	}
	g.mu.Lock()
	over := g.over
	if !over {
		g.came = append(g.came, e)
	}
	g.mu.Unlock()
	if over {
		memory.Add(-cost)
		t.droppedGone.Add(1)
		return false
	}
	g.awake()
	t.delivered.Add(1)
	return true
}
