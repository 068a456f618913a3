package warrentest

import (
	"fmt"
	"strings"
	"time"

	"github.com/warrenmq/warren"
)

// leftBound is how long the end of a test waits until the broker knows that clients have
// gone.
const leftBound = time.Second

// reportLeft fails the test for each thing that is left at its end, if Options.NothingLeft
// is set.
func (b *Broker) reportLeft() {
	b.t.Helper()
	if !b.options.NothingLeft {
		return
	}
	var lines []string
	until([]time.Duration{leftBound}, func() bool {
		lines = b.left()
		return len(lines) == 0
	})
	for _, line := range lines {
		b.t.Errorf("warrentest: left at the end of the test: %s", line)
	}
}

// left shows what clients and handlers have left: connections, deliveries that nobody has
// settled, calls that wait for an answer.
func (b *Broker) left() []string {
	lines := b.connectionLines()
	owner := b.sessionName()
	gone := 0 // unsettled deliveries of channels that no queue has
	for _, ch := range b.Channels() {
		gone += ch.Unacked
	}
	for _, v := range b.VirtualHosts() {
		consumers := v.Consumers()
		for i := range consumers {
			if consumers[i].Handler {
				gone += consumers[i].Unacked
			}
		}
		for _, q := range v.Queues() {
			if gone -= q.Unacked; q.Unacked > 0 {
				lines = append(lines, unsettledLine(&q, consumers, owner))
			}
		}
		if line := callsLine(v); line != "" {
			lines = append(lines, line)
		}
	}
	if gone > 0 { // or more: what waits in a consumer of this process is its queue's alone
		lines = append(lines, "at least "+count(gone, "delivery", "deliveries")+" that nobody has settled of queues that are deleted")
	}
	return lines
}

// unsettledLine shows the unsettled deliveries of a queue, and whose they are.
func unsettledLine(q *warren.QueueInfo, consumers []warren.ConsumerInfo, owner func(session string) string) string {
	var whose []string
	rest := q.Unacked
	for i := range consumers {
		c := &consumers[i]
		if c.Queue != q.Name || c.Unacked == 0 {
			continue
		}
		rest -= c.Unacked
		if c.Handler {
			whose = append(whose, fmt.Sprintf("%d of a handler", c.Unacked))
		} else {
			whose = append(whose, fmt.Sprintf("%d of consumer '%s' of %s", c.Unacked, c.Tag, owner(c.Session)))
		}
	}
	if rest > 0 {
		whose = append(whose, fmt.Sprintf("%d by basic.get, or of consumers that were cancelled", rest))
	}
	return fmt.Sprintf("%s that nobody has settled in %s: %s", count(q.Unacked, "delivery", "deliveries"), inHost("queue", q.Name, q.VirtualHost), strings.Join(whose, ", "))
}
