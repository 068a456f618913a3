package fuzz_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// native is a session with two channels, and two goroutines that use one of
// them together.
type native struct {
	*round
	who     int
	mu      sync.Mutex // guards what follows
	session *warren.Session
	shared  *warren.Channel
}

func newNative(r *round, who int) *native { return &native{round: r, who: who} }

func (n *native) run() {
	n.reopen()
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() { (&nativeUser{native: n, r: n.random("native", 10*n.who+i)}).run() })
	}
	both.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.session != nil {
		n.try("Close", n.session.Close())
	}
}

// reopen ends the session and opens another one.
func (n *native) reopen() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.session != nil {
		n.try("Session.Close", n.session.Close())
	}
	var err error
	n.session, err = n.broker.Session()
	if n.try("Session", err); err != nil {
		return
	}
	n.shared, err = n.session.Channel()
	n.try("Channel", err)
}

func (n *native) try(what string, err error) {
	if !normal(err) {
		n.t.Errorf("%s: %v", what, err)
	}
}

// nativeUser is a goroutine with a channel of its own and the shared one.
type nativeUser struct {
	*native
	r         *rand.Rand
	own       *warren.Channel
	consumers []*warren.Consumer
	lastTag   uint64 // on the own channel
}

func (u *nativeUser) run() {
	for range operations {
		if u.own == nil || u.r.IntN(60) == 0 {
			u.renew()
		}
		if u.own == nil {
			return // the broker is closed
		}
		ch := u.own
		if u.r.IntN(4) == 0 {
			u.mu.Lock()
			ch = u.shared
			u.mu.Unlock()
		}
		if ch != nil {
			u.step(ch)
		}
		if u.r.IntN(4) == 0 {
			u.pause(u.r)
		}
	}
}

// renew opens a channel, now and then after the whole session.
func (u *nativeUser) renew() {
	if u.own != nil && u.r.IntN(2) == 0 {
		u.reopen()
	} else if u.own != nil {
		u.try("Channel.Close", u.own.Close())
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.own, u.consumers, u.lastTag = nil, nil, 0
	for range 3 { // somebody may just have closed the session
		if u.session == nil {
			return
		}
		ch, err := u.session.Channel()
		if u.try("Channel", err); err == nil {
			u.own = ch
			return
		}
	}
}

func (u *nativeUser) step(ch *warren.Channel) {
	r := u.r
	queue, exchange, key := pick(r, queueNames), exchangeName(r), pick(r, keys)
	switch r.IntN(36) {
	case 0, 1:
		_, err := ch.QueueDeclare(queue, queueOptions(r, queue))
		u.try("QueueDeclare", err)
	case 2:
		kind := pick(r, kinds)
		u.try("ExchangeDeclare", ch.ExchangeDeclare(pick(r, exchangeNames), kind, exchangeOptions(r, kind)))
	case 3, 4:
		u.try("QueueBind", ch.QueueBind(queue, key, exchange, bindingArguments(r)))
	case 5:
		u.try("ExchangeBind", ch.ExchangeBind(exchangeName(r), key, exchange, bindingArguments(r)))
	case 6:
		u.try("QueueUnbind", ch.QueueUnbind(queue, key, exchange, bindingArguments(r)))
		u.try("ExchangeUnbind", ch.ExchangeUnbind(exchangeName(r), key, exchange, nil))
	case 7:
		u.remove(ch, queue)
	case 8, 9, 10, 11, 12, 13:
		for range 1 + r.IntN(5) {
			u.publish(ch)
		}
	case 14, 15:
		autoAck := r.IntN(2) == 0
		d, ok, err := ch.Get(queue, autoAck)
		u.try("Get", err)
		if ok {
			u.got(ch, d)
		}
	case 16, 17:
		u.consume(ch, queue)
	case 18, 19, 20, 21, 22:
		u.read()
	case 23, 24:
		u.settle(ch, uint64(r.Int64N(int64(u.lastTag)+2)))
	case 25:
		u.try("Recover", ch.Recover(r.IntN(2) == 0))
	case 26:
		u.try("Qos", ch.Qos(int(some(r, 10)), warren.QosOptions{Global: r.IntN(2) == 0}))
	case 27:
		u.try("Flow", ch.Flow(r.IntN(3) > 0))
	case 28:
		if r.IntN(3) == 0 {
			u.try("Tx", ch.Tx())
		} else {
			u.try("Confirm", ch.Confirm())
		}
	case 29, 30:
		if r.IntN(3) > 0 {
			u.try("TxCommit", ch.TxCommit())
		} else {
			u.try("TxRollback", ch.TxRollback())
		}
	case 31:
		if len(u.consumers) > 0 {
			i := r.IntN(len(u.consumers))
			u.try("Cancel", u.consumers[i].Cancel())
			u.consumers = append(u.consumers[:i], u.consumers[i+1:]...)
		}
	case 32:
		q, err := ch.QueueDeclarePassive(queue)
		if u.try("QueueDeclarePassive", err); q.Messages < 0 || q.Consumers < 0 {
			u.t.Errorf("%+v", q)
		}
	case 33, 34:
		u.loop(ch, queue)
	case 35:
		u.consumeFunc(ch, queue)
	}
}

// remove deletes or purges.
func (u *nativeUser) remove(ch *warren.Channel, queue string) {
	r := u.r
	var n int
	var err error
	switch r.IntN(3) {
	case 0:
		n, err = ch.QueuePurge(queue)
	case 1:
		n, err = ch.QueueDelete(queue, warren.QueueDeleteOptions{IfUnused: r.IntN(2) == 0, IfEmpty: r.IntN(2) == 0})
	case 2:
		err = ch.ExchangeDelete(pick(r, exchangeNames), warren.ExchangeDeleteOptions{IfUnused: r.IntN(2) == 0})
	}
	if u.try("Delete or purge", err); n < 0 {
		u.t.Errorf("%d messages were deleted", n)
	}
}

// publish waits for memory, but not for ever.
func (u *nativeUser) publish(ch *warren.Channel) {
	r := u.r
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	key, exchange := pick(r, keys), exchangeName(r)
	if exchange == "" {
		key = pick(r, queueNames)
	}
	msg, o := u.sent.message(r), warren.PublishOptions{Mandatory: r.IntN(3) == 0, Immediate: r.IntN(10) == 0}
	if r.IntN(2) == 0 {
		u.try("Publish", ch.Publish(ctx, exchange, key, msg, o))
		return
	}
	c, err := ch.PublishConfirm(ctx, exchange, key, msg, o)
	u.try("PublishConfirm", err)
	if c == nil {
		return
	}
	waiting, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	if err := c.Wait(waiting); err != nil && !normal(err) || waiting.Err() != nil {
		u.t.Errorf("a confirm does not come: %v", err)
	}
}

func (u *nativeUser) consume(ch *warren.Channel, queue string) {
	if len(u.consumers) > 4 {
		return
	}
	o := consumeOptions(u.r, queue)
	if u.r.IntN(10) == 0 {
		queue, o = warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true}
	}
	c, err := ch.Consume(queue, o)
	if u.try("Consume", err); err == nil {
		u.consumers = append(u.consumers, c)
	}
}

