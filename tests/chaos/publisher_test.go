package chaos_test

import (
	"fmt"
	"math/rand/v2"
)

// publisher has one channel after another, until it has tried to publish its
// quota of messages.
type publisher struct {
	*round
	rnd   *rand.Rand
	who   int
	lives int
	left  int
	again []*message // with a subject, to be tried again

	ch    channel
	count int // of messages in this life
}

func newPublisher(r *round, who int) *publisher {
	return &publisher{round: r, rnd: r.random("publisher", who), who: who, left: quota}
}

func (p *publisher) run() {
	for p.left > 0 || len(p.again) > 0 {
		p.lives++
		p.count = 0
		var err error
		if p.ch, err = p.open(p.rnd, true); err != nil {
			continue
		}
		batch := p.confirmed
		if p.rnd.IntN(4) == 0 {
			batch, err = p.transaction, p.ch.Tx()
		} else {
			err = p.ch.Confirm()
		}
		for err == nil && (p.left > 0 || len(p.again) > 0) {
			err = batch(1 + p.rnd.IntN(20))
			p.pause(p.rnd)
			if p.who == 0 {
				p.host(p.rnd)
			}
			if err == nil && p.rnd.IntN(20) == 0 {
				break
			}
		}
		p.ch.Close()
	}
}

// next makes the next message.
func (p *publisher) next() *message {
	p.left--
	p.count++
	m := &message{name: name{p.who*10_000 + p.lives, p.count}}
	if n := len(p.again); n > 0 {
		tried := p.again[0]
		p.again = p.again[1:]
		m.exchange, m.targets, m.subject, m.headers = tried.exchange, tried.targets, tried.subject, tried.headers
	} else if m.address(p.rnd); m.exchange == "x.once" {
		m.subject = fmt.Sprint(m.name)
		m.headers["x-deduplication-header"] = m.subject
	}
	m.fill(bodySize(p.rnd))
	p.add(m)
	return m
}

// confirmed publishes some messages, then waits for the confirms.
func (p *publisher) confirmed(n int) (err error) {
	type waiting struct {
		m     *message
		acked func() bool
	}
	var list []waiting
	for ; n > 0 && err == nil; n-- {
		m := p.next()
		p.mark(false, m)
		var acked func() bool
		if acked, err = p.ch.Publish(m.exchange, m); err == nil {
			list = append(list, waiting{m, acked})
		} else if m.subject != "" {
			p.again = append(p.again, m)
		}
	}
	for _, w := range list {
		if w.acked() {
			p.mark(true, w.m)
		} else if w.m.subject != "" {
			p.again = append(p.again, w.m)
		}
	}
	return err
}

// transaction publishes some messages that come all together or not at all.
func (p *publisher) transaction(n int) error {
	var list []*message
	giveUp := func(err error) error {
		for _, m := range list {
			if m.subject != "" {
				p.again = append(p.again, m)
			}
		}
		return err
	}
	for ; n > 0; n-- {
		m := p.next()
		list = append(list, m)
		if _, err := p.ch.Publish(m.exchange, m); err != nil {
			return giveUp(err)
		}
	}
	if p.rnd.IntN(4) == 0 {
		return giveUp(p.ch.TxRollback())
	}
	p.mark(false, list...)
	if err := p.ch.TxCommit(); err != nil {
		return giveUp(err)
	}
	p.mark(true, list...)
	return nil
}
