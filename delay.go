package warren

import (
	"container/heap"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// DelayHeader is the header of a message that says for how many milliseconds a
// [DelayedMessage] exchange keeps it back: see [Delay]. Any integer, float or
// numeric string will do; with none of these, with zero or less, and with more
// than 4294967295 the message is routed at once. At delivery the header is
// there with a negative value, as with RabbitMQ's plugin, so that no other such
// exchange delays the message again.
//
// A message that is kept back is confirmed by an ack, but counts as not routed:
// with Mandatory it is returned with 312 and will be delivered all the same. With
// Immediate it is not kept, but returned with 313. The request of a Call waits
// like any other message. What is kept back is lost with its exchange.
const DelayHeader = "x-delay"

// maxDelay is RabbitMQ's bound in milliseconds.
const maxDelay = math.MaxUint32

// Delay is the value of [DelayHeader] for a delay of d, in whole milliseconds:
// from zero to 4294967295, which is 49 days.
func Delay(d time.Duration) int64 { return min(max(0, d.Milliseconds()), maxDelay) }

const (
	delayedTypeArg = "x-delayed-type"
	delayedAlias   = "x-delayed-exchange" // LavinMQ's other name of the type
)

// checkDelayedType refuses a delayed exchange that could not route.
func checkDelayedType(args Table) error {
	const m = wire.ExchangeDeclareID
	s, ok := args[delayedTypeArg].(string)
	switch kind := ExchangeType(s); {
	case !ok:
		return failure(m, wire.CodePreconditionFailed, "Invalid argument, 'x-delayed-type' must be an existing exchange type")
	case kind == DelayedMessage || kind == delayedAlias:
		return failure(m, wire.CodePreconditionFailed, "Invalid argument, '%s' can't be used for 'x-delayed-type'", DelayedMessage)
	case newMatcher(kind, nil) == nil:
		return failure(m, wire.CodePreconditionFailed, "unknown exchange type '%s'", kind)
	}
	return nil
}

// delayOf is how many milliseconds a message is to be kept back; zero: not at
// all.
func delayOf(c content) int64 {
	if c == nil {
		return 0
	}
	v := c.headers()[DelayHeader]
	ms, ok := table.Integer(v)
	switch v := v.(type) {
	case string:
		ms, _ = strconv.ParseInt(v, 10, 64) // the nearest value, if it is out of range
	case float32:
		ms = wholeDelay(float64(v))
	case float64:
		ms = wholeDelay(v)
	default:
		if !ok {
			return 0
		}
	}
	if ms < 0 || ms > maxDelay {
		return 0
	}
	return ms
}

// wholeDelay is f without its fraction, or zero if that is no delay.
func wholeDelay(f float64) int64 {
	if f > 0 && f <= maxDelay {
		return int64(f)
	}
	return 0
}

// delays are the messages that an exchange keeps back. One timer is set for
// the first of them.
type delays struct {
	vhost    *VirtualHost
	exchange *exchange

	mu sync.Mutex
	// Guarded by mu, which is locked with vhost.mu held or alone.
	waiting waitingHeap
	came    uint64 // counts messages
	bytes   int64  // that they hold
	timer   *time.Timer
	alarm   int64 // when it rings; zero: it is not set
	busy    bool  // a goroutine routes what is due
	closed  bool
}

// waiting is a message that is kept back.
type waiting struct {
	publishing
	due   int64  // see Broker.clock
	order uint64 // among those that are due at the same time
}

// add keeps a message back. It reports false if the exchange is gone.
func (d *delays) add(p *publishing) bool {
	b := d.vhost.broker
	now := b.clock()
	w := &waiting{publishing: *p, due: now + delayOf(p.content)*int64(time.Millisecond)}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.came++
	w.order = d.came
	heap.Push(&d.waiting, w)
	d.bytes += w.cost()
	b.memory.add(w.cost())
	d.wakeAt(now)
	return true
}

// wakeAt sets the timer for the first message, unless it rings before that or
// somebody is at work, who will look.
func (d *delays) wakeAt(now int64) {
	if d.busy || len(d.waiting) == 0 {
		return
	}
	at := d.waiting[0].due
	if d.alarm != 0 && d.alarm <= at {
		return
	}
	d.alarm = at
	if d.timer == nil {
		d.timer = time.AfterFunc(time.Duration(at-now), d.ring)
	} else {
		d.timer.Reset(time.Duration(at - now))
	}
}

// ring routes what is due, in order: one goroutine at a time does so.
func (d *delays) ring() {
	b := d.vhost.broker
	d.mu.Lock()
	defer d.mu.Unlock()
	d.alarm = 0
	if d.closed || d.busy {
		return
	}
	b.tasks.add()
	defer b.tasks.finish()
	d.busy = true
	for {
		due, bytes := d.due(b.clock())
		if len(due) == 0 {
			break
		}
		d.mu.Unlock()
		for _, w := range due {
			d.release(&w.publishing)
		}
		b.memory.add(-bytes) // now that the queues hold them
		d.mu.Lock()
	}
	d.busy = false
	if !d.closed {
		d.wakeAt(b.clock())
	}
}

// releasedAtOnce is how many messages are taken out under one lock.
const releasedAtOnce = 256

// due takes out some of the messages whose time has come.
func (d *delays) due(now int64) (list []*waiting, bytes int64) {
	for len(list) < releasedAtOnce && len(d.waiting) > 0 && d.waiting[0].due <= now {
		w := heap.Pop(&d.waiting).(*waiting)
		bytes += w.cost()
		list = append(list, w)
	}
	d.bytes -= bytes
	return list, bytes
}

// release routes a message that was kept back, on from the exchange that did
// so. Its expiration counts from now.
func (d *delays) release(p *publishing) {
	v := d.vhost
	msg := p.message()
	next := publishing{entry: p.entry, extra: p.extra, blind: p.blind}
	if req := p.request(); req != nil {
		msg.Expiration = req.Expiration // not yet what is left to the caller
		next.deadline = v.broker.deadlineOf(req.caller)
	}
	if msg.Expiration != "" {
		next.setExpiration(v.broker, msg.Expiration) // checked when it was published
	}
	msg.Headers = table.Clone(msg.Headers)
	msg.Headers[DelayHeader] = negative(delayOf(p.content))
	next.content = p.derive(&msg)
	next.hideBlind()

	r := v.startRouting()
	defer v.endRouting(r)
	v.mu.RLock()
	if !d.exchange.deleted.Load() {
		r.passed = d.exchange
		r.routeFrom(d.exchange, &next)
	}
	v.mu.RUnlock()
	if !v.forward(r, &next, &p.entry) {
		v.unroutable.Add(1)
	}
}

// negative is the delay as a delivered message shows it: 32 bits, if they are
// enough.
func negative(ms int64) any {
	if ms <= -math.MinInt32 {
		return int32(-ms)
	}
	return -ms
}

// close drops all messages and takes no more.
func (d *delays) close() {
	d.mu.Lock()
	lost := d.waiting
	d.vhost.broker.memory.add(-d.bytes)
	d.waiting, d.bytes, d.closed = nil, 0, true
	if d.timer != nil {
		d.timer.Stop()
	}
	d.mu.Unlock()
	for _, w := range lost {
		w.drop(ErrRequestDropped)
	}
}

// waitingHeap has the message that is due first at its front.
type waitingHeap []*waiting

func (h waitingHeap) Len() int      { return len(h) }
func (h waitingHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *waitingHeap) Push(w any)   { *h = append(*h, w.(*waiting)) }

func (h waitingHeap) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	return h[i].order < h[j].order
}

func (h *waitingHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return w
}
