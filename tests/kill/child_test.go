package kill_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/warrenmq/warren"
)

// lifeVariable tells the test program that it is a child: number of its life, seed,
// directory.
const lifeVariable = "WARREN_KILL_LIFE"

const (
	publisherCount = 8
	consumerCount  = 4
)

// Queues by their number, all durable.
var queues = []string{"plain", "large", "fan1", "fan2", "priority"}

const (
	priorityQueue = 4
	maxPriority   = 3
)

// route is where a publisher sends to, and which queues it reaches.
type route struct {
	exchange, key string
	queues        []int
}

var routes = []route{
	{"", "plain", []int{0}},
	{"", "large", []int{1}},
	{"fan", "", []int{2, 3}},
	{"", "priority", []int{priorityQueue}},
}

// worker is the child. What it says to the parent are lines, each written before the next
// step is taken: so the parent knows what may have happened.
type worker struct {
	life   int
	seed   uint64
	broker *warren.Broker

	mu   sync.Mutex
	line []byte // guarded by mu
}

// say writes a line.
func (w *worker) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line = append(fmt.Appendf(w.line[:0], format, args...), '\n')
	if _, err := os.Stdout.Write(w.line); err != nil {
		os.Exit(3)
	}
}

// must ends the child, which the parent takes for a failure.
func (w *worker) must(err error, what string) {
	if err != nil {
		w.say("error %s: %v", what, err)
		fmt.Fprintln(os.Stderr, what+":", err)
		os.Exit(2)
	}
}

// child is what the child does. It gives the exit code.
func child(life string) int {
	w := &worker{}
	var dir string
	if _, err := fmt.Sscan(life, &w.life, &w.seed, &dir); err != nil {
		return 4
	}
	// Little memory makes queues keep less there.
	b, err := warren.Open(dir, &warren.Options{DiskLimit: -1, MemoryLimit: 64 << 20})
	w.must(err, "open")
	w.broker = b
	w.declare()
	w.list()
	w.say("listed")

	ctx, cancel := context.WithCancel(context.Background())
	var publishing, consuming sync.WaitGroup
	for i := range publisherCount {
		publishing.Go(func() { w.publish(ctx, i) })
	}
	for i := range consumerCount {
		consuming.Go(func() { w.consume(ctx, i) })
	}
	io.Copy(io.Discard, os.Stdin) // until the parent wants a clean end
	cancel()
	publishing.Wait()
	consuming.Wait()
	w.must(b.Close(), "close")
	w.say("closed")
	return 0
}

func (w *worker) random(who int) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed, uint64(w.life)<<16|uint64(who)))
}

func (w *worker) channel() *warren.Channel {
	ch, err := w.broker.Channel()
	w.must(err, "channel")
	return ch
}

func (w *worker) declare() {
	ch := w.channel()
	defer ch.Close()
	w.must(ch.ExchangeDeclare("fan", warren.Fanout, warren.ExchangeOptions{Durable: true}), "exchange")
	for i, name := range queues {
		o := warren.QueueOptions{Durable: true}
		if i == priorityQueue {
			o.MaxPriority = maxPriority
		}
		_, err := ch.QueueDeclare(name, o)
		w.must(err, "queue")
	}
	for _, q := range routes[2].queues {
		w.must(ch.QueueBind(queues[q], "", "fan", nil), "bind")
	}
}

// list tells all messages of all queues in order, and puts them back but for what makes
// the queues too long.
func (w *worker) list() {
	rnd := w.random(1000)
	ch := w.channel()
	for q, name := range queues {
		state, err := ch.QueueDeclarePassive(name)
		w.must(err, "state")
		var tags []uint64
		for {
			d, ok, err := ch.Get(name, false)
			w.must(err, "get")
			if !ok {
				break
			}
			m, err := identify(&d)
			w.must(err, "message in "+name)
			w.say("l %d %d %d %d %v", q, m.publisher, m.number, m.priority, d.Redelivered)
			tags = append(tags, d.DeliveryTag)
		}
		if len(tags) != state.Messages {
			w.must(fmt.Errorf("%s had %d messages and gave %d", name, state.Messages, len(tags)), "count")
		}
		w.say("end %d", q)
		if extra := len(tags) - rnd.IntN(12000); extra > 0 {
			w.say("trim %d %d", q, extra)
			if rnd.IntN(2) == 0 && q == 0 {
				w.must(ch.Ack(tags[extra-1], true), "ack")
			} else {
				for _, tag := range tags[:extra] {
					w.must(ch.Ack(tag, false), "ack")
				}
			}
			w.say("trimmed %d", q)
		}
	}
	w.must(ch.Close(), "close of the channel")
}

