package warren

import (
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/route"
)

// removal removes a queue or an exchange with its bindings, and the auto-delete
// exchanges that have no binding left then. What is removed is gone for everybody at
// once. If it has very many bindings, others get the virtual host's mu while these
// are removed; messages pass by those that are left.
type removal struct {
	vhost     *VirtualHost
	exchanges []*declaredExchange // removed ones that may have bindings left
	gates     []*route.Gate       // of removed exchanges
	steps     int                 // since mu was locked
}

// removedAtOnce is how many bindings are removed before others get mu.
const removedAtOnce = 512

// beginRemoval locks the virtual host's mu, which the methods need.
func (v *VirtualHost) beginRemoval() removal {
	v.mu.Lock()
	return removal{vhost: v}
}

// end removes what is left to remove and unlocks mu.
func (r *removal) end() {
	for len(r.exchanges) > 0 {
		last := len(r.exchanges) - 1
		x := r.exchanges[last]
		r.exchanges = r.exchanges[:last]
		for b := range x.Bindings() {
			route.Unlink(b)
			r.step()
		}
		for b := range x.Inbound() {
			r.binding(b)
		}
	}
	r.vhost.unlockAndNotify()
	for _, g := range r.gates {
		g.Close(false)
	}
}

// step lets others have mu now and then.
func (r *removal) step() {
	if r.steps++; r.steps >= removedAtOnce {
		r.steps = 0
		r.vhost.unlockAndNotify()
		r.vhost.mu.Lock()
	}
}

// exchange removes x. Its bindings are removed by end.
func (r *removal) exchange(x *declaredExchange) {
	v := r.vhost
	delete(v.exchanges, x.Name)
	x.Gone.Store(true)
	if c := x.passed.Load(); c != nil {
		received := c.in.End() // no queue counts for it
		v.received.Put(&received)
	}
	x.held.Release()
	v.recordChange(change{kind: exchangeDeleted, exchange: x})
	r.exchanges = append(r.exchanges, x)
	if x.Gate != nil {
		r.gates = append(r.gates, x.Gate)
	}
}

// binding removes b from its source and destination. If it was the last binding of an
// auto-delete exchange, the exchange is removed, too.
func (r *removal) binding(b *route.Binding) {
	v := r.vhost
	route.Unbind(b)
	v.recordChange(change{kind: bindingRemoved, binding: b})
	x := v.exchanges[b.Source.Name]
	if x != nil && &x.Exchange == b.Source && x.autoDelete && !x.InUse() {
		r.exchange(x)
	}
	r.step()
}

// removeQueue deletes q if the condition holds. It returns an error of package queue
// if it does not hold.
func (v *VirtualHost) removeQueue(q *declaredQueue, c queue.Condition) (ready int, err error) {
	r := v.beginRemoval()
	if v.queues[q.Name()] != q {
		v.mu.Unlock()
		return 0, nil // somebody else has deleted it
	}
	rest, ready, err := q.Close(ErrConsumerCancelled, c)
	if err != nil {
		v.mu.Unlock()
		return 0, err
	}
	delete(v.queues, q.Name())
	q.Gone.Store(true)
	if q.owner != nil {
		q.owner.removeExclusive(q)
	}
	counts := q.Counts() // some of its last deliveries may still be settled
	v.counts.Add(&counts)
	v.recordChange(change{kind: queueDeleted, queue: q})
	for b := range q.Inbound() {
		r.binding(b)
	}
	r.end()
	rest.Drop()
	v.broker.notifyReaders() // of its consumers
	return ready, nil
}

// removeAutoDeleteQueue deletes an auto-delete queue if its last consumer has ended.
func (v *VirtualHost) removeAutoDeleteQueue(q *declaredQueue, last bool) {
	if last && q.autoDelete {
		v.removeQueue(q, queue.IfUnused)
	}
}
