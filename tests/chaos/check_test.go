package chaos_test

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// check looks at what is left when all clients have gone:
//
//   - what was confirmed has been settled by somebody or is there, in its queue
//     or, if that loses messages, in dead; once;
//   - what was settled for certain, or never committed, is not there;
//   - each queue has the order of each publisher;
//   - the counts are right, and nothing is left of anything in the end.
func (r *round) check(ch *warren.Channel) {
	r.wait("delayed and unsettled messages", func() bool {
		s := r.broker.Stats()
		return s.Delayed == 0 && s.Unacked == 0 && s.Consumers == 0 && s.Sessions == 1
	})
	r.wait("what expires", func() bool { return r.count(ch, "hasty") == 0 })
	for _, q := range queues {
		require.Zero(r.t, r.state(ch, q.name).Consumers, q.name)
		if q.name == stream {
			r.read(ch)
		} else {
			r.drain(ch, q.name)
		}
	}
	_, err := ch.QueueDelete(stream, warren.QueueDeleteOptions{})
	require.NoError(r.t, err)
	r.wait("messages", func() bool {
		r.drain(ch, dead) // what has just expired
		return r.holdsNothing()
	})
	r.settled()

	s := r.broker.Stats()
	// A stream's messages are acked and dropped, and refused ones are dead letters.
	require.LessOrEqual(r.t, s.Published, s.Acked+s.Dropped+s.DeadLettered, "%+v", s)
}

// holdsNothing looks twice: a dead letter holds bytes in its old queue until it is in the
// other, but may go there while these are looked at, one after the other.
func (r *round) holdsNothing() bool {
	for range 2 {
		s := r.broker.Stats()
		if s.Ready+s.Unacked+s.Delayed+s.Consumers+s.Requesters != 0 || s.Bytes != 0 {
			return false
		}
	}
	return true
}

// wait waits for what must become so without anybody's help.
func (r *round) wait(what string, so func() bool) {
	for range 10_000 {
		if so() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	require.Fail(r.t, what+" are left", "%+v", r.broker.Stats())
}

func (r *round) state(ch *warren.Channel, queue string) warren.Queue {
	q, err := ch.QueueDeclarePassive(queue)
	require.NoError(r.t, err)
	return q
}

func (r *round) count(ch *warren.Channel, queue string) int { return r.state(ch, queue).Messages }

// ready asks for the number of messages on a channel of its own.
func (r *round) ready(queue string) int {
	ch, err := r.broker.Channel()
	if err != nil {
		return 0
	}
	defer ch.Close()
	q, _ := ch.QueueDeclarePassive(queue)
	return q.Messages
}

// drain takes all messages out of a queue, by get if it can be.
func (r *round) drain(ch *warren.Channel, queue string) {
	last := map[lane]int{}
	take := func(d warren.Delivery) {
		p, ok := r.seen(fromNative(queue, d), "the end", r.clock.Add(1))
		if !ok {
			return
		}
		r.found(p)
		if queue == dead || queue == "late" {
			return
		}
		at := r.lane(p)
		if p.number <= last[at] {
			r.failPlace(p, "comes after number %d", last[at])
		}
		last[at] = p.number
	}
	left := r.count(ch, queue)
	if queue == "single" {
		c, err := ch.Consume(queue, warren.ConsumeOptions{NoAck: true})
		require.NoError(r.t, err)
		for ; left > 0; left-- {
			d, err := c.Next(context.Background())
			require.NoError(r.t, err)
			take(d)
		}
		require.NoError(r.t, c.Cancel())
		return
	}
	for ; ; left-- {
		d, ok, err := ch.Get(queue, true)
		require.NoError(r.t, err)
		if ok {
			take(d)
		}
		if queue != dead && (ok && d.MessageCount != left-1 || !ok && left != 0) {
			r.failf("%s has %d messages where %d are left", queue, d.MessageCount, left-1)
		}
		if !ok {
			return
		}
	}
}

// read reads the whole stream.
func (r *round) read(ch *warren.Channel) {
	c, err := ch.Consume(stream, warren.ConsumeOptions{Prefetch: 1000, Offset: warren.StreamFirst()})
	require.NoError(r.t, err)
	last := map[int]int{}
	for n := range r.count(ch, stream) {
		d, err := c.Next(context.Background())
		require.NoError(r.t, err)
		if offset, ok := d.StreamOffset(); !ok || offset != int64(n) {
			r.failf("message %d of the stream has the offset %d", n, offset)
		}
		if p, ok := r.seen(fromNative(stream, d), "the end", r.clock.Add(1)); ok {
			r.found(p)
			if p.number <= last[p.publisher] {
				r.failPlace(p, "comes after number %d", last[p.publisher])
			}
			last[p.publisher] = p.number
		}
		require.NoError(r.t, d.Ack(false))
	}
	require.NoError(r.t, c.Cancel())
}

func (l *ledger) found(p place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.at(p)
	if s.drained++; s.drained > 1 {
		l.fail(p, "is there %d times", s.drained)
	}
}

// settled compares what was confirmed with what was found.
func (l *ledger) settled() {
	l.mu.Lock()
	defer l.mu.Unlock()
	subjects := map[string][]*message{}
	for _, m := range l.messages {
		if m.subject != "" {
			subjects[m.subject] = append(subjects[m.subject], m)
			continue
		}
		for _, any := range m.targets {
			l.complete(m, any)
		}
	}
	for subject, tries := range subjects {
		confirmed, there := false, 0
		for _, m := range tries {
			confirmed = confirmed || m.confirmed
			if s := l.places[place{queue: once, name: m.name}]; s != nil && len(s.history) > 0 {
				there++
			}
		}
		if there > 1 || confirmed && there == 0 {
			l.fail(place{queue: once, name: tries[0].name}, "%d of %d tries to publish %s came", there, len(tries), subject)
		}
	}
}

// complete: a message is in one of these queues, was taken from it for good, or
// is in dead, where it got from one of these. It is not in two places.
func (l *ledger) complete(m *message, any []string) {
	gone, drained := 0, 0
	where := place{name: m.name}
	for _, queue := range any {
		for _, p := range [2]place{{queue: queue, name: m.name}, {dead, queue, m.name}} {
			s := l.places[p]
			if s == nil {
				continue
			}
			where = p
			drained += s.drained
			if s.gone {
				gone++
			}
		}
	}
	if queue := fmt.Sprint(any); queue == "[loose]" {
		return // what was on its way to who broke off is nowhere
	}
	if m.confirmed && gone == 0 && drained == 0 {
		where.queue = any[0]
		l.fail(where, "is lost")
	}
	if drained > 1 {
		l.fail(where, "is there twice")
	}
}
