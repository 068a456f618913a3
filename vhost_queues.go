package warren

import (
	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/duplicates"
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

// newQueue makes a queue, which holds r and has a number on disk. The options have been
// checked and v.mu is held.
func (v *VirtualHost) newQueue(name string, o *QueueOptions, r memory.Reservation, id uint32) *declaredQueue {
	q := &declaredQueue{durable: o.Durable, exclusive: o.Exclusive, autoDelete: o.AutoDelete, args: o.Args, id: id}
	q.policies = v.policiesFor(name, argument.KindOf(o.Args))
	options := queue.Options{Held: r}
	options.Rules = argument.RulesBeside(o.Args, q.policies.definition())
	if len(o.Args) > 0 {
		options.MaxPriority = argument.MaxPriority(o.Args)
		options.SingleActive = argument.SingleActive(o.Args)
		options.CountReturns = argument.KindOf(o.Args) == argument.Quorum
		options.Stream = argument.IsStream(o.Args)
		if d, ok := argument.Duplicates(o.Args); ok {
			options.Seen = duplicates.New(d, &v.broker.queues.Clock, &v.broker.queues.Memory)
		}
	}
	if d := v.broker.disk; d != nil {
		options.Durable, options.Open = o.Durable, func() queue.Disk { return d.OpenQueue(q.engine(), q.id, q.durable) }
	}
	q.Init(name, (*host)(v), &v.broker.queues, &options)
	return q
}

// checkQueueArgs refuses arguments that are not valid for a new queue.
func (v *VirtualHost) checkQueueArgs(name string, args Table) error {
	const m = wire.QueueDeclareID
	switch p := argument.CheckQueue(v.broker.like, args); {
	case p == nil:
		return nil
	case p.WrongType:
		return failure(m, wire.CodePreconditionFailed, "invalid type '%s' for arg '%s' in queue '%s' in vhost '%s'", p.Text, p.Arg, name, v.name)
	case p.QueueType != "":
		return v.errForeignArg(m, p.Arg, name, p.QueueType)
	default:
		return v.errBadQueueArg(m, p, name)
	}
}

func (v *VirtualHost) errBadQueueArg(m wire.MethodID, p *argument.Problem, queue string) error {
	return failure(m, wire.CodePreconditionFailed, "invalid arg '%s' for queue '%s' in vhost '%s': %s", p.Arg, queue, v.name, p.Text)
}

func (v *VirtualHost) errForeignArg(m wire.MethodID, arg, queue, queueType string) error {
	return failure(m, wire.CodePreconditionFailed, "invalid arg '%s' for queue '%s' in vhost '%s' of queue type %s", arg, queue, v.name, queueType)
}

// checkType refuses properties that the type of a new queue does not allow. The
// values of its arguments have been checked.
func (v *VirtualHost) checkType(name string, o *QueueOptions) error {
	if _, replicated := argument.IsReplicated(v.broker.like, o.Args); !replicated {
		return nil
	}
	const m = wire.QueueDeclareID
	for _, p := range [...]struct {
		name    string
		refused bool
	}{{"auto-delete", o.AutoDelete}, {"exclusive-owner", o.Exclusive}, {"non-durable", !o.Durable}} {
		if p.refused {
			return failure(m, wire.CodePreconditionFailed, "invalid property '%s' for queue '%s' in vhost '%s'", p.name, name, v.name)
		}
	}
	if argument.IsStream(o.Args) {
		if problem := argument.CheckStream(o.Args); problem != "" {
			return failure(m, wire.CodePreconditionFailed, "%s", problem)
		}
	}
	return nil
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

// checkDeleteConditions refuses conditions of queue.delete that RabbitMQ's quorum
// queues do not know.
func (v *VirtualHost) checkDeleteConditions(q *declaredQueue, ifUnused, ifEmpty bool) error {
	if !v.broker.like.StrictQueueTypes || argument.KindOf(q.args) != argument.Quorum || !ifUnused && !ifEmpty {
		return nil
	}
	flag := "if-unused"
	if !ifUnused {
		flag = "if-empty"
	}
	return failure(wire.QueueDeleteID, wire.CodeNotImplemented, "cannot delete queue '%s' in vhost '%s'. queue.delete operations with %s flag set are not supported by quorum queues", q.Name(), v.name, flag)
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
