package queue

import (
	"cmp"
	"slices"

	"github.com/warrenmq/warren/internal/message"
)

// settledAtOnce is how many messages are settled or requeued before others get the
// queue's lock.
const settledAtOnce = 512

// Requeue puts unacked messages of c back in their old places; a nil c stands for
// Get. If seen is set, they count as redelivered. A stream has the messages already:
// c reads on. Many messages are sorted and counted first, and return as one.
func (q *Queue) Requeue(c *Consumer, items []Settling, seen bool) {
	defer c.serveFlow()
	if len(items) > settledAtOnce && q.stream == nil {
		q.requeueMany(c, items, seen)
		return
	}
	for len(items) > 0 {
		part := items[:min(len(items), settledAtOnce)]
		items = items[len(part):]
		q.mu.Lock()
		for i := range part {
			q.requeue(&part[i].Delivery.Item, seen)
		}
		q.tidy()
		q.freeRoom(c, len(part))
		q.dispatch()
		q.unlock()
	}
}

// requeueMany is Requeue for many messages. It does what each message costs without
// the lock.
func (q *Queue) requeueMany(c *Consumer, items []Settling, seen bool) {
	slices.SortFunc(items, func(a, b Settling) int { return cmp.Compare(a.Delivery.Pos, b.Delivery.Pos) })
	q.mu.Lock()
	rule := q.returnRule()
	q.mu.Unlock()
	var runs []*run
	var tooOften []Settling
	level := ^uint64(0)
	for i := range items {
		it := &items[i].Delivery.Item
		it.Counted = false
		it.Redelivered = it.Redelivered || seen
		if seen && rule.count(it) {
			tooOften = append(tooOften, items[i])
			continue
		}
		if l := it.Pos >> levelShift; l != level {
			level = l
			runs = append(runs, &run{})
		}
		runs[len(runs)-1].add(it)
	}
	for rest := tooOften; len(rest) > 0; {
		part := rest[:min(len(rest), settledAtOnce)]
		rest = rest[len(part):]
		q.mu.Lock()
		for i := range part {
			q.lose(&part[i].Delivery.Item, message.DiedDeliveryLimit)
		}
		q.freeRoom(c, len(part))
		q.unlock()
	}
	if q.disk != nil && seen && rule.counts() {
		q.countAllOnDisk(items)
	}
	if q.adopt(c, runs, len(items)-len(tooOften)) {
		q.trimRest()
		return
	}
	for _, r := range runs { // the queue was deleted meanwhile
		for r.len > 0 {
			q.forfeit(c, r)
		}
	}
}

// adopt requeues n messages, which are in runs. It reports false, and does nothing, if
// the queue is deleted.
func (q *Queue) adopt(c *Consumer, runs []*run, n int) bool {
	q.mu.Lock()
	if q.deleted {
		q.mu.Unlock()
		return false
	}
	for _, r := range runs {
		q.store.adopt(r)
	}
	q.tidy()
	q.freeRoom(c, n)
	q.dispatch()
	q.unlock()
	return true
}

// forfeit drops messages of a run, which return to a deleted queue.
func (q *Queue) forfeit(c *Consumer, r *run) {
	q.mu.Lock()
	n := 0
	for ; n < settledAtOnce && r.len > 0; n++ {
		it := r.pop()
		q.lose(&it, message.DiedRejected)
	}
	q.freeRoom(c, n)
	q.unlock()
}

// requeue puts one message back, as Requeue does. The caller then calls tidy and
// freeRoom.
func (q *Queue) requeue(it *message.Item, seen bool) {
	it.Counted = false
	it.Redelivered = it.Redelivered || seen
	if q.deleted || q.stream != nil {
		q.finish(it, false)
		return
	}
	if seen && q.returnRule().count(it) {
		q.lose(it, message.DiedDeliveryLimit)
		return
	}
	q.store.requeue(it)
	if q.disk != nil && it.Returns > 0 {
		q.disk.Returned(it.Pos, it.Returns, it.Redelivered)
	}
}

// returnRule says how often a message may be requeued.
type returnRule struct {
	always bool  // requeues are counted without a limit, too
	limit  int64 // negative: none
}

// counts reports whether requeues are counted.
func (r returnRule) counts() bool { return r.always || r.limit >= 0 }

func (q *Queue) returnRule() returnRule {
	r := returnRule{q.countsReturns, -1}
	if q.rules != nil {
		r.limit = q.rules.DeliveryLimit
	}
	return r
}

// count counts a requeue of a message if the queue counts them or has a delivery
// limit. It reports whether the limit is exceeded.
func (r returnRule) count(it *message.Item) (tooOften bool) {
	if r.counts() {
		it.Returns = max(it.Returns, it.Returns+1) // the largest count stays
	}
	return r.limit >= 0 && int64(it.Returns) > r.limit
}
