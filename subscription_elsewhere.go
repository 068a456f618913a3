package warren

import (
	"context"
	"time"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/names"
)

// A subscription of a queue at another broker has a queue in this process, too, which
// gets as many messages as are taken from the other one in advance. What the function has
// not begun when the connection is lost, it does not get.

// startTime is how long a subscription waits for the other broker when it begins.
const startTime = 30 * time.Second

// startElsewhere starts the consumer, and lets the other broker fill its queue.
func (s *Subscription) startElsewhere(o *WorkOptions, declare func(site) error) error {
	ctx, cancel := context.WithTimeout(s.ch.context(), startTime)
	defer cancel()
	if err := (&ConsumeOptions{Prefetch: o.Prefetch}).check(); err != nil {
		return err
	}
	v, here := s.ch.vhost, names.New("elsewhere-")
	if _, err := s.ch.QueueDeclare(here, QueueOptions{Exclusive: true}); err != nil {
		return err
	}
	source := &link.Source{
		Queue: s.queue, Own: s.declared.Exclusive, Prefetch: max(0, o.Prefetch),
		Declare:  func(ctx context.Context) error { return declare(v.site(ctx, s.ch)) },
		Deliver:  func(a *link.Arrival) { s.ch.take(here, a) },
		Withdraw: func() { s.ch.QueuePurge(here) },
		Deleted:  func() { s.ch.QueueDelete(here, QueueDeleteOptions{}) },
		Stopping: s.stopping, Ended: make(chan struct{}), Over: make(chan struct{}),
	}
	if o.Prefetch == 0 {
		source.Prefetch = max(1, o.Concurrency)
	}
	s.source = source
	begun := *o
	begun.Prefetch = 0 // what the function has not begun can be withdrawn
	if err := s.start(here, &begun); err != nil {
		return err
	}
	return v.elsewhere.Consume(ctx, source)
}

// take puts a message of another broker into a queue.
func (ch *Channel) take(queue string, a *link.Arrival) {
	f := &message.Forwarded{
		Content: message.NewPublished(a.Properties), Settle: a.Settle, Gone: a.Gone, Redelivered: a.Redelivered,
	}
	p := newPublishing(PublishOptions{})
	p.Body, p.Key, p.Exchange, p.Content = a.Body, a.RoutingKey, &a.Exchange, f
	if q := ch.vhost.queue(queue); q != nil {
		if taken, err := q.Push(&p.Publishing); taken && err == nil {
			return
		}
	}
	f.Lost(1)
}

// forwarded returns the content of an unsettled delivery that came from another broker,
// or nil.
func (ch *Channel) forwarded(tag uint64) *message.Forwarded {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if d := ch.unacked.Find(tag); d != nil {
		f, _ := d.Content.(*message.Forwarded)
		return f
	}
	return nil
}

// arrived returns the content of a delivery that came from another broker, or nil. It is
// not fresh if the other broker has it again.
func (s *Subscription) arrived(d *Delivery) (f *message.Forwarded, fresh bool) {
	if s.source == nil {
		return nil, true
	}
	f = s.ch.forwarded(d.DeliveryTag)
	if f == nil || isGone(f) {
		return nil, false
	}
	d.Redelivered = d.Redelivered || f.Redelivered
	return f, true
}

func isGone(f *message.Forwarded) bool { return f != nil && f.Gone.Err() != nil }

// settleElsewhere acknowledges a message at the other broker. f may be nil.
func settleElsewhere(f *message.Forwarded) {
	if f != nil {
		f.Settle(message.Acked)
	}
}

// untilGone returns a context that also ends when the other broker has a message again. f
// may be nil.
func untilGone(ctx context.Context, f *message.Forwarded) (context.Context, context.CancelFunc) {
	if f == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(f.Gone, cancel)
	return ctx, func() { stop(); cancel() }
}
