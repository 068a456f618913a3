package model_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/warrenmq/warren"
)

// disk is what must be on disk, and what may be: what was done last is stored or not.
type disk struct {
	model  *model
	step   int
	stored int                           // what was done in earlier steps is stored
	queues map[*modelQueue]map[int]*kept // by place
	there  map[string]bool               // names of durable queues and exchanges, with what they are
	gone   map[string]int                // those that have gone by themselves, in which step
}

// kept is a message that is or was in a durable queue.
type kept struct {
	modelMessage
	added, gone int  // steps; gone is 0 while it is there
	sure        bool // it is stored for certain
	out         bool // it was delivered, and is not settled
	unread      bool // it was sent, and is not read
	noAck       bool // to somebody who does not ack
	found       bool // after the restart
}

func newDisk(m *model) *disk {
	return &disk{model: m, queues: make(map[*modelQueue]map[int]*kept), gone: make(map[string]int)}
}

// durable are the names of all that is durable.
func (m *model) durable() map[string]bool {
	all := make(map[string]bool)
	for _, q := range m.queues {
		if q.onDisk() {
			all["queue "+q.name] = true
		}
	}
	for _, x := range m.exchanges {
		if x.options.Durable {
			all["exchange "+x.name] = true
		}
	}
	return all
}

func (q *modelQueue) onDisk() bool { return q.options.Durable && !q.options.Exclusive }

// must says that a message has to be there after a crash.
func (d *disk) must(k *kept) bool {
	return d.may(k) && k.gone == 0 && !k.noAck && (k.sure || k.added < d.stored)
}

// may says that a message can be there after a crash.
func (d *disk) may(k *kept) bool {
	return k.DeliveryMode == warren.Persistent && (k.gone == 0 || k.gone >= d.stored)
}

// note takes in what an operation has changed.
func (d *disk) note(op *operation, answer string) {
	d.step++
	maps.DeleteFunc(d.queues, func(q *modelQueue, _ map[int]*kept) bool { return q.deleted })
	there := d.model.durable()
	for name := range d.there {
		if !there[name] && !strings.Contains(op.text, "Delete(") { // nobody waited for that
			d.gone[name] = d.step
		}
	}
	d.there = there
	confirmed := op.confirms != nil && op.confirms(d.model, answer)
	for _, q := range d.model.queues {
		if !q.onDisk() {
			continue
		}
		known := d.queues[q]
		if known == nil {
			known = make(map[int]*kept)
			d.queues[q] = known
		}
		there := q.all()
		for place, k := range known {
			if there[place] == nil && k.gone == 0 {
				k.gone = d.step
			}
		}
		for place, now := range there {
			k := known[place]
			if k == nil {
				k = &kept{added: d.step}
				known[place] = k
				if confirmed && now.Headers["x-death"] == nil && now.DeliveryMode == warren.Persistent {
					k.sure, d.stored = true, d.step
				}
			}
			if k.noAck { // it counted as acked, and if it came back it was stored anew
				k.sure, k.added = false, d.step
			}
			k.modelMessage, k.out, k.unread, k.noAck = now.modelMessage, now.out, now.unread, now.noAck
		}
	}
	if op.passes >= 30*time.Millisecond { // what was done before is written, and half a second later synced
		d.stored = d.step
	}
}

// all are the messages of a queue by their places, wherever they are.
func (q *modelQueue) all() map[int]*kept {
	all := make(map[int]*kept)
	for _, msg := range q.ready {
		all[msg.place] = &kept{modelMessage: msg}
	}
	for _, c := range q.consumers {
		for _, msg := range c.unread {
			all[msg.place] = &kept{modelMessage: msg, unread: true, noAck: c.options.NoAck}
		}
	}
	for _, s := range q.model.sessions {
		for _, ch := range s.channels {
			for _, d := range ch.out() {
				if d.queue == q {
					msg := d.modelMessage
					msg.redelivered = true
					all[msg.place] = &kept{modelMessage: msg, out: true}
				}
			}
		}
	}
	return all
}

