package warren

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/message"
)

// Subscription gets the events of [Broker.Subscribe], or the jobs of [Broker.Work], until
// it is closed. It has a channel and [WorkOptions].Concurrency goroutines.
type Subscription struct {
	ch       *Channel
	consumer *Consumer
	queue    string
	declared QueueOptions // of the queue
	retry    Retry
	call     DeliveryFunc
	source   *link.Source // the queue at another broker; nil: it is here

	stop     sync.Once
	stopping chan struct{} // closed by Stop
	done     chan struct{}
}

func newSubscription(ch *Channel, queue string, declared QueueOptions, r Retry, f DeliveryFunc) *Subscription {
	return &Subscription{
		ch: ch, queue: queue, declared: declared, retry: r, call: f,
		stopping: make(chan struct{}), done: make(chan struct{}),
	}
}

// start starts the consumer of a queue in this process.
func (s *Subscription) start(queue string, o *WorkOptions) (err error) {
	prefetch := o.Prefetch
	if prefetch == 0 {
		prefetch = max(1, o.Concurrency)
	}
	s.consumer, err = s.ch.runFunction(queue, ConsumeOptions{
		Concurrency: o.Concurrency, Prefetch: prefetch, shows: s.queue,
		Requeue: isUnsettled, // what receive has not settled must not be lost
	}, s.receive, s.ended)
	return err
}

// ended is called when the consumer has ended and the last call has returned.
func (s *Subscription) ended() {
	s.ch.Close()
	if s.source != nil {
		close(s.source.Ended)
		<-s.source.Over
	}
	close(s.done)
}

// Queue returns the name of the queue that the subscription reads.
func (s *Subscription) Queue() string { return s.queue }

// Done returns a channel that is closed when the subscription gets nothing more and its
// function is not being called. Err then tells why.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// Err returns nil until Done is closed, and then why the subscription has ended:
// [ErrClosed] after Stop, Close, the end of the broker or virtual host, and when the
// function has called [runtime.Goexit]; [ErrConsumerCancelled] when its queue was deleted.
func (s *Subscription) Err() error {
	select {
	case <-s.done:
		return s.consumer.Err()
	default:
		return nil
	}
}

// Close takes no more from the queue and waits for the calls of the function that are
// being made. What it returns counts as always. The rest stays in the queue for others,
// unless the queue is the subscription's own. The function itself must not call Close; it
// can call Stop.
func (s *Subscription) Close() error {
	s.Stop()
	<-s.done
	return nil
}

// Stop takes no more from the queue, as Close does, but does not wait.
func (s *Subscription) Stop() {
	s.stop.Do(func() { close(s.stopping) })
	s.consumer.Cancel()
}

// receive calls the function for a delivery, and settles the delivery if it fails. The
// caller acknowledges what it has not failed on.
func (s *Subscription) receive(ctx context.Context, d Delivery) (err error) {
	d.restore()
	f, fresh := s.arrived(&d)
	if !fresh {
		return nil
	}
	err = goexitError() // unless the function returns or panics
	defer func() {
		if p := recover(); p != nil {
			err = s.failures().recovered(p)
		}
		switch {
		case err == nil:
			settleElsewhere(f)
		case ctx.Err() == nil && !isGone(f): // else the delivery is in its queue again, or about to be
			err = s.settleFailed(ctx, &d, f, err)
		}
	}()
	return s.call(context.WithValue(ctx, deliveryKey{}, &d), d)
}

// settleFailed makes a delivery on which the function has failed come again, or a dead
// letter, and acknowledges it when that is confirmed. It returns err with what was done.
func (s *Subscription) settleFailed(ctx context.Context, d *Delivery, f *message.Forwarded, err error) error {
	ctx, cancel := untilGone(ctx, f)
	defer cancel()
	to := s.ch.vhost.site(ctx, s.ch)
	attempt := d.Attempt()
	delay, dead := s.retry.after(attempt, err)
	fate := "it is dropped"
	send := func() error { return nil }
	msg := d.failed(err, s.deduplication())
	switch {
	case dead && s.retry.DeadLetter != "":
		fate = "it goes to queue '" + s.retry.DeadLetter + "'"
		o := QueueOptions{Durable: s.declared.Durable}
		send = func() error { return publishDeclaring(ctx, to, s.retry.DeadLetter, &o, &msg) }
	case dead:
	case delay > 0:
		fate = fmt.Sprintf("it comes again in %v", delay)
		send = func() error { return publishDelayed(ctx, to, s.queue, delay, &s.declared, &msg) }
	default:
		fate = "it comes again"
		send = func() error { return publishDeclaring(ctx, to, s.queue, &s.declared, &msg) }
	}
	if sendErr := s.persist(ctx, send); sendErr != nil {
		err = errors.Join(err, sendErr)
		fate = "it stays in queue '" + s.queue + "'"
		d.Nack(false, true)
	} else {
		settleElsewhere(f)
		d.Ack(false) // if the channel has been closed, it comes once more
	}
	return &settledError{attempt, fate, err}
}

// settledError is a failure on a delivery that has been settled. It is for the log.
type settledError struct {
	attempt int
	fate    string
	err     error
}

func (e *settledError) Error() string {
	return fmt.Sprintf("attempt %d: %v; %s", e.attempt, e.err, e.fate)
}
func (e *settledError) Unwrap() error { return e.err }

func isUnsettled(err error) bool {
	_, settled := errors.AsType[*settledError](err)
	return !settled
}

// persist calls send until it succeeds, the subscription is stopped, or ctx ends. Waits
// between the calls get longer.
func (s *Subscription) persist(ctx context.Context, send func() error) error {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		err := send()
		if err == nil || ctx.Err() != nil {
			return err
		}
		s.failures().log(fmt.Errorf("what has failed cannot be passed on, the next try is in %v: %w", wait, err))
		select {
		case <-time.After(wait):
		case <-s.stopping:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

// deduplication returns the header by which the queue knows duplicates: a copy is none.
func (s *Subscription) deduplication() string {
	if d := s.declared.Deduplicate; d != nil && d.Header != "" {
		return d.Header
	}
	return DeduplicationHeader
}

func (s *Subscription) failures() failures { return failures{s.ch.vhost, s.queue, "subscription"} }
