package remote

import (
	"fmt"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
)

// ErrAbandoned: nobody has served the queue of a call for about a minute, or the queue has
// gone with the request in it; or, on RabbitMQ, the call has no deadline, and nothing was
// seen of it for half an hour: its queue was empty, and no handler of this package has it.
// It also is [warren.ErrRequestDropped]. Durable calls wait on as long as their queue is
// there.
var ErrAbandoned = fmt.Errorf("remote: nobody serves the queue any more: %w", warren.ErrRequestDropped)

const (
	lookEvery = queueExpires / 3 // a look renews the time that a queue has
	maxMisses = 3                // looks at a queue without consumers, before who waits gives up

	// Looks at a queue that is empty and served, before who waits for ever gives up. Servers
	// in other languages do not say that they have a request, but RabbitMQ takes it from them
	// after 30 minutes.
	maxUnseen = int(31 * time.Minute / lookEvery)
)

// lookout looks now and then at the queues of calls that wait for long. The broker
// elsewhere does not tell a caller when its request is lost with its queue, or when the
// last handler has gone.
func (br *bridge) lookout() {
	every := time.NewTicker(lookEvery)
	defer every.Stop()
	var ch *amqp091.Channel
	for {
		select {
		case <-every.C:
		case <-br.ended:
			return
		}
		for queue, talks := range br.waiting() {
			if ch == nil || ch.IsClosed() {
				var err error
				if ch, err = br.conn.Channel(); err != nil {
					break
				}
			}
			q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
			if err != nil {
				ch = nil
			}
			a, refused := err.(*amqp091.Error)
			gone := refused && a.Server && a.Code == amqp091.NotFound
			if gone || err == nil {
				br.missed(talks, gone, &q)
			}
		}
	}
}

// waiting returns the requests that have been waiting for long, by their queue.
func (br *bridge) waiting() map[string][]*talk {
	queues := make(map[string][]*talk)
	br.mu.Lock()
	defer br.mu.Unlock()
	for _, t := range br.asked {
		if t.sent && t.request.queue() != "" && (!t.stream || t.there.address == "") {
			if t.looks++; t.looks > 1 {
				q := t.request.queue()
				queues[q] = append(queues[q], t)
			}
		}
	}
	return queues
}

// missed notes what a look at the queue of requests has found, and ends those that wait in
// vain.
func (br *bridge) missed(talks []*talk, gone bool, q *amqp091.Queue) {
	var over []*talk
	br.mu.Lock()
	for _, t := range talks {
		t.misses++
		if q.Consumers > 0 || t.request.durable {
			t.misses = 0
		}
		t.unseen++
		if q.Consumers == 0 || q.Messages > 0 || t.there.address != "" || !br.mayLose(t) {
			t.unseen = 0
		}
		if gone || t.misses >= maxMisses || t.unseen >= maxUnseen {
			over = append(over, t)
		}
	}
	br.mu.Unlock()
	for _, t := range over {
		t.request.fail(ErrAbandoned)
	}
}

// mayLose reports whether a caller would wait for ever if its request is lost in the broker,
// as with a node of a cluster, or by a purge.
func (br *bridge) mayLose(t *talk) bool {
	_, ends := t.request.ctx.Deadline()
	return br.rabbit && !ends && !t.request.durable
}