// restart ends both sides and begins them again.
func (r *comparison) restart(kind restartKind) bool {
	m, d := r.model.server.(*model), r.disk
	if kind == killedLater {
		r.pass(2 * time.Second)
	}
	r.pass(m.now.Truncate(time.Millisecond).Add(time.Millisecond).Sub(m.now)) // what is on disk knows milliseconds
	if r.over {
		return false
	}
	d.note(&operation{}, "")
	switch kind {
	case closed:
		d.stored = d.step + 1
	case killedLater:
		d.stored = d.step
	}
	if err := r.broker.server.(*openedServer).restart(kind); err != nil {
		r.differ = fmt.Sprintf("because it cannot begin again: %v", err)
		return false
	}
	m.restart()
	r.model.begin()
	r.broker.begin()
	if !r.takeOver(kind) {
		return false
	}
	synctest.Wait()
	d.note(&operation{}, "")
	return r.compareStates()
}

// restart forgets all that is not durable, and which messages there are.
func (m *model) restart() {
	m.sessions, m.requester, m.counts = nil, map[string]*modelConsumer{}, warren.Stats{}
	for _, q := range m.queues {
		if !q.onDisk() {
			delete(m.queues, q.name)
			q.deleted = true
		}
		q.ready, q.consumers, q.line, q.active, q.letters, q.used = nil, nil, nil, nil, nil, m.now
	}
	maps.DeleteFunc(m.exchanges, func(_ string, x *modelExchange) bool { return !x.options.Durable })
	m.bindings = slices.DeleteFunc(m.bindings, func(b *modelBinding) bool {
		return !b.source.options.Durable || b.queue != nil && b.queue.deleted || b.exchange != nil && !b.exchange.options.Durable
	})
}

// takeOver reads all queues of the broker, whose messages become the model's if they may
// be there, reads the model's in the same way, and gives all of them back.
func (r *comparison) takeOver(kind restartKind) bool {
	m := r.model.server.(*model)
	var queues []*modelQueue
	for _, name := range slices.Sorted(maps.Keys(m.queues)) {
		q := m.queues[name]
		if _, err := r.broker.observer.QueueDeclarePassive(r.broker.name(name)); err != nil && q.options.AutoDelete {
			m.deleteQueue(q) // as it may when its consumers go
			continue
		}
		queues = append(queues, q)
	}
	if kind == killed {
		r.removeWhatIsBack()
	}
	found := make(map[*modelQueue][]warren.Delivery)
	for _, q := range queues {
		found[q] = r.broker.readAll(q.name)
	}
	letters := false
	for _, q := range queues {
		more, problem := r.adopt(q, found[q], kind)
		if problem != "" {
			r.differ = fmt.Sprintf("after the restart, in %s: %s", q.name, problem)
			for _, d := range found[q] {
				r.differ += fmt.Sprintf("\n      broker: %s", answer{}.delivery(d, nil).text)
			}
			for _, k := range r.disk.sorted(q) {
				r.differ += fmt.Sprintf("\n      model: %s, place %d, added in step %d, gone in %d, sure %v, out %v; stored %d, redelivered %v, returns %d",
					k.Body, k.place, k.added, k.gone, k.sure, k.out, r.disk.stored, k.redelivered, k.returns)
			}
			return false
		}
		letters = letters || more
	}
	if r.over = letters; letters { // what came back was dead-lettered once more
		return false
	}
	for _, q := range queues {
		for i, d := range r.model.readAll(q.name) {
			want, got := answer{}.delivery(d, nil), answer{}.delivery(found[q][i], nil)
			r.learn(want.names, got.names)
			if got.text = r.symbolic(got.text); want.text != got.text {
				r.differ = fmt.Sprintf("after the restart, in %s:\n      model:  %s\n      broker: %s", q.name, want.text, got.text)
				return false
			}
		}
	}
	for _, w := range []*world{r.model, r.broker} {
		for _, q := range queues {
			_ = w.observer.Cancel(q.name)
		}
		_ = w.observer.Nack(0, true, true)
	}
	return true
}

// removeWhatIsBack deletes what has gone by itself just before a crash, and is there.
func (r *comparison) removeWhatIsBack() {
	for name, step := range r.disk.gone {
		what, name, _ := strings.Cut(name, " ")
		switch {
		case step < r.disk.stored || r.disk.there[what+" "+name]:
		case what == "queue":
			_, _ = r.broker.observer.QueueDelete(r.broker.name(name), warren.QueueDeleteOptions{})
		default:
			_ = r.broker.observer.ExchangeDelete(name, warren.ExchangeDeleteOptions{})
		}
	}
}

