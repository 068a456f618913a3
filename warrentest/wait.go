package warrentest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/warrenmq/warren"
)

// The waits return when the broker has come to a state, and end the test if it does not
// within 5 seconds, or within the time that is given as their last argument. They look
// again and again, because the broker tells nobody of each message: what they wait for
// has to last until they look. In a bubble of testing/synctest the pauses between two
// looks take virtual time, 5 ms at most.

// usualBound is how long waits take at most, unless the test says otherwise.
const usualBound = 5 * time.Second

// Pauses between two looks. They grow, because what comes soon mostly comes at once.
const (
	firstPause   = 50 * time.Microsecond
	longestPause = 5 * time.Millisecond
)

// until looks until ok returns true, or the bound is over, which it returns.
func until(within []time.Duration, ok func() bool) (bound time.Duration, done bool) {
	bound = usualBound
	if len(within) > 0 {
		bound = within[0]
	}
	end := time.Now().Add(bound)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if ok() {
			return bound, true
		}
		left := time.Until(end)
		if left <= 0 {
			return bound, false
		}
		time.Sleep(min(pause, left))
	}
}

// inVain ends the test, because a wait for something was in vain. There is what these
// lines say.
func (b *Broker) inVain(bound time.Duration, what string, lines []string) {
	b.t.Helper()
	if len(lines) == 0 {
		lines = []string{"nothing to do: the broker is idle"}
	}
	b.t.Fatalf("warrentest: waited %v in vain for %s; there is now:\n  %s\nIf it only takes longer, give the wait a longer time as its last argument.",
		bound, what, strings.Join(lines, "\n  "))
}

// waitQueue waits until ok returns true for a queue. In vain, more shows more of it.
func (b *Broker) waitQueue(queue, what string, within []time.Duration, ok func(q *warren.QueueInfo) bool, more func() []string) {
	b.t.Helper()
	var q warren.QueueInfo
	var err error
	bound, done := until(within, func() bool {
		q, err = b.root.Queue(queue)
		return err == nil && ok(&q)
	})
	if done {
		return
	}
	line := queueLine(&q)
	if err != nil {
		line = b.noQueue(queue)
	}
	b.inVain(bound, fmt.Sprintf("queue '%s' to %s", queue, what), slices.Concat([]string{line}, more(), b.busy(queue)))
}

// nothingMore shows nothing more.
func nothingMore() []string { return nil }

// WaitReady waits until exactly n messages of a queue are ready; of a stream, until it has
// n messages. The queue may come meanwhile. What consumers have taken is not ready, see
// [Broker.WaitUnacked]. Like all waits, it takes 5 seconds at most, or the time within.
func (b *Broker) WaitReady(queue string, n int, within ...time.Duration) {
	b.t.Helper()
	b.waitQueue(queue, "have "+count(n, "ready message", "ready messages"), within,
		func(q *warren.QueueInfo) bool { return q.Ready == n }, nothingMore)
}

// WaitConsumers waits until a queue has exactly n consumers, with its handlers: one each.
func (b *Broker) WaitConsumers(queue string, n int, within ...time.Duration) {
	b.t.Helper()
	b.waitQueue(queue, "have "+count(n, "consumer", "consumers"), within,
		func(q *warren.QueueInfo) bool { return q.Consumers == n }, nothingMore)
}

// WaitUnacked waits until exactly n messages of a queue are delivered and not settled.
// Zero: until all that was delivered is settled.
func (b *Broker) WaitUnacked(queue string, n int, within ...time.Duration) {
	b.t.Helper()
	b.waitQueue(queue, "have "+count(n, "unacked message", "unacked messages"), within,
		func(q *warren.QueueInfo) bool { return q.Unacked == n }, nothingMore)
}

// WaitCalls waits until at least n requests have come to a queue since it was declared,
// by Call or by clients, whether they are served already or not: so a fast handler cannot
// be missed. It counts all messages that the queue has taken.
func (b *Broker) WaitCalls(queue string, n int, within ...time.Duration) {
	b.t.Helper()
	var came uint64
	b.waitQueue(queue, "have got "+count(n, "call", "calls"), within, func(q *warren.QueueInfo) bool {
		came = q.Published
		return came >= uint64(max(0, n))
	}, func() (lines []string) {
		lines = append(lines, fmt.Sprintf("%s so far in it, served or not", count(int(came), "request", "requests")))
		for _, h := range b.root.Handlers() {
			if h.Queue == queue && h.Serving == 0 { // else it is among what is not idle
				lines = append(lines, handlerLine(&h))
			}
		}
		return lines
	})
}

// WaitConnections waits until exactly n connections of clients are open, in all virtual
// hosts: until the broker knows that others have gone, too.
func (b *Broker) WaitConnections(n int, within ...time.Duration) {
	b.t.Helper()
	bound, done := until(within, func() bool { return len(b.Server.Connections()) == n })
	if !done {
		lines := b.connectionLines()
		if len(lines) == 0 {
			lines = []string{"no connection"}
		}
		b.inVain(bound, count(n, "connection", "connections")+" to be open", lines)
	}
}

// WaitIdle waits until the broker has nothing to do in any virtual host: no queue that
// has consumers has ready messages, nothing is delivered and not settled, no call waits
// for an answer, no publisher is blocked or waits for the disk. Streams do not count, nor
// do messages that wait for a delay or a TTL, nor what a fault holds back.
//
// In a bubble of [testing/synctest] everything that could happen at once has happened
// then. Elsewhere the broker does not know what a client is about to send, so wait for the
// client's publishes first, by their confirms.
func (b *Broker) WaitIdle(within ...time.Duration) {
	b.t.Helper()
	var before traffic
	quiet := false // nothing kept it from being idle at the look before
	bound, done := until(within, func() bool {
		now := b.traffic()
		if len(b.busy("")) > 0 {
			quiet = false
			return false
		}
		// What moves from one queue to another might be seen in neither. So nothing may
		// have moved since the look before.
		idle := quiet && now == before
		quiet, before = true, now
		return idle
	})
	if !done {
		b.inVain(bound, "the broker to be idle", b.busy(""))
	}
}

// traffic counts what has moved so far.
type traffic struct {
	queues                                 warren.QueueCounts
	replies, dropped, returned, unroutable uint64
	octets                                 uint64
}

// traffic returns what has moved so far.
func (b *Broker) traffic() traffic {
	s := b.Stats()
	t := traffic{
		queues: s.QueueCounts, replies: s.Replies, dropped: s.RepliesTooLate + s.RepliesTooFast,
		returned: s.Returned, unroutable: s.Unroutable,
	}
	for _, c := range b.Server.Connections() {
		t.octets += c.Received + c.Sent
	}
	return t
}

// WaitFor waits until ok returns true. It is called in the test's goroutine, again and
// again, and must not block. What says for the failure what ok waits for, such as "the
// worker to reconnect".
func (b *Broker) WaitFor(what string, ok func() bool, within ...time.Duration) {
	b.t.Helper()
	if bound, done := until(within, ok); !done {
		b.inVain(bound, what, b.busy(""))
	}
}
