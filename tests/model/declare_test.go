package model_test

import (
	"fmt"
	"strings"

	"github.com/warrenmq/warren"
)

func (ch *modelChannel) QueueDeclare(name string, o warren.QueueOptions) (warren.Queue, error) {
	const method = "queue.declare"
	m, q := ch.model, ch.model.queues[name]
	o.Durable = o.Durable && !o.Exclusive // it ends with the session anyway
	inequivalent := func(arg, received, current string) (warren.Queue, error) {
		return warren.Queue{}, failure(method, 406, "inequivalent arg '%s' for queue '%s' in vhost '/': received %s but current is %s", arg, name, received, current)
	}
	switch {
	case ch.closed:
		return warren.Queue{}, warren.ErrClosed
	case isReplyName(name) || isReplyAddress(name):
		return ch.inspectReply(name)
	case strings.HasPrefix(name, "amq."):
		return warren.Queue{}, failure(method, 403, "queue name '%s' contains reserved prefix 'amq.*'", name)
	case q == nil:
		if name == "" {
			name = m.choose("amq.gen-")
		}
		q = &modelQueue{model: m, name: name, options: o}
		if o.Exclusive {
			q.owner = ch.session
		}
		m.queues[name] = q
	case q.options.Exclusive != o.Exclusive || q.owner != nil && q.owner != ch.session:
		return warren.Queue{}, lockedError(method, name)
	case q.options.Durable != o.Durable:
		return inequivalent("durable", boolText(o.Durable), boolText(q.options.Durable))
	case q.options.AutoDelete != o.AutoDelete:
		return inequivalent("auto_delete", boolText(o.AutoDelete), boolText(q.options.AutoDelete))
	default:
		is, was := arguments(o), arguments(q.options)
		for i := range is {
			if is[i] != was[i] {
				received, current := different(is[i].value, was[i].value)
				return inequivalent(is[i].name, received, current)
			}
		}
	}
	q.use()
	ch.lastQueue = name
	return q.state(), nil
}

// inspectReply: the pseudo-queue is always there, an address only as long as
// its requester.
func (ch *modelChannel) inspectReply(name string) (warren.Queue, error) {
	switch {
	case isReplyName(name) && ch.reply == nil:
		return warren.Queue{Name: name}, nil
	case isReplyAddress(name) && ch.model.requester[name] == nil:
		return warren.Queue{}, noQueueError("queue.declare", name)
	}
	return warren.Queue{Name: name, Consumers: 1}, nil
}

func (ch *modelChannel) QueueDeclarePassive(name string) (warren.Queue, error) {
	if !ch.closed && (isReplyName(name) || isReplyAddress(name)) {
		return ch.inspectReply(name)
	}
	q, err := ch.findQueue("queue.declare", name)
	if err != nil {
		return warren.Queue{}, err
	}
	q.use()
	ch.lastQueue = q.name
	return q.state(), nil
}

// different shows two values of an argument, as RabbitMQ does.
func different(received, current any) (string, string) {
	if received != nil && current != nil {
		return fmt.Sprintf("'%v'", received), fmt.Sprintf("'%v'", current)
	}
	show := func(v any) string {
		kind := map[string]string{"int64": "long", "string": "longstr", "bool": "bool", "uint8": "unsignedbyte"}
		if v == nil {
			return "none"
		}
		return fmt.Sprintf("the value '%v' of type '%s'", v, kind[fmt.Sprintf("%T", v)])
	}
	return show(received), show(current)
}

func (ch *modelChannel) QueuePurge(name string) (int, error) {
	if !ch.closed && isReplyAddress(name) {
		return 0, nil
	}
	q, err := ch.findQueue("queue.purge", name)
	if err != nil {
		return 0, err
	}
	n := len(q.ready)
	q.ready = nil
	return n, nil
}

func (ch *modelChannel) QueueDelete(name string, o warren.QueueDeleteOptions) (int, error) {
	const method = "queue.delete"
	if ch.closed {
		return 0, warren.ErrClosed
	}
	name, err := ch.queueName(method, name)
	if err != nil {
		return 0, err
	}
	q := ch.model.queues[name]
	switch {
	case q == nil:
		return 0, nil
	case q.owner != nil && q.owner != ch.session:
		return 0, lockedError(method, name)
	case o.IfUnused && len(q.consumers) > 0:
		return 0, failure(method, 406, "queue '%s' in vhost '/' in use", name)
	case o.IfEmpty && len(q.ready) > 0:
		return 0, failure(method, 406, "queue '%s' in vhost '/' not empty", name)
	}
	n := len(q.ready)
	ch.model.deleteQueue(q)
	return n, nil
}

// queueName: an empty name stands for the queue declared last.
func (ch *modelChannel) queueName(method, name string) (string, error) {
	if name != "" {
		return name, nil
	}
	if ch.lastQueue == "" {
		return "", failure(method, 404, "no previously declared queue")
	}
	return ch.lastQueue, nil
}

// findQueue finds a queue that the channel may use.
func (ch *modelChannel) findQueue(method, name string) (*modelQueue, error) {
	if ch.closed {
		return nil, warren.ErrClosed
	}
	name, err := ch.queueName(method, name)
	if err != nil {
		return nil, err
	}
	q := ch.model.queues[name]
	switch {
	case q == nil:
		return nil, noQueueError(method, name)
	case q.owner != nil && q.owner != ch.session:
		return nil, lockedError(method, name)
	}
	return q, nil
}
