package chaos_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/warrenmq/warren/internal/brokertest"
)

// life is a consumer of one queue, from its connection to the end of it.
type life struct {
	*round
	rnd   *rand.Rand
	who   string
	queue string

	ch       channel
	consumer consumer
	opened   uint64
	steps    int

	unsettled []held
	acked     []place // but perhaps the broker does not know yet
	last      map[lane]int
	lastTag   uint64
	tidy      bool // nothing came back since this consumer began, and it is alone
	offset    int64
}

type held struct {
	tag uint64
	place
}

// lane: messages of one publisher and one priority keep their order.
type lane struct {
	publisher int
	priority  uint8
}

func newLife(r *round, rnd *rand.Rand, who string) *life {
	queue := queues[rnd.IntN(len(queues))].name
	if rnd.IntN(5) == 0 {
		queue = solo // where nobody else would take what its consumer does not get
	}
	return &life{round: r, rnd: rnd, who: who, queue: queue, steps: 5 + rnd.IntN(80)}
}

// run consumes until over ends, or it has done enough, or something fails,
// which is nothing strange here.
func (l *life) run(over context.Context) {
	l.opened = l.clock.Add(1)
	var err error
	if l.ch, err = l.open(l.rnd, l.mixed[l.queue]); err != nil {
		return
	}
	defer l.ch.Close()
	if err := l.begin(); err != nil {
		return
	}
	for ; l.steps > 0; l.steps-- {
		if l.step(over) != nil {
			return
		}
	}
}

// begin starts the consumer, on a channel that is new.
func (l *life) begin() (err error) {
	l.last, l.lastTag, l.offset = map[lane]int{}, 0, -1
	l.tidy = l.queue == solo
	limit := l.rnd.IntN(20)
	if l.queue == stream {
		limit++
	}
	if err := l.ch.Qos(limit, l.queue != stream && l.rnd.IntN(3) == 0); err != nil {
		return err
	}
	l.consumer, err = l.ch.Consume(l.queue, l.queue == loose, l.queue == solo)
	return err
}

// step reads one message, or does something else.
func (l *life) step(over context.Context) error {
	switch n := l.rnd.IntN(60); {
	case n == 0:
		return l.renew()
	case n == 1 && l.queue != solo:
		return l.cancel()
	case n == 2 && l.queue != loose && l.queue != stream && l.queue != solo && l.queue != "single":
		return l.get()
	case n == 3:
		return l.recover()
	case n < 10:
		return l.sync()
	}
	d, err := l.consumer.Next(brokertest.NoWait())
	if err != nil {
		if err := l.settleAll(); err != nil {
			return err
		}
		if d, err = l.await(over); err != nil {
			return err
		}
	}
	return l.take(d)
}

// await waits for the next delivery. Who has nothing unsettled does not wait while
// there are messages.
func (l *life) await(over context.Context) (delivery, error) {
	ctx, cancel := context.WithTimeout(over, patience)
	defer cancel()
	d, err := l.consumer.Next(ctx)
	if errors.Is(err, context.DeadlineExceeded) && l.queue != stream && l.queue != "single" {
		if n := l.ready(l.queue); n > 0 {
			l.failf("%s waits, and %s has %d messages", l.who, l.queue, n)
		}
	}
	return d, err
}

// take checks a delivery and perhaps settles something.
func (l *life) take(d delivery) error {
	if err := l.receive(d); err != nil || l.queue == loose {
		return err
	}
	if l.rnd.IntN(3) > 0 || len(l.unsettled) == 0 {
		return nil
	}
	return l.settle(l.rnd.IntN(len(l.unsettled)))
}

func (l *life) receive(d delivery) error {
	p, ok := l.seen(d, l.who, l.opened)
	if !ok {
		return nil
	}
	if d.tag <= l.lastTag {
		l.failf("%s: delivery tag %d after %d", l.who, d.tag, l.lastTag)
	}
	l.lastTag = d.tag
	l.keepsOrder(d, p)
	switch {
	case l.queue == loose:
		l.note(p, true, "no ack")
	case l.queue == stream:
		l.follows(d)
		fallthrough
	default:
		l.unsettled = append(l.unsettled, held{d.tag, p})
	}
	return nil
}

