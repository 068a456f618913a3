package management

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/warrenmq/warren"
)

func messageRoutes() []route {
	return []route{
		{path: "queues/{vhost}/{name}/get", access: everyUser, post: (*call).getMessages},
		{path: "warren/peek/{vhost}/{name}", access: everyUser, get: (*call).peek},
	}
}

const (
	// publishWait is how long a message may wait for memory or the disk.
	publishWait = 10 * time.Second
	// maxGet bounds how many messages one request gets, and maxGetBytes how many bytes
	// their bodies have.
	maxGet      = 10_000
	maxGetBytes = 64 << 20
)

// publish publishes a message and tells whether a queue took it.
func (c *call) publish() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	if err := needs(body, "routing_key", "properties", "payload", "payload_encoding"); err != nil {
		return err
	}
	msg, err := messageOf(body)
	if err != nil {
		return err
	}
	key, err := text(body, "routing_key")
	if err != nil {
		return err
	}
	routed := true
	err = c.channel(c.names[0], func(ctx context.Context, _ *warren.VirtualHost, ch *warren.Channel) error {
		if err := ch.Confirm(); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, publishWait)
		defer cancel()
		return ch.Publish(ctx, exchangeName(c.names[1]), key, msg, warren.PublishOptions{Mandatory: true})
	})
	if _, ok := errors.AsType[*warren.Return](err); ok {
		routed, err = false, nil
	}
	switch {
	case err == nil:
		return c.object(func(f *fields) { f.bool("routed", routed) })
	case errors.Is(err, warren.ErrStorage), errors.Is(err, warren.ErrMemoryLimit):
		return newError(http.StatusServiceUnavailable, "service_unavailable", strings.TrimPrefix(err.Error(), "warren: "))
	case errors.Is(err, warren.ErrNacked):
		return badRequest("Unable to publish message. Check queue limits.")
	}
	if e, ok := errors.AsType[*warren.Error](err); ok && e.Code != 403 {
		return badRequest("%d %s", e.Code, e.Text)
	}
	return err
}

// messageOf reads the message of a request to publish.
func messageOf(body warren.Table) (msg warren.Message, err error) {
	payload, err := text(body, "payload")
	if err != nil {
		return msg, err
	}
	properties, ok := body["properties"].(warren.Table)
	if list, isList := body["properties"].([]any); !ok && !(isList && len(list) == 0) { // what get returns if there are none
		return msg, badRequest("The property properties is not an object")
	}
	if msg, err = propertiesOf(properties); err != nil {
		return msg, err
	}
	switch body["payload_encoding"] {
	case "string":
		msg.Body = []byte(payload)
	case "base64":
		if msg.Body, err = base64.StdEncoding.DecodeString(payload); err != nil {
			return msg, badRequest("not_base64")
		}
	default:
		return msg, badRequest("unsupported_encoding: %v", body["payload_encoding"])
	}
	return msg, nil
}

// propertiesOf reads the properties of a message. Others than those of AMQP are not read,
// as in RabbitMQ.
func propertiesOf(t warren.Table) (msg warren.Message, err error) {
	for name, to := range map[string]*string{
		"content_type": &msg.ContentType, "content_encoding": &msg.ContentEncoding, "correlation_id": &msg.CorrelationId,
		"reply_to": &msg.ReplyTo, "expiration": &msg.Expiration, "message_id": &msg.MessageId,
		"type": &msg.Type, "user_id": &msg.UserId, "app_id": &msg.AppId,
	} {
		switch v := t[name].(type) {
		case nil:
		case string:
			*to = v
		default:
			return msg, badRequest("not_string: %s", name)
		}
	}
	for name, to := range map[string]*uint8{"delivery_mode": &msg.DeliveryMode, "priority": &msg.Priority} {
		n, err := whole(t, name, 0)
		if err != nil || n < 0 || n > 255 {
			return msg, badRequest("not_int: %s", name)
		}
		*to = uint8(n)
	}
	switch v := t["timestamp"].(type) {
	case nil:
	case int64:
		msg.Timestamp = time.Unix(v, 0)
	default:
		return msg, badRequest("not_int: timestamp")
	}
	switch v := t["headers"].(type) {
	case nil:
	case warren.Table:
		msg.Headers = v
	case []any:
		if len(v) > 0 {
			return msg, badRequest("not_table: headers")
		}
	default:
		return msg, badRequest("not_table: headers")
	}
	return msg, nil
}

// fetch says which messages of a queue are wanted, and how they are shown.
type fetch struct {
	count    int
	base64   bool
	truncate int // bytes of a body that are shown; negative: all
}

// parseFetch reads what a request to get messages says.
func parseFetch(body warren.Table) (g fetch, err error) {
	if g.count, err = whole(body, "count", 1); err != nil {
		return g, err
	}
	if g.count < 0 || g.count > maxGet {
		g.count = maxGet // RabbitMQ takes a negative count for all
	}
	if g.truncate, err = whole(body, "truncate", -1); err != nil {
		return g, err
	}
	switch body["encoding"] {
	case "auto":
	case "base64":
		g.base64 = true
	default:
		return g, badRequest("unsupported_encoding: %v", body["encoding"])
	}
	return g, nil
}

