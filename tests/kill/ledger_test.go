package kill_test

import (
	"fmt"
	"strconv"
	"strings"
)

// place is a message in a queue.
type place struct{ queue, publisher, number int }

// state is what the parent knows of a place. What was not there when a child listed its
// queue is forgotten: it must never come again.
type state struct {
	priority  int
	transient bool
	kept      bool // confirmed, or seen after a restart: it must be there
	delivered bool // it has been delivered: it must be marked as redelivered
	leaving   bool // somebody was about to settle it: it may be gone
	acked     int  // its ack, counted from 1, has returned; 0: none has
	life      int  // in which it was published
	listed    int  // when it was listed last, counted from 1
	seen      int  // the listing that it was in, to find what is not
}

// published is a message whose confirm has not come yet.
type published struct {
	places []*state
	acks   int // how many acks had returned before
	stored bool
}

// totals are what was done and found.
type totals struct {
	kills, early, closes                   int
	published, confirmed, delivered, acked int
	ordered                                int // deliveries for the first time whose order was checked
	synced                                 int // acks that were synced for certain
	recovered, redelivered                 int
	longest                                int // the longest queue that was listed
}

func (t *totals) add(o totals) {
	t.kills += o.kills
	t.early += o.early
	t.closes += o.closes
	t.published += o.published
	t.confirmed += o.confirmed
	t.delivered += o.delivered
	t.acked += o.acked
	t.ordered += o.ordered
	t.synced += o.synced
	t.recovered += o.recovered
	t.redelivered += o.redelivered
	t.longest = max(t.longest, o.longest)
}

func (t *totals) String() string {
	return fmt.Sprintf("%d kills (%d while it opened), %d clean ends; %d messages published, %d confirmed, %d delivered (%d in order for certain), %d settled (%d synced for certain); "+
		"%d found again after a restart, %d of them redelivered; the longest queue had %d",
		t.kills, t.early, t.closes, t.published, t.confirmed, t.delivered, t.ordered, t.acked, t.synced, t.recovered, t.redelivered, t.longest)
}

// ledger keeps account of all messages in a directory.
type ledger struct {
	totals   totals
	failures []string

	life   int
	closed bool // the child before has closed its broker, or this one
	clean  bool // the one before had

	places  map[place]*state
	waiting map[[2]int]*published
	acks    int // that have returned
	synced  int // as many of them were before a confirmed publish

	listing int // number of the present list of a queue
	at      int // listed so far
	last    struct {
		listed, priority int
		fresh            bool
		numbers          map[[2]int]int // by publisher and priority
	}
	list           []place          // of the present queue, in order
	ended, trimmed []place          // the list before, and those of it that are to be acked
	turns          map[[2]int]*turn // of consumers that read or leave, by consumer and number
}

// turn is a consumer that reads from a queue for a while.
type turn struct {
	queue   int
	leaves  bool           // it gives back what it has not read
	mixed   bool           // others have given something back meanwhile
	numbers map[[2]int]int // the last that it got for the first time, by publisher and priority
}

func newLedger() *ledger {
	return &ledger{places: map[place]*state{}, waiting: map[[2]int]*published{}}
}

func (l *ledger) fail(p place, s *state, format string, args ...any) {
	if len(l.failures) < 5 {
		l.failures = append(l.failures, fmt.Sprintf("message %d of publisher %d in %s: ", p.number, p.publisher, queues[p.queue])+
			fmt.Sprintf(format, args...)+fmt.Sprintf("; %+v; acks %d, synced %d", s, l.acks, l.synced))
	}
}

// begin begins the life of a child.
func (l *ledger) begin(life int) {
	l.life = life
	l.clean, l.closed = l.closed, false
	l.waiting = map[[2]int]*published{}
	l.turns = map[[2]int]*turn{}
	l.beginList()
}

func (l *ledger) beginList() {
	l.listing++
	l.list = nil
	l.last.listed, l.last.priority, l.last.fresh = 0, maxPriority, false
	l.last.numbers = map[[2]int]int{}
}

// hear takes a line of the child.
func (l *ledger) hear(line string) {
	f := strings.Fields(line)
	n := func(i int) int {
		v, err := strconv.Atoi(f[i])
		if err != nil {
			l.failures = append(l.failures, "the child said "+line)
		}
		return v
	}
	switch f[0] {
	case "p":
		l.publish(n(1), n(2), n(3), f[4] == "true", routes[n(5)])
	case "c":
		l.confirm(n(1), n(2))
	case "d":
		l.deliver(place{n(1), n(2), n(3)}, n(4), f[5] == "true", f[6], l.turns[[2]int{n(7), n(8)}])
	case "begin":
		l.beginTurn(n(1), [2]int{n(2), n(3)})
	case "leave":
		l.leave(n(1), [2]int{n(2), n(3)})
	case "left":
		delete(l.turns, [2]int{n(2), n(3)})
	case "a":
		l.ack(l.places[place{n(1), n(2), n(3)}])
	case "l":
		l.found(place{n(1), n(2), n(3)}, n(4), f[5] == "true")
	case "end":
		l.endList(n(1))
	case "trim":
		l.trimmed = l.ended[:n(2)]
		for _, p := range l.trimmed {
			l.places[p].leaving = true
		}
	case "trimmed":
		for _, p := range l.trimmed {
			l.ack(l.places[p])
		}
	case "listed":
	case "closed":
		l.closed = true
		l.totals.closes++
	default:
		l.failures = append(l.failures, "the child said "+line)
	}
}

