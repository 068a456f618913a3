package model_test

import (
	"maps"
	"slices"
	"time"

	"github.com/warrenmq/warren"
)

// What a queue's rules do, in the model: everything is looked up and counted
// anew each time.

// level is the priority that counts.
func (q *modelQueue) level(msg modelMessage) uint8 {
	if q.model.fault == "priorities are ignored" {
		return 0
	}
	return min(msg.Priority, q.options.MaxPriority)
}

// sort puts the ready messages in the order in which they are served.
func (q *modelQueue) sort() {
	slices.SortStableFunc(q.ready, func(a, b modelMessage) int {
		if x, y := q.level(a), q.level(b); x != y {
			return int(y) - int(x)
		}
		return a.place - b.place
	})
}

// deadlineOf is when a message that comes now expires; zero: never.
func (q *modelQueue) deadlineOf(msg modelMessage) (deadline time.Time) {
	var lives []time.Duration
	if ttl := q.options.MessageTTL; ttl > 0 {
		lives = append(lives, ttl)
	}
	if msg.Expiration != "" {
		d, _ := time.ParseDuration(msg.Expiration + "ms")
		lives = append(lives, d)
	}
	switch {
	case len(lives) == 0:
		return time.Time{}
	case q.model.fault == "the larger time to live counts":
		return q.model.now.Add(slices.Max(lives))
	}
	return q.model.now.Add(slices.Min(lives))
}

func (msg *modelMessage) expired(now time.Time) bool {
	return !msg.deadline.IsZero() && !msg.deadline.After(now)
}

// bytes of the bodies of ready messages.
func (q *modelQueue) bytes() (n int64) {
	for _, msg := range q.ready {
		n += int64(len(msg.Body))
	}
	return n
}

func (q *modelQueue) exceeds(n int, bytes int64) bool {
	o := q.options
	if q.model.fault == "limits count what is out, too" {
		n += q.unsettled()
	}
	return o.MaxLength > 0 && int64(n) > o.MaxLength || o.MaxLengthBytes > 0 && bytes > o.MaxLengthBytes
}

func (q *modelQueue) unsettled() (n int) {
	for _, c := range q.consumers {
		n += c.unsettled()
	}
	return n
}

// refuses is for queues that reject what they have no room for.
func (q *modelQueue) refuses(msg modelMessage) bool {
	reject := q.options.Overflow == warren.RejectPublish || q.options.Overflow == warren.RejectPublishDLX
	return reject && q.exceeds(len(q.ready)+1, q.bytes()+int64(len(msg.Body)))
}

// tidy takes out what may not stay: what is too much, then what has expired.
func (q *modelQueue) tidy() {
	drops := q.options.Overflow == "" || q.options.Overflow == warren.DropHead
	for drops && len(q.ready) > 0 && q.exceeds(len(q.ready), q.bytes()) {
		at := 0
		if q.model.fault == "limits drop the last" {
			at = len(q.ready) - 1
		}
		q.loseAt(at, "maxlen")
	}
	q.dropExpired()
}

func (q *modelQueue) dropExpired() {
	for len(q.ready) > 0 && q.ready[0].expired(q.model.now) {
		q.loseAt(0, "expired")
	}
	for i := 0; q.model.fault == "messages expire anywhere" && i < len(q.ready); i++ {
		if q.ready[i].expired(q.model.now) {
			q.loseAt(i, "expired")
		}
	}
}

func (q *modelQueue) loseAt(i int, reason string) {
	msg := q.ready[i]
	q.ready = slices.Delete(q.ready, i, i+1)
	q.lose(msg, reason)
}

// deadLetter is a message that is to be dead-lettered.
type deadLetter struct {
	modelMessage
	reason string
}

func (q *modelQueue) lose(msg modelMessage, reason string) {
	if q.options.DeadLetter != nil && !q.deleted {
		q.letters = append(q.letters, deadLetter{msg, reason})
	}
}

// done is the end of whatever was done with the queue. A letter's way may lead
// back here: then it is for the one who is at it already.
func (q *modelQueue) done() {
	q.dropExpired()
	if q.sending {
		return
	}
	q.sending = true
	for len(q.letters) > 0 {
		letters := q.letters
		q.letters = nil
		for _, l := range letters {
			q.model.deadLetter(q, l)
		}
	}
	q.sending = false
}

// deadLetter publishes a message that q has lost.
func (m *model) deadLetter(q *modelQueue, l deadLetter) {
	to, msg := q.options.DeadLetter, l.modelMessage
	msg.Headers = m.died(q, l)
	if m.fault != "dead letters keep their expiration" {
		msg.Expiration = ""
	}
	msg.exchange = to.Exchange
	if m.fault == "blind keys die" {
		msg.blind = nil
	}
	keys := append(append([]string{msg.key}, keysOf(msg.Headers["CC"])...), msg.blind...)
	if to.RoutingKey != "" {
		msg.key, msg.blind = to.RoutingKey, nil
		keys = []string{msg.key}
		delete(msg.Headers, "CC")
	}
	x := m.exchanges[to.Exchange]
	if x == nil {
		return
	}
	p := &modelPublishing{modelMessage: msg}
	p.queues, p.addresses = m.route(x, keys, msg.Headers)
	p.queues = slices.DeleteFunc(p.queues, func(q *modelQueue) bool { return m.circles(msg.Headers, q) })
	m.ambiguous = m.ambiguous || p.orderMatters()
	m.give(p)
}

