package warren

import (
	"math"
	"time"

	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
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
const DelayHeader = delay.Header

// Delay is the value of [DelayHeader] for a delay of d, in whole milliseconds:
// from zero to 4294967295, which is 49 days.
func Delay(d time.Duration) int64 { return min(max(0, d.Milliseconds()), delay.Max) }

// releaseDelayed routes a message that x has kept back, on from there. Its
// expiration counts from now.
func (v *VirtualHost) routeDelayed(x *declaredExchange, kept *message.Publishing) {
	props := kept.Properties()
	p := publishing{to: x}
	p.Entry, p.Extra, p.Hidden = kept.Entry, kept.Extra, kept.Hidden
	if c, ok := kept.Content.(*call); ok {
		props.Expiration = c.Expiration // not yet what is left to the caller
		p.Deadline = v.broker.deadlineOf(c.caller)
	}
	if props.Expiration != "" {
		p.setExpiration(v.broker, props.Expiration) // checked when it was published
	}
	props.Headers = table.Clone(props.Headers)
	props.Headers[DelayHeader] = negativeDelay(delay.Of(kept.Content))
	p.Content = kept.Derive(&props, true)
	p.HideKeys()

	w := v.getWalk()
	defer v.putWalk(w)
	w.Past = &x.Exchange
	v.walk(w, &p)
	if !v.forward(w, &p, &kept.Entry) {
		v.unroutable.Add(1)
	}
}

// negative is the delay as a delivered message has it: 32 bits, if they are
// enough.
func negativeDelay(ms int64) any {
	if ms <= -math.MinInt32 {
		return int32(-ms)
	}
	return -ms
}