// publish sends until ctx ends.
func (w *worker) publish(ctx context.Context, i int) {
	rnd := w.random(i)
	p := &publisher{worker: w, id: w.life*publisherCount + i, rnd: rnd, ch: w.channel()}
	step := p.windows
	switch {
	case i == 7:
		w.must(p.ch.Tx(), "tx")
		step = p.transaction
	case i%3 == 0:
		step = p.waits
	}
	if i != 7 {
		w.must(p.ch.Confirm(), "confirm")
	}
	for ctx.Err() == nil {
		step()
	}
}

type publisher struct {
	*worker
	id     int
	number int
	rnd    *rand.Rand
	ch     *warren.Channel
}

// next makes the next message and tells that it may be there from now on.
func (p *publisher) next() (sent, route) {
	p.number++
	at := p.rnd.IntN(len(routes))
	m := sent{publisher: p.id, number: p.number, transient: p.rnd.IntN(20) == 0}
	if at == 3 {
		m.priority = p.rnd.IntN(maxPriority + 1)
	}
	switch {
	case at == 1:
		m.size = 1<<10 + p.rnd.IntN(7<<10)
	case p.rnd.IntN(4) == 0:
		m.size = p.rnd.IntN(8 << 10)
	default:
		m.size = p.rnd.IntN(100)
	}
	p.say("p %d %d %d %v %d", m.publisher, m.number, m.priority, m.transient, at)
	return m, routes[at]
}

func (p *publisher) confirmed(number int) { p.say("c %d %d", p.id, number) }

// waits publishes one message and waits for its confirm.
func (p *publisher) waits() {
	m, r := p.next()
	p.must(p.ch.Publish(context.Background(), r.exchange, r.key, m.message(), warren.PublishOptions{Mandatory: true}), "publish")
	p.confirmed(m.number)
}

// windows publishes some messages and then waits for all confirms.
func (p *publisher) windows() {
	var waiting []*warren.Confirmation
	first := p.number + 1
	for range 1 + p.rnd.IntN(1<<p.rnd.IntN(10)) {
		m, r := p.next()
		c, err := p.ch.PublishConfirm(context.Background(), r.exchange, r.key, m.message(), warren.PublishOptions{Mandatory: true})
		p.must(err, "publish")
		waiting = append(waiting, c)
	}
	for i, c := range waiting {
		p.must(c.Wait(context.Background()), "confirm")
		p.confirmed(first + i)
	}
}

// transaction commits some messages at once.
func (p *publisher) transaction() {
	first := p.number + 1
	for range 1 + p.rnd.IntN(20) {
		m, r := p.next()
		p.must(p.ch.Publish(context.Background(), r.exchange, r.key, m.message(), warren.PublishOptions{Mandatory: true}), "publish")
	}
	p.must(p.ch.TxCommit(), "commit")
	for n := first; n <= p.number; n++ {
		p.confirmed(n)
	}
}

// consume takes messages from one queue for a while, then from another, until ctx ends.
func (w *worker) consume(ctx context.Context, i int) {
	rnd := w.random(100 + i)
	for n := 0; ctx.Err() == nil; n++ {
		q := i
		if i == 3 || n%4 == 3 {
			q = rnd.IntN(len(queues))
		}
		ch := w.channel()
		w.say("begin %d %d %d", q, i, n)
		c, err := ch.Consume(queues[q], warren.ConsumeOptions{Prefetch: 1 + rnd.IntN(1<<rnd.IntN(9))})
		w.must(err, "consume")
		turn, cancel := context.WithTimeout(ctx, time.Duration(1+rnd.IntN(300))*time.Millisecond)
		for {
			d, err := c.Next(turn)
			if err != nil {
				break
			}
			w.settle(rnd, q, i, n, &d)
		}
		cancel()
		w.say("leave %d %d %d", q, i, n)
		w.must(ch.Close(), "close of the channel")
		w.say("left %d %d %d", q, i, n)
	}
}

// settle acks most deliveries, after it has told so, rejects some, gives some back, and
// leaves some to the end of the channel.
func (w *worker) settle(rnd *rand.Rand, q, consumer, turn int, d *warren.Delivery) {
	m, err := identify(d)
	w.must(err, "message in "+queues[q])
	action := "ack"
	switch n := rnd.IntN(100); {
	case n < 3:
		action = "requeue"
	case n < 5:
		action = "leave"
	case n < 8:
		action = "reject"
	}
	w.say("d %d %d %d %d %v %s %d %d", q, m.publisher, m.number, m.priority, d.Redelivered, action, consumer, turn)
	switch action {
	case "ack":
		w.must(d.Ack(false), "ack")
	case "reject":
		w.must(d.Reject(false), "reject")
	case "requeue":
		w.must(d.Nack(false, true), "nack")
		return
	default:
		return
	}
	w.say("a %d %d %d", q, m.publisher, m.number)
}
