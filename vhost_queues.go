package warren

import (
	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/wire"
)

// declareQueue is queue.declare. s owns the queue if it is exclusive. s is nil for
// the broker's own declarations.
func (v *VirtualHost) declareQueue(s *Session, name string, o QueueOptions) (Queue, error) {
	const m = wire.QueueDeclareID
	if err := checkName(m, "queue name", name); err != nil {
		return Queue{}, err
	}
	name = names.Clean(name)
	o.Args = o.table()
	if name == "" {
		if queueType, replicated := argument.IsReplicated(v.broker.like, o.Args); replicated {
			return Queue{}, failure(m, wire.CodePreconditionFailed, "Cannot declare a server-named queue for type %s", queueType)
		}
		name = names.New(names.GeneratedPrefix)
	} else if err := v.checkNewName(m, "queue", name); err != nil {
		return Queue{}, err
	}
	if err := s.checkQueueAccess(m, toConfigure, name); err != nil {
		return Queue{}, err
	}
	if err := checkArguments(m, o.Args); err != nil {
		return Queue{}, err
	}
	if o.Exclusive {
		o.Durable = false // the queue ends with its session
	}
	q, fresh, err := v.ensureQueue(s, name, o)
	if err != nil {
		return Queue{}, err
	}
	if fresh {
		return Queue{Name: name}, nil
	}
	return q.state(), nil
}

// ensureQueue returns the queue with the name, and makes it if it does not exist.
func (v *VirtualHost) ensureQueue(s *Session, name string, o QueueOptions) (q *declaredQueue, fresh bool, err error) {
	v.mu.Lock()
	defer v.unlockAndNotify()
	if v.closed {
		return nil, false, ErrClosed
	}
	if q := v.queues[name]; q != nil {
		return q, false, v.checkEquivalentQueue(s, q, &o)
	}
	if err := v.checkQueueArgs(name, o.Args); err != nil {
		return nil, false, err
	}
	if err := v.checkType(name, &o); err != nil {
		return nil, false, err
	}
	if err := v.checkQueueCount(name); err != nil {
		return nil, false, err
	}
	if x, ok := o.Args["x-dead-letter-exchange"].(string); ok {
		if err := s.checkDeadLetterAccess(name, x); err != nil {
			return nil, false, err
		}
	}
	id, err := v.broker.nextStoredID(wire.QueueDeclareID, o.Durable)
	if err != nil {
		return nil, false, err
	}
	held := argumentsHeld(o.Args)
	var r memory.Reservation
	if err := v.broker.reserve(&r, wire.QueueDeclareID, queueHeld+int64(len(name))+held); err != nil {
		return nil, false, err
	}
	q = v.newQueue(name, &o, r, id)
	q.light = held <= lightArguments
	if o.Exclusive {
		if !s.addExclusive(q) {
			r.Release()
			return nil, false, ErrClosed
		}
		q.owner = s
	}
	v.queues[name] = q
	v.recordChange(change{kind: queueDeclared, queue: q})
	return q, true, nil
}

// checkEquivalentQueue fails if the declaration o differs from the queue that
// exists. It compares only arguments that have a meaning for queues.
func (v *VirtualHost) checkEquivalentQueue(s *Session, q *declaredQueue, o *QueueOptions) error {
	differ := func(arg, received, current string) error {
		return failure(wire.QueueDeclareID, wire.CodePreconditionFailed, "inequivalent arg '%s' for queue '%s' in vhost '%s': received %s but current is %s", arg, q.Name(), v.name, received, current)
	}
	if q.exclusive != o.Exclusive || q.exclusive && q.owner != s {
		return v.errLocked(wire.QueueDeclareID, q.Name())
	}
	if q.durable != o.Durable {
		return differ("durable", quoteBool(o.Durable), quoteBool(q.durable))
	}
	if q.autoDelete != o.AutoDelete {
		return differ("auto_delete", quoteBool(o.AutoDelete), quoteBool(q.autoDelete))
	}
	if d := argument.QueueDifference(v.broker.like, o.Args, q.args); d != nil {
		return differ(d.Arg, d.Received, d.Current)
	}
	return nil
}

// deleteQueue is queue.delete. It returns how many messages were ready.
func (v *VirtualHost) deleteQueue(s *Session, name string, ifUnused, ifEmpty bool) (int, error) {
	const m = wire.QueueDeleteID
	if err := checkName(m, "queue name", name); err != nil {
		return 0, err
	}
	if err := s.checkQueueAccess(m, toConfigure, name); err != nil {
		return 0, err
	}
	q := v.queue(name)
	if q == nil {
		return 0, nil
	}
	if err := v.checkOwner(m, q, s); err != nil {
		return 0, err
	}
	if err := v.checkDeleteConditions(q, ifUnused, ifEmpty); err != nil {
		return 0, err
	}
	condition := queue.Always
	if ifUnused {
		condition |= queue.IfUnused
	}
	if ifEmpty {
		condition |= queue.IfEmpty
	}
	ready, err := v.removeQueue(q, condition)
	switch err {
	case queue.ErrInUse:
		err = failure(m, wire.CodePreconditionFailed, "queue '%s' in vhost '%s' in use", name, v.name)
	case queue.ErrNotEmpty:
		err = failure(m, wire.CodePreconditionFailed, "queue '%s' in vhost '%s' not empty", name, v.name)
	}
	return ready, err
}

// checkQueueCount fails with 406 if a limit allows no more queues. mu is held.
func (v *VirtualHost) checkQueueCount(name string) error {
	for _, limit := range [...]int{v.limits.MaxQueues, v.broker.options.MaxQueues} {
		if limitReached(len(v.queues), limit) {
			return failure(wire.QueueDeclareID, wire.CodePreconditionFailed, "cannot declare queue '%s': queue limit in vhost '%s' (%d) is reached", name, v.name, max(0, limit))
		}
	}
	return nil
}