// read takes what a consumer has, or waits a moment for it.
func (u *nativeUser) read() {
	if len(u.consumers) == 0 {
		return
	}
	i := u.r.IntN(len(u.consumers))
	ctx := brokertest.NoWait()
	if u.r.IntN(10) == 0 {
		c, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		ctx = c
	}
	for range 1 + u.r.IntN(12) {
		d, err := u.consumers[i].Next(ctx)
		if u.try("Next", err); err != nil {
			return
		}
		u.got(nil, d)
		if u.r.IntN(3) == 0 {
			u.try("Delivery.Ack", d.Ack(u.r.IntN(4) == 0))
		}
	}
}

// got looks at a delivery, which is of the channel or of a consumer of either.
func (u *nativeUser) got(ch *warren.Channel, d warren.Delivery) {
	u.sent.arrived(u.t, d.Message)
	if d.DeliveryTag == 0 || d.MessageCount < 0 {
		u.t.Errorf("delivery %d, %d left", d.DeliveryTag, d.MessageCount)
	}
	if ch != nil && ch == u.own {
		if d.DeliveryTag <= u.lastTag {
			u.t.Errorf("delivery tag %d after %d", d.DeliveryTag, u.lastTag)
		}
		u.lastTag = d.DeliveryTag
	}
}

func (u *nativeUser) settle(ch *warren.Channel, tag uint64) {
	multiple, requeue := u.r.IntN(3) == 0, u.r.IntN(2) == 0
	switch u.r.IntN(3) {
	case 0:
		u.try("Ack", ch.Ack(tag, multiple))
	case 1:
		u.try("Nack", ch.Nack(tag, multiple, requeue))
	case 2:
		u.try("Reject", ch.Reject(tag, requeue))
	}
}

// consumeFunc starts a function, which fails now and then, and ends soon.
func (u *nativeUser) consumeFunc(ch *warren.Channel, queue string) {
	o := consumeOptions(u.r, queue)
	o.Concurrency = u.r.IntN(4)
	if u.r.IntN(2) == 0 {
		o.Requeue = func(error) bool { return true }
	}
	var calls atomic.Int64
	last, gone := int64(1+u.r.IntN(10)), u.r.IntN(4) == 0
	c, err := ch.ConsumeFunc(queue, o, func(ctx context.Context, d warren.Delivery) error {
		u.got(nil, d)
		n := calls.Add(1)
		if n >= last && gone {
			runtime.Goexit()
		}
		switch n % 7 {
		case 1:
			return errors.New("no")
		case 2:
			panic("no")
		case 3:
			select {
			case <-ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
		return nil
	})
	if u.try("ConsumeFunc", err); err != nil {
		return
	}
	u.pause(u.r)
	u.try("Consumer.Cancel", c.Cancel())
	select {
	case <-c.Done():
		u.try("Consumer.Err", c.Err())
	case <-time.After(patience):
		u.t.Errorf("a function of %s does not end", queue)
	}
}

// loop ranges over a few deliveries.
func (u *nativeUser) loop(ch *warren.Channel, queue string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	left := u.r.IntN(5)
	for d, err := range ch.Deliveries(ctx, queue, consumeOptions(u.r, queue)) {
		if u.try("Deliveries", err); err != nil {
			return
		}
		u.got(nil, d)
		if left--; left < 0 {
			return
		}
		u.try("Delivery.Nack", d.Nack(false, u.r.IntN(2) == 0))
	}
}
