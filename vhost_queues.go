package warren

import (
	"slices"
	"strings"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Queue is what a declaration tells of a queue.
type Queue struct {
	Name      string
	Messages  int // ready
	Consumers int
}

// declareQueue follows queue.declare. s owns the queue if it is exclusive; nil
// is the broker itself.
func (v *VirtualHost) declareQueue(s *Session, name string, o QueueOptions) (Queue, error) {
	const m = wire.QueueDeclareID
	if err := checkName(m, "queue name", name); err != nil {
		return Queue{}, err
	}
	name = cleanName(name)
	o.Args = o.table()
	if name == "" {
		if isStream(o.Args) {
			return Queue{}, failure(m, wire.CodePreconditionFailed, "Cannot declare a server-named queue for type %s", streamTypeName)
		}
		name = generateName("amq.gen-")
	} else if strings.HasPrefix(name, reservedPrefix) {
		return Queue{}, failure(m, wire.CodeAccessRefused, "queue name '%s' contains reserved prefix 'amq.*'", name)
	}
	if err := s.mayQueue(m, toConfigure, name); err != nil {
		return Queue{}, err
	}
	if err := checkTable(m, o.Args); err != nil {
		return Queue{}, err
	}
	if o.Exclusive {
		o.Durable = false // it ends with its session
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

// ensureQueue finds the queue or makes it.
func (v *VirtualHost) ensureQueue(s *Session, name string, o QueueOptions) (q *queue, fresh bool, err error) {
	v.mu.Lock()
	defer v.unlock()
	if v.closed {
		return nil, false, ErrClosed
	}
	if q := v.queues[name]; q != nil {
		return q, false, v.equivalentQueue(s, q, &o)
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
		if err := s.mayDeadLetter(name, x); err != nil {
			return nil, false, err
		}
	}
	q = &queue{vhost: v, name: name, durable: o.Durable, exclusive: o.Exclusive, autoDelete: o.AutoDelete, args: o.Args}
	q.store.pool = &v.broker.chunks
	q.policies = v.policiesFor(name, q.kind())
	q.obey(q.args)
	if open := v.broker.openJournal; open != nil {
		q.journal = open(q.name)
	}
	if o.Exclusive {
		if !s.own(q) {
			return nil, false, ErrClosed
		}
		q.owner = s
	}
	v.queues[name] = q
	v.note("queue declared", "queue", name)
	return q, true, nil
}

// equivalentQueue compares a declaration with the queue that exists: of the
// arguments only those count that mean something to a queue.
func (v *VirtualHost) equivalentQueue(s *Session, q *queue, o *QueueOptions) error {
	differ := func(arg, received, current string) error {
		return failure(wire.QueueDeclareID, wire.CodePreconditionFailed, "inequivalent arg '%s' for queue '%s' in vhost '%s': received %s but current is %s", arg, q.name, v.name, received, current)
	}
	if q.exclusive != o.Exclusive || q.exclusive && q.owner != s {
		return v.locked(wire.QueueDeclareID, q.name)
	}
	if q.durable != o.Durable {
		return differ("durable", quoteBool(o.Durable), quoteBool(q.durable))
	}
	if q.autoDelete != o.AutoDelete {
		return differ("auto_delete", quoteBool(o.AutoDelete), quoteBool(q.autoDelete))
	}
	foreign, _ := foreignArgs(q.args)
	for _, arg := range queueArgs {
		was, had := q.args[arg.name]
		is, has := o.Args[arg.name]
		if had == has && (!had || table.Equal(was, is)) || slices.Contains(foreign, arg.name) {
			continue
		}
		if arg.name == "x-queue-type" && (!had && is == "classic" || !has && was == "classic") {
			continue
		}
		received, current := quoteDifferent(is, has, was, had)
		return differ(arg.name, received, current)
	}
	return nil
}

// deleteQueue follows queue.delete and reports how many messages were ready.
func (v *VirtualHost) deleteQueue(s *Session, name string, ifUnused, ifEmpty bool) (int, error) {
	const m = wire.QueueDeleteID
	if err := checkName(m, "queue name", name); err != nil {
		return 0, err
	}
	if err := s.mayQueue(m, toConfigure, name); err != nil {
		return 0, err
	}
	q := v.queue(name)
	if q == nil {
		return 0, nil
	}
	if err := q.checkOwner(m, s); err != nil {
		return 0, err
	}
	return v.removeQueue(q, func() error {
		if ifUnused && len(q.consumers) > 0 {
			return failure(m, wire.CodePreconditionFailed, "queue '%s' in vhost '%s' in use", name, v.name)
		}
		if ifEmpty && q.ready() > 0 {
			return failure(m, wire.CodePreconditionFailed, "queue '%s' in vhost '%s' not empty", name, v.name)
		}
		return nil
	})
}

// removeQueue deletes q unless unless says otherwise, which is asked under the
// queue's lock.
func (v *VirtualHost) removeQueue(q *queue, unless func() error) (ready int, err error) {
	v.mu.Lock()
	defer v.unlock()
	if v.queues[q.name] != q {
		return 0, nil // somebody else was faster
	}
	if ready, err = q.close(ErrConsumerCancelled, unless); err != nil {
		return 0, err
	}
	delete(v.queues, q.name)
	for b := range q.inbound {
		v.removeBinding(b)
	}
	if q.owner != nil {
		q.owner.disown(q)
	}
	q.mu.Lock() // its last deliveries may be settled at the same time
	v.counts.add(&q.counts)
	q.mu.Unlock()
	v.note("queue deleted", "queue", q.name)
	return ready, nil
}

// removeIfUnused deletes an auto-delete queue whose last consumer has gone.
func (v *VirtualHost) removeIfUnused(q *queue) {
	v.removeQueue(q, func() error {
		if len(q.consumers) > 0 {
			return ErrResourceLocked
		}
		return nil
	})
}

func (c *QueueCounts) add(o *QueueCounts) {
	c.Published += o.Published
	c.Delivered += o.Delivered
	c.Redelivered += o.Redelivered
	c.Acked += o.Acked
	c.Dropped += o.Dropped
	c.DeadLettered += o.DeadLettered
}