func (l *ledger) publish(publisher, number, priority int, transient bool, r route) {
	m := &published{acks: l.acks, stored: !transient}
	for _, q := range r.queues {
		s := &state{priority: priority, transient: transient, life: l.life}
		l.places[place{q, publisher, number}] = s
		m.places = append(m.places, s)
	}
	l.waiting[[2]int{publisher, number}] = m
	l.totals.published++
}

func (l *ledger) confirm(publisher, number int) {
	m := l.waiting[[2]int{publisher, number}]
	delete(l.waiting, [2]int{publisher, number})
	l.totals.confirmed++
	if m.stored {
		for _, s := range m.places {
			s.kept = true
		}
		l.synced = max(l.synced, m.acks)
	}
}

func (l *ledger) ack(s *state) {
	l.acks++
	s.acked = l.acks
	l.totals.acked++
}

// beginTurn is called before a consumer begins to read.
func (l *ledger) beginTurn(queue int, name [2]int) {
	t := &turn{queue: queue, numbers: map[[2]int]int{}}
	for _, o := range l.turns {
		t.mixed = t.mixed || o.queue == queue && o.leaves
	}
	l.turns[name] = t
}

// leave is called before a consumer ends. What it was sent and has not read goes back to
// its place, unmarked: whoever reads from the queue now may get it after younger messages.
func (l *ledger) leave(queue int, name [2]int) {
	for of, t := range l.turns {
		switch {
		case of == name:
			t.leaves = true
		case t.queue == queue:
			t.mixed = true
		}
	}
}

// deliver notes a delivery and what its consumer does next. Those who get messages of a
// publisher for the first time get them in order.
func (l *ledger) deliver(p place, priority int, redelivered bool, action string, t *turn) {
	l.totals.delivered++
	s := l.places[p]
	key := [2]int{p.publisher, priority}
	switch {
	case s == nil:
		l.fail(p, s, "it was gone, and was delivered")
		return
	case s.acked != 0:
		l.fail(p, s, "it was settled, and was delivered")
	case s.delivered && !redelivered:
		l.fail(p, s, "it was delivered again as if it were the first time")
	case !redelivered && !t.mixed:
		l.totals.ordered++
		if t.numbers[key] >= p.number {
			l.fail(p, s, "it came after number %d", t.numbers[key])
		}
		t.numbers[key] = p.number
	}
	s.delivered = true
	s.leaving = s.leaving || action == "ack" || action == "reject"
}

// found takes what a child has found in a queue when it opened the directory.
func (l *ledger) found(p place, priority int, redelivered bool) {
	l.totals.recovered++
	if redelivered {
		l.totals.redelivered++
	}
	s := l.places[p]
	if s == nil {
		l.fail(p, s, "it was gone, or was never published, and is there")
		return
	}
	switch {
	case s.transient && s.life < l.life:
		l.fail(p, s, "it is transient, and is there")
	case s.acked != 0 && s.acked <= l.synced:
		l.fail(p, s, "it was acked, the ack was synced, and it is there")
	case s.acked != 0 && l.clean:
		l.fail(p, s, "it was acked before a clean end, and it is there")
	case s.seen == l.listing:
		l.fail(p, s, "it is there twice")
	case s.delivered && !redelivered:
		l.fail(p, s, "it was delivered, and is not marked as redelivered")
	case l.clean && !s.delivered && redelivered && !s.leaving:
		l.fail(p, s, "the end was clean, it was not read, and is marked as redelivered")
	}
	s.seen = l.listing
	l.order(p, s, priority)
	l.list = append(l.list, p)
}

// order checks the place of a message in a list: by priority, then as in the list before,
// then by number.
func (l *ledger) order(p place, s *state, priority int) {
	if p.queue == priorityQueue && priority != l.last.priority {
		if priority > l.last.priority {
			l.fail(p, s, "it comes after one with priority %d", l.last.priority)
		}
		l.last.priority, l.last.listed, l.last.fresh = priority, 0, false
	}
	switch {
	case s.listed == 0:
		l.last.fresh = true
	case l.last.fresh:
		l.fail(p, s, "it comes after one that is younger")
	case s.listed < l.last.listed:
		l.fail(p, s, "it comes after one that it came before")
	}
	l.last.listed = max(l.last.listed, s.listed)
	key := [2]int{p.publisher, priority}
	if l.last.numbers[key] >= p.number {
		l.fail(p, s, "it comes after number %d", l.last.numbers[key])
	}
	l.last.numbers[key] = p.number
}

// endList takes the list of a queue for what is there from now on.
func (l *ledger) endList(queue int) {
	l.totals.longest = max(l.totals.longest, len(l.list))
	for p, s := range l.places {
		if p.queue != queue || s.seen == l.listing {
			continue
		}
		if s.kept && !s.leaving {
			l.fail(p, s, "it was confirmed, nobody has settled it, and it is missing")
		}
		if s.acked != 0 && s.acked <= l.synced {
			l.totals.synced++
		}
		delete(l.places, p)
	}
	for _, p := range l.list {
		l.at++
		s := l.places[p]
		s.listed = l.at
		s.kept, s.delivered, s.leaving, s.acked = true, true, false, 0
	}
	l.ended = l.list
	l.beginList()
}
