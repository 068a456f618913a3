package warrentest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/warrenmq/warren"
)

// Script is a server that answers requests by a list: see [Broker.Answer].
type Script struct {
	broker   *Broker
	queue    string
	ch       *warren.Channel
	consumer *warren.Consumer
	ctx      context.Context // ends with the script
	cancel   context.CancelFunc
	running  sync.WaitGroup

	answers []Answer // owned by the goroutine that reads requests
	last    int      // the last answer that is for every request; -1: there is none

	mu sync.Mutex
	// Guarded by mu.
	requests []warren.Delivery
	more     chan struct{} // closed when there are more requests; made by Wait
	held     chan struct{} // closed by Release
}

// Answer starts a server for a queue of the virtual host "/", which answers by a script:
//
//	b.Answer("prices",
//		warrentest.Fail("busy", "try again"),       // the first request
//		warrentest.Reply("42").For("AAPL"),         // each request of this body
//		warrentest.Reply("0").Late(10*time.Second), // all others
//	)
//
// Requests are looked at one after another, in the order of the queue. Each gets the first
// answer that is for it and not used up. One with For or If is for every such request. Of
// the others each is for one request, and the last of them for all that come; Times says
// otherwise. A request that no answer is for gets an error of the code "unscripted".
//
// The server is one as over AMQP: it takes requests of [warren.Broker.Call] and of clients,
// publishes the reply to the default exchange with the request's ReplyTo as the key, and
// settles the request then. A message without ReplyTo is settled and not answered. Like
// [warren.Broker.Handle], it declares the queue if there is none, transient and auto-delete.
// It ends with [Script.Stop], with [Broker.Restart] and with the test. It fails the test if
// the queue cannot be consumed from.
func (b *Broker) Answer(queue string, answers ...Answer) *Script {
	b.t.Helper()
	ch, err := b.root.Channel()
	b.check(err, "open a channel for a script")
	ctx, cancel := context.WithCancel(context.Background())
	s := &Script{
		broker: b, queue: queue, ch: ch, ctx: ctx, cancel: cancel,
		answers: slices.Clone(answers), last: -1, held: make(chan struct{}),
	}
	for i, a := range answers {
		if a.means == nil && a.times == 0 {
			s.last = i
			s.answers[i].times = 1
		} else if a.times == 0 {
			s.answers[i].times = Forever
		}
	}
	if s.last >= 0 {
		s.answers[s.last].times = Forever
	}
	if _, err := b.root.Queue(queue); err != nil {
		_, err = ch.QueueDeclare(queue, warren.QueueOptions{AutoDelete: true})
		b.check(err, fmt.Sprintf("declare queue %q for a script", queue))
	}
	s.consumer, err = ch.Consume(queue, warren.ConsumeOptions{})
	b.check(err, fmt.Sprintf("consume from queue %q for a script", queue))
	s.running.Go(s.serve)
	b.t.Cleanup(s.Stop) // before the broker ends
	return s
}

// Stop ends the server, as if its process had died: requests that it has not answered go
// back to the queue. A second Stop does nothing.
func (s *Script) Stop() {
	s.cancel()
	s.ch.Close()
	s.running.Wait()
}

// Release lets what Hang and Held hold back go on. Requests that come later are held back
// again.
func (s *Script) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.held)
	s.held = make(chan struct{})
}

// Requests returns the requests so far, in the order in which they came.
func (s *Script) Requests() []warren.Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Wait waits until n requests have come, answered or not, and returns them all. After 5
// seconds, or the time within, it fails the test.
func (s *Script) Wait(n int, within ...time.Duration) []warren.Delivery {
	b := s.broker
	b.t.Helper()
	bound := boundOf(within)
	timeout := time.NewTimer(bound)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		requests := slices.Clone(s.requests)
		if s.more == nil {
			s.more = make(chan struct{})
		}
		more := s.more
		s.mu.Unlock()
		if len(requests) >= n {
			return requests
		}
		select {
		case <-more:
		case <-timeout.C:
			b.inVain(bound, fmt.Sprintf("%d requests at the script of queue %q", n, s.queue), []string{describe("request", requests)})
		}
	}
}

// describe says how many messages there are, and what is in them.
func describe(what string, list []warren.Delivery) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d %s", len(list), what)
	if len(list) != 1 {
		text.WriteByte('s')
	}
	for i := range list {
		before := ", "
		if i == 0 {
			before = " ("
		}
		fmt.Fprintf(&text, "%s%.100q", before, list[i].Body)
	}
	if len(list) > 0 {
		text.WriteByte(')')
	}
	return text.String()
}

// serve reads requests until the script ends.
func (s *Script) serve() {
	for d, err := range s.consumer.Deliveries(s.ctx) {
		if err != nil {
			return
		}
		a := s.pick(&d)
		held := s.note(d)
		if a.late > 0 || a.held {
			s.running.Go(func() { s.answerLater(&d, &a, held) })
		} else {
			s.answer(&d, &a)
		}
	}
}

// pick returns the answer to a request.
func (s *Script) pick(d *warren.Delivery) Answer {
	for i := range s.answers {
		a := &s.answers[i]
		if a.times != 0 && (a.means == nil || a.means(d)) {
			if a.times > 0 {
				a.times--
			}
			return *a
		}
	}
	return Fail("unscripted", "the script has no answer for this request")
}

// note notes a request. It returns what Release closes.
func (s *Script) note(d warren.Delivery) (held <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, d)
	if s.more != nil {
		close(s.more)
		s.more = nil
	}
	return s.held
}

// answerLater is answer after a wait.
func (s *Script) answerLater(d *warren.Delivery, a *Answer, held <-chan struct{}) {
	if a.held {
		select {
		case <-held:
		case <-s.ctx.Done():
			return
		}
	}
	if a.late > 0 {
		timer := time.NewTimer(a.late)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			return
		}
	}
	s.answer(d, a)
}

// answer carries an answer out. Errors are those of the end of the script, and those of
// requesters that have gone.
func (s *Script) answer(d *warren.Delivery, a *Answer) {
	reply, silent := a.do(d)
	if d.ReplyTo != "" && !silent {
		if reply.CorrelationId == "" {
			reply.CorrelationId = d.CorrelationId
		}
		if a.correlation != nil {
			reply.CorrelationId = *a.correlation
		}
		if reply.ReplyTo == d.ReplyTo {
			reply.ReplyTo = "" // f has returned the request
		}
		for range 1 + a.copies {
			if err := s.ch.Publish(s.ctx, "", d.ReplyTo, reply, warren.PublishOptions{}); err != nil && s.ctx.Err() == nil && !errors.Is(err, warren.ErrClosed) {
				s.broker.t.Errorf("warrentest: the script of queue %q cannot answer the request %.100q to %q: %v", s.queue, d.Body, d.ReplyTo, err)
				break
			}
		}
	}
	_ = d.Ack(false) // it fails only if the channel is closed: then the request goes back
}
