package warren

import (
	"context"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/warrenmq/warren/internal/table"
)

// Headers of an event or a job that has failed, when it comes again and when it is a dead
// letter, beside [ErrorCodeHeader] and [ErrorTextHeader].
const (
	AttemptsHeader   = "x-warren-attempts"    // how often the function has failed on it
	ExchangeHeader   = "x-warren-exchange"    // the exchange that it was first published to
	RoutingKeyHeader = "x-warren-routing-key" // the key that it was first published with
)

// mostErrorText is how many bytes of an error's text are in a header. An AMQP client must
// be able to take all headers in one frame.
const mostErrorText = 1024

// DeliveryFrom returns the event or job that the function of a [Subscription] works on, if
// ctx is the function's context or made from one. Otherwise it returns nil. A function of
// [SubscribeFor] or [WorkFor] gets headers, exchange, routing key and [Delivery.Attempt]
// from it. Exchange and RoutingKey are those that it was first published with, also when
// it comes again. It must not be settled: what the function returns does that.
func DeliveryFrom(ctx context.Context) *Delivery {
	d, _ := ctx.Value(deliveryKey{}).(*Delivery)
	return d
}

// deliveryKey is the key of a subscription's delivery in its function's context.
type deliveryKey struct{}

// Attempt returns which attempt this is at an event or job of a [Subscription], from 1 on:
// one more than [AttemptsHeader] says. What came back because a program or a subscription
// ended while it worked does not count.
func (d *Delivery) Attempt() int {
	n, _ := table.Integer(d.Headers[AttemptsHeader])
	return int(min(max(n, 0), 1<<30)) + 1
}

// restore sets the exchange and the key that an event was first published with.
func (d *Delivery) restore() {
	if d.Attempt() == 1 {
		return
	}
	exchange, ok := d.Headers[ExchangeHeader].(string)
	key, isKey := d.Headers[RoutingKeyHeader].(string)
	if ok && isKey {
		d.Exchange, d.RoutingKey = exchange, key
	}
}

// failed returns the message that comes in place of a delivery on which the function has
// failed: a copy without what concerns its way until now, and with the failure.
func (d *Delivery) failed(err error, deduplication string) Message {
	r := asRemoteError(err)
	msg := d.Message
	msg.Expiration = "" // it has been taken in time
	h := make(Table, len(d.Headers)+5)
	maps.Copy(h, d.Headers)
	maps.DeleteFunc(h, func(name string, _ any) bool { return name == deduplication || isOfDelivery(name) })
	h[AttemptsHeader] = int64(d.Attempt())
	h[ErrorCodeHeader], h[ErrorTextHeader] = r.Code, shortText(err.Error())
	h[ExchangeHeader], h[RoutingKeyHeader] = d.Exchange, d.RoutingKey
	msg.Headers = h
	return msg
}

// isOfDelivery reports whether a header says how a message was delivered, or where it is
// to go.
func isOfDelivery(name string) bool {
	switch name {
	case "CC", "BCC", "x-death", "x-delivery-count", DeduplicationHeader:
		return true
	}
	return strings.HasPrefix(name, "x-first-death-") || strings.HasPrefix(name, "x-last-death-")
}

// shortText returns the beginning of a text as valid UTF-8.
func shortText(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= mostErrorText {
		return s
	}
	end := mostErrorText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