// readAll reads all messages of a queue and keeps them unsettled. The consumer's tag is
// the model's name of the queue.
func (w *world) readAll(name string) (all []warren.Delivery) {
	synctest.Wait()
	c, err := w.observer.Consume(w.name(name), warren.ConsumeOptions{Tag: name, Prefetch: 10_000})
	if err != nil {
		return nil
	}
	for {
		d, err := c.Next(noWait)
		if err != nil {
			return all
		}
		all = append(all, d)
	}
}

// sorted are the messages of a queue in the order in which they are served.
func (d *disk) sorted(q *modelQueue) []*kept {
	return slices.SortedFunc(maps.Values(d.queues[q]), func(a, b *kept) int {
		return cmp.Or(cmp.Compare(q.level(b.modelMessage), q.level(a.modelMessage)), cmp.Compare(a.place, b.place))
	})
}

// adopt compares what a queue of the broker has after a restart with what it must and may
// have, and makes it the model's. letters says that messages were dead-lettered meanwhile.
func (r *comparison) adopt(q *modelQueue, found []warren.Delivery, kind restartKind) (letters bool, problem string) {
	d := r.disk
	all := d.sorted(q)
	unsure := false // so that the queue may have been too long
	for _, k := range all {
		unsure = unsure || k.out || k.unread || k.gone != 0 && d.may(k)
	}
	last := -1
	for i := range found {
		f := &found[i]
		if kind != closed && !f.Redelivered && f.Headers["x-death"] != nil {
			letters = true // it was dead-lettered when the broker began
			continue
		}
		at := slices.IndexFunc(all, func(k *kept) bool { return k.gone == 0 && d.may(k) && !k.found && r.like(k, f) })
		if at < 0 {
			at = slices.IndexFunc(all, func(k *kept) bool { return d.may(k) && !k.found && r.like(k, f) })
		}
		if at < 0 && f.Headers["x-death"] != nil {
			letters = true
			continue
		}
		if at < 0 {
			return false, fmt.Sprintf("%s cannot be there", f.Body)
		}
		k := all[at]
		returns := int(deliveries(f))
		switch {
		case at < last:
			return false, fmt.Sprintf("%s is in the wrong place", f.Body)
		case kind == closed && f.Redelivered != k.redelivered, kind != closed && !f.Redelivered:
			return false, fmt.Sprintf("redelivered is %v for %s", f.Redelivered, f.Body)
		case returns != k.returns && !(kind == closed && k.out && returns == k.returns+1) && !(kind != closed && returns < k.returns && !(k.sure && kind == killedLater)):
			return false, fmt.Sprintf("%s was returned %d times", f.Body, returns)
		}
		last = at
		k.found, k.redelivered, k.returns = true, f.Redelivered, returns
	}
	limited := q.options.MaxLength > 0 || q.options.MaxLengthBytes > 0
	for _, k := range all {
		switch {
		case k.found || !d.may(k) || k.gone != 0:
		case k.expired(d.model.now) && !d.must(k):
			letters = letters || q.options.DeadLetter != nil // perhaps
		case k.expired(d.model.now):
			k.found = true // the model will lose it in the same way
		case !d.must(k):
		case limited && (unsure || letters):
		case k.out && q.options.DeliveryLimit > 0 && int64(k.returns) >= q.options.DeliveryLimit && kind == closed:
		default:
			return false, fmt.Sprintf("%s is missing", k.Body)
		}
	}
	d.take(q, all)
	return letters || limited && unsure && q.options.DeadLetter != nil, ""
}

// take makes the messages that were found the queue's.
func (d *disk) take(q *modelQueue, all []*kept) {
	known := make(map[int]*kept)
	for _, k := range all {
		if !k.found {
			continue
		}
		if t := k.deadline; !t.IsZero() && !t.Equal(t.Truncate(time.Millisecond)) {
			k.deadline = t.Truncate(time.Millisecond).Add(time.Millisecond)
		}
		q.ready = append(q.ready, k.modelMessage)
		known[k.place] = &kept{modelMessage: k.modelMessage, sure: true}
	}
	d.queues[q] = known
}

// like says whether a delivery of the broker may be of the message.
func (r *comparison) like(k *kept, f *warren.Delivery) bool {
	without := maps.Clone(f.Headers)
	delete(without, "x-delivery-count")
	return string(k.Body) == string(f.Body) && r.symbolic(fmt.Sprint(without)) == fmt.Sprint(k.Headers)
}

// deliveries is how often a message was returned, as far as it is told.
func deliveries(f *warren.Delivery) int64 {
	n, _ := f.Headers["x-delivery-count"].(int64)
	return n
}
