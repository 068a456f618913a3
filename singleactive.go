package warren

import "github.com/warrenmq/warren/internal/wire"

// activate makes a consumer the active one of a queue that has one at a time:
// the first that came of those with the highest priority.
func (q *queue) activate() {
	if !q.single || q.active != nil {
		return
	}
	for _, c := range q.consumers {
		if q.active == nil || c.priority > q.active.priority {
			q.active = c
		}
	}
	if q.active != nil && q.active.out < q.active.limit {
		q.list(q.active)
	}
}

// getsOnlyByConsumer refuses basic.get: it would take messages past the active
// consumer.
func (q *queue) getsOnlyByConsumer() error {
	kind := "classic"
	if k, ok := q.args["x-queue-type"].(string); ok {
		kind = k
	}
	return failure(wire.BasicGetID, wire.CodeResourceLocked, "cannot obtain access to locked queue '%s' in vhost '%s'. basic.get operations are not supported by %s queues with single active consumer", q.name, q.vhost.name, kind)
}