// getMessages gets messages and settles all of them in the end, as the ackmode says.
func (c *call) getMessages() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	if err := needs(body, "ackmode", "count", "encoding"); err != nil {
		return err
	}
	g, err := parseFetch(body)
	if err != nil {
		return err
	}
	var settle func(*warren.Channel) error
	switch body["ackmode"] {
	case "ack_requeue_true":
		settle = func(ch *warren.Channel) error { return ch.Nack(0, true, true) }
	case "ack_requeue_false":
		settle = func(ch *warren.Channel) error { return ch.Ack(0, true) }
	case "reject_requeue_true":
		settle = func(ch *warren.Channel) error { return ch.Nack(0, true, true) }
	case "reject_requeue_false":
		settle = func(ch *warren.Channel) error { return ch.Nack(0, true, false) }
	default:
		return badRequest("unknown ackmode: %v", body["ackmode"])
	}
	f := &fields{out: c.buffer(1)}
	f.out = append(f.out, '[')
	err = c.channel(c.names[0], func(_ context.Context, _ *warren.VirtualHost, ch *warren.Channel) error {
		n := 0
		for size := 0; n < g.count && size < maxGetBytes; n++ {
			d, ok, err := ch.Get(c.names[1], false)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			size += len(d.Body)
			f.open()
			g.write(f, &d.Message, d.Exchange, d.RoutingKey, d.Redelivered, d.MessageCount)
			f.close()
		}
		if n == 0 {
			return nil
		}
		return settle(ch)
	})
	if errors.Is(err, warren.ErrNotFound) {
		return newError(http.StatusNotFound, "not_found", textOf(err))
	}
	if err != nil {
		return err
	}
	return c.json(append(f.out, ']'))
}

// write describes a message.
func (g *fetch) write(f *fields, m *warren.Message, exchange, key string, redelivered bool, left int) {
	f.int("payload_bytes", len(m.Body))
	f.bool("redelivered", redelivered)
	f.str("exchange", exchange)
	f.str("routing_key", key)
	f.int("message_count", left)
	writeProperties(f, m)
	body := m.Body
	if g.truncate >= 0 && g.truncate < len(body) {
		body = body[:g.truncate]
	}
	if !g.base64 && utf8.Valid(body) {
		f.str("payload", string(body))
		f.str("payload_encoding", "string")
		return
	}
	f.str("payload", base64.StdEncoding.EncodeToString(body))
	f.str("payload_encoding", "base64")
}

// writeProperties writes the properties that are set. Without any it is an empty list,
// which clients of RabbitMQ are used to.
func writeProperties(f *fields, m *warren.Message) {
	if !f.begin("properties") {
		return
	}
	start := len(f.out)
	for _, p := range [...]struct{ name, value string }{
		{"type", m.Type}, {"user_id", m.UserId}, {"app_id", m.AppId}, {"message_id", m.MessageId},
		{"expiration", m.Expiration}, {"reply_to", m.ReplyTo}, {"correlation_id", m.CorrelationId},
		{"content_encoding", m.ContentEncoding}, {"content_type", m.ContentType},
	} {
		if p.value != "" {
			f.str(p.name, p.value)
		}
	}
	if !m.Timestamp.IsZero() {
		f.int64("timestamp", m.Timestamp.Unix())
	}
	if m.Priority != 0 {
		f.int("priority", int(m.Priority))
	}
	if m.DeliveryMode != 0 {
		f.int("delivery_mode", int(m.DeliveryMode))
	}
	if m.Headers != nil {
		f.table("headers", m.Headers)
	}
	empty := len(f.out) == start
	f.end()
	if empty {
		copy(f.out[start-1:], "[]")
	}
}

// peek shows ready messages without taking them: skip and count say which.
func (c *call) peek() error {
	v, q, err := c.queue()
	if err != nil {
		return err
	}
	if err := c.mayRead(v, &q); err != nil {
		return err
	}
	skip, err := number64(c.query.Get("skip"), 0, "skip")
	if err != nil {
		return err
	}
	count, err := number64(c.query.Get("count"), 10, "count")
	if err != nil {
		return err
	}
	truncate, err := number64(c.query.Get("truncate"), -1, "truncate")
	if err != nil {
		return err
	}
	g := fetch{base64: c.query.Get("encoding") == "base64", truncate: truncate}
	messages, err := v.Peek(q.Name, skip, count)
	if err != nil {
		return err
	}
	f := &fields{out: c.buffer(len(messages))}
	f.out = append(f.out, '[')
	for i := range messages {
		m := &messages[i]
		f.open()
		g.write(f, &m.Message, m.Exchange, m.RoutingKey, m.Redelivered, max(0, q.Ready-skip-i-1))
		f.uint64("offset", m.Offset)
		f.int("returns", m.Returns)
		f.close()
	}
	return c.json(append(f.out, ']'))
}

func number64(text string, absent int, name string) (int, error) {
	if text == "" {
		return absent, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, badRequest("The parameter %s is not a whole number", name)
	}
	return int(n), nil
}

// mayRead checks the permission that getting messages from a queue needs. A queue that
// belongs to somebody else's session shows its messages to administrators only.
func (c *call) mayRead(v *warren.VirtualHost, q *warren.QueueInfo) error {
	if c.user.everywhere {
		return nil
	}
	refused := notAuthorised(fmt.Sprintf("ACCESS_REFUSED - read access to queue '%s' in vhost '%s' refused for user '%s'", q.Name, v.Name(), c.user.Name))
	p, ok := v.Permissions(c.user.Name)
	if !ok || p.Read == "" {
		return refused
	}
	if q.Exclusive && c.user.level < administrators {
		return refused
	}
	if match, err := regexp.MatchString(p.Read, q.Name); err != nil || !match {
		return refused
	}
	return nil
}
