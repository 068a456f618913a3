package warrentest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/names"
)

// Question is a request that a test has sent, and what has come back: see [Broker.Ask].
type Question struct {
	broker  *Broker
	queue   string
	body    string
	id      string // the correlation id
	ch      *warren.Channel
	replies *warren.Consumer
	running sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	got  []warren.Delivery
	more chan struct{} // closed when there is another reply; made by next
}

// Ask sends a request to a queue of the virtual host "/", by the default exchange, and
// does not wait for the answer. The requester is one as over AMQP, with the direct
// reply-to pseudo-queue and a correlation id of its own. It fails the test if there is no
// such queue.
func (b *Broker) Ask(queue, body string) *Question {
	b.t.Helper()
	return b.AskMessage(queue, warren.Message{Body: []byte(body)})
}

// AskMessage is [Broker.Ask] with a whole message. Its ReplyTo is replaced, and its
// CorrelationId is used unless it is empty.
func (b *Broker) AskMessage(queue string, m warren.Message) *Question {
	b.t.Helper()
	ch, err := b.root.Channel()
	b.check(err, "open a channel for a question")
	q := &Question{broker: b, queue: queue, body: string(m.Body), ch: ch}
	b.t.Cleanup(q.Leave)
	q.replies, err = ch.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
	b.check(err, "consume the replies to a question")
	q.running.Go(q.read)
	m.ReplyTo = warren.DirectReplyTo
	if m.CorrelationId == "" {
		m.CorrelationId = names.New("ask-")
	}
	q.id = m.CorrelationId
	err = ch.Publish(b.t.Context(), "", queue, m, warren.PublishOptions{Mandatory: true})
	if errors.Is(err, warren.ErrNoRoute) {
		b.t.Fatalf("warrentest: nobody can be asked %.100q: there is no queue %q; start the server first, or declare its queue", m.Body, queue)
	}
	b.check(err, "send the request")
	return q
}

// Leave lets the requester go away, as if its process had died: a reply that comes later
// has no receiver. A second Leave does nothing.
func (q *Question) Leave() {
	q.ch.Close()
	q.running.Wait()
}

// Replies returns the replies so far, in the order in which they came. Those with another
// correlation id are among them.
func (q *Question) Replies() []warren.Delivery {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.got)
}

// Reply waits for the first reply and returns it. It fails the test after 5 seconds, or
// the time within, and for a reply with another correlation id.
func (q *Question) Reply(within ...time.Duration) warren.Message {
	t := q.broker.t
	t.Helper()
	if bound := boundOf(within); !q.await(bound) {
		q.broker.inVain(bound, "the answer to "+q.String(), []string{q.where()})
	}
	first := q.Replies()[0]
	if first.CorrelationId != q.id {
		t.Fatalf("warrentest: the answer %.100q to %s has the correlation id %q, not %q: let the server copy it from the request",
			first.Body, q, first.CorrelationId, q.id)
	}
	return first.Message
}

// RequireReply waits for the first reply and fails the test unless it has this body and
// is no error.
func (q *Question) RequireReply(body string, within ...time.Duration) {
	t := q.broker.t
	t.Helper()
	switch m := q.Reply(within...); {
	case codeOf(m) != "":
		t.Fatalf("warrentest: %s was answered with the error %s, not with %.100q", q, errorOf(m), body)
	case string(m.Body) != body:
		t.Fatalf("warrentest: %s was answered with %.100q, not with %.100q", q, m.Body, body)
	}
}

// RequireError waits for the first reply and fails the test unless it says an error of
// this code, as a handler's does: see [warren.RemoteError].
func (q *Question) RequireError(code string, within ...time.Duration) {
	t := q.broker.t
	t.Helper()
	switch m := q.Reply(within...); {
	case codeOf(m) == "":
		t.Fatalf("warrentest: %s was answered with %.100q, not with an error of the code %q", q, m.Body, code)
	case codeOf(m) != code:
		t.Fatalf("warrentest: %s was answered with the error %s, not with one of the code %q", q, errorOf(m), code)
	}
}

// RequireNoReply waits for d, and fails the test if there has been a reply then.
func (q *Question) RequireNoReply(d time.Duration) {
	t := q.broker.t
	t.Helper()
	if q.await(d) {
		t.Fatalf("warrentest: within %v %s was to have no answer, and it has %s", d, q, describe("answer", q.Replies()))
	}
}

// RequireOneReply waits until there is a reply, and then for d, and fails the test if
// there has been another one then.
func (q *Question) RequireOneReply(d time.Duration) {
	t := q.broker.t
	t.Helper()
	q.Reply()
	if q.awaitMore(1, d) {
		t.Fatalf("warrentest: within %v %s was to have one answer, and it has %s", d, q, describe("answer", q.Replies()))
	}
}

// boundOf is how long a wait takes at most.
func boundOf(within []time.Duration) time.Duration {
	if len(within) > 0 {
		return within[0]
	}
	return usualBound
}

// String says what was asked.
func (q *Question) String() string {
	return fmt.Sprintf("the question %.100q to queue %q", q.body, q.queue)
}

// where says where the request may be.
func (q *Question) where() string {
	info, err := q.broker.root.Queue(q.queue)
	if err != nil {
		return fmt.Sprintf("queue %q: %v", q.queue, err)
	}
	return fmt.Sprintf("queue %q: %d ready, %d unacked, %d consumers", q.queue, info.Ready, info.Unacked, info.Consumers)
}

// read reads replies until the requester goes away.
func (q *Question) read() {
	for d, err := range q.replies.Deliveries(context.Background()) {
		if err != nil {
			return
		}
		q.mu.Lock()
		q.got = append(q.got, d)
		if q.more != nil {
			close(q.more)
			q.more = nil
		}
		q.mu.Unlock()
	}
}

// await waits for d at most until there is a reply, and reports whether there is one.
func (q *Question) await(d time.Duration) bool { return q.awaitMore(0, d) }

// awaitMore waits for d at most until there are more than n replies.
func (q *Question) awaitMore(n int, d time.Duration) bool {
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	for {
		q.mu.Lock()
		have := len(q.got)
		if q.more == nil {
			q.more = make(chan struct{})
		}
		more := q.more
		q.mu.Unlock()
		if have > n {
			return true
		}
		select {
		case <-more:
		case <-timeout.C:
			return false
		}
	}
}

// codeOf returns the code of the error that a reply says, or nothing.
func codeOf(m warren.Message) string {
	code, _ := m.Headers[warren.ErrorCodeHeader].(string)
	return code
}

// errorOf describes the error that a reply says.
func errorOf(m warren.Message) string {
	return fmt.Sprintf("%q (%v)", codeOf(m), m.Headers[warren.ErrorTextHeader])
}
