package warren

import (
	"math"
	"time"

	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// DelayHeader is the header of a message that says for how many milliseconds a
// [DelayedMessage] exchange holds it: see [Delay]. The value may be any integer,
// float or numeric string. The message is routed at once if the value is none of
// these, or is zero or less. A delay of more than ten years counts as ten years;
// RabbitMQ's plugin routes a message at once that asks for more than 49 days, which
// are 4294967295 ms. A delivered message has the
// header with a negative value, as with RabbitMQ's plugin, so that no other such
// exchange delays it again.
//
// A delayed message is confirmed by an ack, but it does not count as routed: with
// Mandatory it is returned with 312, and is delivered later all the same. With
// Immediate it is not delayed, but returned with 313. The request of a Call is
// delayed like any other message. Delayed messages are lost if their exchange is
// deleted.
//
// In a broker from [Open], a durable exchange keeps persistent messages on disk until
// their delay is over, which a confirm waits for. Those whose delay has ended while there
// was no broker are routed when Open returns, in the order in which they were due. After a
// crash a message may come a second time.
const DelayHeader = "x-delay"

// Delay returns the value of [DelayHeader] for a delay of d, in whole milliseconds:
// from 0 to ten years.
func Delay(d time.Duration) int64 { return min(max(0, d.Milliseconds()), delay.Max) }

// routeDelayed routes a message whose delay at the exchange x is over. Its
// Expiration counts from now. It does nothing and returns false if the broker ends, so
// that its queues cannot all be found.
func (v *VirtualHost) routeDelayed(x *declaredExchange, kept *message.Publishing, edit *message.Edit) bool {
	p := publishing{to: x}
	p.Entry, p.Extra, p.Hidden = kept.Entry, kept.Extra, kept.Hidden
	expiration := kept.Properties().Expiration
	if c := callOf(kept.Content); c != nil {
		expiration = c.Expiration // the published Expiration, not the time left to the caller
		p.Deadline = v.broker.deadlineOf(c.caller)
	}
	p.setExpiration(&v.broker.queues, expiration) // the value was checked by the publish
	edit.Reset()
	edit.Set, edit.Narrow = append(edit.Set, wire.Header{Name: DelayHeader, Value: negativeDelay(delay.Of(kept.Content))}), true
	p.Content = kept.Edited(*edit)
	p.HideKeys()

	w := v.getWalk()
	defer v.putWalk(w)
	w.Past = &x.Exchange
	v.walk(w, &p)
	if w.GivenUp() {
		return false
	}
	if !v.forward(&p, &kept.Entry, w.Queues(), w.Replies(), w.Delays, nil) {
		v.unroutable.Add(1)
	}
	return true
}

// negativeDelay returns the header of a delivered message: an int32 if that is large
// enough, else an int64.
func negativeDelay(ms int64) any {
	if ms <= -math.MinInt32 {
		return int32(-ms)
	}
	return -ms
}