// keepsOrder: a message that is not redelivered comes after those that its
// publisher sent before, unless a consumer in the process was to have it and did
// not read it. All come so to the only consumer, who gave nothing back.
func (l *life) keepsOrder(d delivery, p place) {
	if p.queue == dead || p.queue == "late" || !l.tidy && (d.redelivered || l.mixed[p.queue]) {
		return
	}
	at := l.lane(p)
	if p.number <= l.last[at] {
		l.failPlace(p, "came to %s after number %d", l.who, l.last[at])
	}
	l.last[at] = p.number
}

func (l *ledger) lane(p place) lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.messages[p.name]; m != nil && p.queue == "priority" {
		return lane{p.publisher, min(m.priority, 5)}
	}
	return lane{publisher: p.publisher}
}

func (l *ledger) failPlace(p place, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail(p, format, args...)
}

// follows: a stream leaves nothing out.
func (l *life) follows(d delivery) {
	offset, ok := d.headers["x-stream-offset"].(int64)
	if !ok || offset != l.offset+1 || d.redelivered {
		l.failf("%s: offset %v after %d, redelivered %v", l.who, d.headers["x-stream-offset"], l.offset, d.redelivered)
	}
	l.offset = offset
}

// settle settles a delivery, and with multiple those before it.
func (l *life) settle(i int) (err error) {
	h := l.unsettled[i]
	multiple := l.rnd.IntN(4) == 0
	settled := []held{h}
	if multiple {
		settled = slices.Clone(l.unsettled[:i+1])
		l.unsettled = slices.Delete(l.unsettled, 0, i+1)
	} else {
		l.unsettled = slices.Delete(l.unsettled, i, i+1)
	}
	how := l.rnd.IntN(6)
	gone := how < 3 || how == 3 && (!losesToDead[l.queue] || l.queue == shaken)
	for _, s := range settled {
		l.note(s.place, gone && l.queue != stream, "%s settles %d: %d", l.who, h.tag, how)
	}
	switch {
	case how < 3:
		if err = l.ch.Ack(h.tag, multiple); err == nil {
			for _, s := range settled {
				l.acked = append(l.acked, s.place)
			}
		}
	case how == 3:
		err = l.ch.Nack(h.tag, multiple, false)
	default:
		l.tidy = false
		err = l.ch.Nack(h.tag, multiple, true)
	}
	return err
}

func (l *life) settleAll() error {
	for len(l.unsettled) > 0 {
		if err := l.settle(len(l.unsettled) - 1); err != nil {
			return err
		}
	}
	return nil
}

// sync: what was acked before is settled for certain.
func (l *life) sync() error {
	if err := l.ch.Sync(); err != nil {
		return err
	}
	if l.queue != stream {
		l.certain(l.acked)
	}
	l.acked = nil
	return nil
}

// renew closes the channel, which gives back what is unsettled.
func (l *life) renew() error {
	if err := l.ch.Reopen(); err != nil {
		return err
	}
	l.unsettled, l.acked = nil, nil
	l.opened = l.clock.Add(1)
	return l.begin()
}

// cancel ends the consumer, and starts another one that has the rest to settle.
func (l *life) cancel() error {
	left, err := l.consumer.Cancel()
	for _, d := range left {
		l.receive(d)
	}
	if err != nil {
		return err
	}
	if l.queue != loose && l.queue != stream && l.rnd.IntN(2) == 0 {
		if err := l.settleAll(); err != nil {
			return err
		}
	}
	l.last, l.offset = map[lane]int{}, -1
	l.consumer, err = l.ch.Consume(l.queue, l.queue == loose, false)
	return err
}

// get takes a message beside the consumer. Which of both came first is not
// known, so it is settled alone.
func (l *life) get() error {
	d, ok, err := l.ch.Get(l.queue)
	if err != nil || !ok {
		return err
	}
	d.queue = l.queue
	p, ok := l.seen(d, l.who, l.opened)
	if !ok {
		return nil
	}
	l.note(p, true, "%s acks %d", l.who, d.tag)
	if err := l.ch.Ack(d.tag, false); err != nil {
		return err
	}
	l.acked = append(l.acked, p)
	return nil
}

// recover gives back everything. Deliveries that are on their way have tags that
// are void then, so it goes on with a new channel.
func (l *life) recover() error {
	if err := l.ch.Recover(); err != nil {
		return err
	}
	return l.renew()
}
