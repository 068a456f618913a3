package warren

import (
	"maps"
	"slices"
	"time"

	"github.com/warrenmq/warren/internal/table"
)

// DeadLetter says where a queue sends the messages that it loses: those that
// are rejected without requeue, expire, exceed the length limit or come back
// too often.
type DeadLetter struct {
	// Exchange takes them (x-dead-letter-exchange); empty: the default
	// exchange. If there is none of this name when a message is lost, the
	// message is dropped.
	Exchange string
	// RoutingKey is the key they get (x-dead-letter-routing-key). Empty: those
	// they have, in the headers CC and BCC, too; an empty key of their own can
	// be had by the argument.
	RoutingKey string

	keyed bool // RoutingKey counts even if it is empty
}

func (d *DeadLetter) setKey(key string) { d.RoutingKey, d.keyed = key, true }

// Why a message is lost: reasons in the header x-death.
const (
	diedRejected      = "rejected"
	diedExpired       = "expired"
	diedMaxLen        = "maxlen"
	diedDeliveryLimit = "delivery_limit"
)

// letter is a message that a queue has lost and the dead letter exchange is to
// have.
type letter struct {
	entry
	reason string
}

// lose is the end of a message that nobody has acknowledged. If there is a
// dead letter exchange, unlock sends it there.
func (q *queue) lose(it *item, reason string) {
	q.account(-it.cost())
	q.forget(it)
	if q.rules == nil || q.rules.deadLetter == nil || q.deleted {
		q.counts.Dropped++
		it.drop(ErrRequestDropped)
		return
	}
	q.counts.DeadLettered++
	q.letters = append(q.letters, letter{it.entry, reason})
}

// bury sends out the messages that the queue has lost, in their order. Only
// one goroutine does so at a time; what is lost meanwhile is its work, too.
// That ends chains of queues that fill one another, as well.
func (q *queue) bury() {
	for {
		q.mu.Lock()
		letters := q.letters
		q.letters = nil
		q.burying = len(letters) > 0
		var to *DeadLetter
		if q.rules != nil {
			to = q.rules.deadLetter
		}
		q.mu.Unlock()
		if len(letters) == 0 {
			return
		}
		for i := range letters {
			q.vhost.deadLetter(q.name, &letters[i], to)
		}
	}
}

// deadLetter publishes a message that a queue has lost. It gets to none of the
// queues that it has come round to again.
func (v *VirtualHost) deadLetter(from string, l *letter, to *DeadLetter) {
	if to == nil { // the rules have changed meanwhile
		l.drop(ErrRequestDropped)
		return
	}
	msg := l.message()
	p := publishing{entry: l.entry}
	keyed := to.keyed || to.RoutingKey != ""
	if keyed {
		p.key = to.RoutingKey
	} else {
		p.takeKeys(msg.Headers) // checked when it was published
		if b, ok := l.content.(*blindCopied); ok {
			p.extra, p.blind = append(p.extra, b.keys...), b.keys
		}
	}
	died := death{
		queue: from, reason: l.reason, exchange: l.exchange.name, expiration: msg.Expiration,
		keys: append([]any{l.key}, carbonKeys(msg.Headers)...), time: time.Now(),
	}
	msg.Headers = died.headers(msg.Headers)
	msg.Expiration = ""
	if keyed {
		delete(msg.Headers, "CC")
	}

	p.content = l.derive(&msg)
	p.hideBlind()
	if req := p.request(); req != nil {
		p.deadline = v.broker.deadlineOf(req.caller)
	}

	r := v.startRouting()
	defer v.endRouting(r)
	v.mu.RLock()
	if p.exchange = v.exchanges[to.Exchange]; p.exchange != nil {
		r.route(&p)
	}
	v.mu.RUnlock()
	history, _ := msg.Headers["x-death"].([]any)
	r.queues = slices.DeleteFunc(r.queues, func(q *queue) bool { return cycles(history, q.name) })

	v.forward(r, &p, &l.entry)
}

// carbonKeys are the keys in the header CC, which a message keeps.
func carbonKeys(h Table) (keys []any) {
	list, _ := h["CC"].([]any)
	for _, k := range list {
		if _, ok := k.(string); ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// death is one entry of the header x-death to be.
type death struct {
	queue, reason, exchange string
	expiration              string // the message's own, which ends with it
	keys                    []any
	time                    time.Time
}

// headers are h with the death in x-death, and the first and the last death in
// headers of their own, as RabbitMQ does it: the first is that of a message
// without x-death. Deaths of one queue for one reason
// are counted in one entry, which keeps what was said of the first; the newest
// entry is the first.
func (d *death) headers(h Table) Table {
	out := make(Table, len(h)+7)
	maps.Copy(out, h)
	old, _ := h["x-death"].([]any)
	list := make([]any, 1, len(old)+1)
	var entry Table
	for _, v := range old {
		if t, ok := v.(Table); ok && entry == nil && t["queue"] == any(d.queue) && t["reason"] == any(d.reason) {
			entry = table.Clone(t)
			count, _ := table.Integer(t["count"])
			entry["count"] = count + 1
		} else {
			list = append(list, v)
		}
	}
	if entry == nil {
		entry = Table{
			"count": int64(1), "reason": d.reason, "queue": d.queue, "time": d.time.Truncate(time.Second),
			"exchange": d.exchange, "routing-keys": d.keys,
		}
		if d.expiration != "" {
			entry["original-expiration"] = d.expiration
		}
	}
	list[0] = entry
	out["x-death"] = list
	if _, ok := h["x-death"]; !ok {
		out["x-first-death-reason"], out["x-first-death-queue"], out["x-first-death-exchange"] = d.reason, d.queue, d.exchange
	}
	out["x-last-death-reason"], out["x-last-death-queue"], out["x-last-death-exchange"] = d.reason, d.queue, d.exchange
	return out
}

// cycles reports whether a message with these deaths has been in the queue
// before, and died there and everywhere since without anybody having rejected
// it.
func cycles(history []any, queue string) bool {
	for _, v := range history {
		t, _ := v.(Table)
		if t["reason"] == any(diedRejected) {
			return false
		}
		if t["queue"] == any(queue) {
			return true
		}
	}
	return false
}