// died are a message's headers with one death more, the newest first: those of
// one queue for one reason count as one.
func (m *model) died(q *modelQueue, l deadLetter) warren.Table {
	h := warren.Table{}
	maps.Copy(h, l.Headers)
	keys := []any{l.key}
	for _, k := range keysOf(l.Headers["CC"]) {
		keys = append(keys, k)
	}
	death := warren.Table{
		"queue": q.name, "reason": l.reason, "exchange": l.exchange, "count": int64(1),
		"time": m.now.Truncate(time.Second), "routing-keys": keys,
	}
	if l.Expiration != "" {
		death["original-expiration"] = l.Expiration
	}
	var others []any
	old, before := l.Headers["x-death"].([]any)
	for _, v := range old {
		t := v.(warren.Table)
		if t["queue"] != q.name || t["reason"] != l.reason || m.fault == "deaths are not counted" {
			others = append(others, t)
			continue
		}
		death = maps.Clone(t)
		death["count"] = t["count"].(int64) + 1
	}
	h["x-death"] = append([]any{death}, others...)
	for k, v := range map[string]string{"reason": l.reason, "queue": q.name, "exchange": l.exchange} {
		h["x-last-death-"+k] = v
		if !before {
			h["x-first-death-"+k] = v
		}
	}
	return h
}

// circles: the message has died in q before, and nobody has rejected it since.
func (m *model) circles(headers warren.Table, q *modelQueue) bool {
	for _, v := range headers["x-death"].([]any) {
		death := v.(warren.Table)
		if death["reason"] == "rejected" && m.fault != "a reject allows no circle" {
			return false
		}
		if death["queue"] == q.name {
			return true
		}
	}
	return false
}

// keysOf are the routing keys in a header.
func keysOf(header any) (keys []string) {
	list, _ := header.([]any)
	for _, k := range list {
		keys = append(keys, k.(string))
	}
	return keys
}

// activate chooses the only consumer that gets messages: the oldest of the
// highest priority.
func (q *modelQueue) activate() {
	if !q.options.SingleActiveConsumer || slices.Contains(q.consumers, q.active) {
		return
	}
	q.active = nil
	for _, c := range q.consumers {
		newest := q.model.fault == "the newest consumer becomes active"
		if q.active == nil || c.options.Priority > q.active.options.Priority || newest {
			q.active = c
		}
	}
	if q.active != nil {
		q.join(q.active)
	}
}

// use notes that somebody uses the queue: it expires long after that.
func (q *modelQueue) use() { q.used = q.model.now }

// due is when something happens to the queue if nobody does anything; zero:
// never. A queue looks at its head only.
func (q *modelQueue) due() (at time.Time) {
	if len(q.ready) > 0 {
		at = q.ready[0].deadline
	}
	if d := q.options.Expires; d > 0 && len(q.consumers) == 0 {
		if end := q.used.Add(d); at.IsZero() || end.Before(at) {
			at = end
		}
	}
	return at
}

// Pass lets time pass. What happens does so at its time, one after another.
// Where several queues are due at the same moment, nobody can know which is
// the first.
func (m *model) Pass(d time.Duration) {
	end := m.now.Add(d)
	for {
		var next time.Time
		var due []*modelQueue
		for _, q := range m.queues {
			at := q.due()
			if at.IsZero() || at.After(end) || !next.IsZero() && at.After(next) {
				continue
			}
			if at.Before(next) {
				due = nil
			}
			next, due = at, append(due, q)
		}
		if len(due) == 0 {
			m.now = end
			return
		}
		if len(due) > 1 {
			m.ambiguous = true
			return
		}
		m.now = next
		q := due[0]
		q.done()
		if d := q.options.Expires; d > 0 && len(q.consumers) == 0 && !q.used.Add(d).After(m.now) {
			m.deleteQueue(q)
		}
	}
}

// arguments are a queue's arguments, in the order in which they are compared.
func arguments(o warren.QueueOptions) (list [10]struct {
	name  string
	value any // nil: not set
}) {
	i := 0
	add := func(name string, v any, set bool) {
		if list[i].name = name; set {
			list[i].value = v
		}
		i++
	}
	dead := warren.DeadLetter{}
	if o.DeadLetter != nil {
		dead = *o.DeadLetter
	}
	add("x-expires", o.Expires.Milliseconds(), o.Expires > 0)
	add("x-message-ttl", o.MessageTTL.Milliseconds(), o.MessageTTL > 0)
	add("x-dead-letter-exchange", dead.Exchange, o.DeadLetter != nil)
	add("x-dead-letter-routing-key", dead.RoutingKey, dead.RoutingKey != "")
	add("x-max-length", o.MaxLength, o.MaxLength > 0)
	add("x-max-length-bytes", o.MaxLengthBytes, o.MaxLengthBytes > 0)
	add("x-overflow", string(o.Overflow), o.Overflow != "")
	add("x-delivery-limit", o.DeliveryLimit, o.DeliveryLimit > 0)
	add("x-max-priority", o.MaxPriority, o.MaxPriority > 0)
	add("x-single-active-consumer", true, o.SingleActiveConsumer)
	return list
}
