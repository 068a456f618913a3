package main

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/internal/wire"
)

func (s *script) publishing() {
	s.queue("b.q", nil)
	publish := func(what string, m amqp.Publishing) {
		s.try(what, func(ch *amqp.Channel) error { return ch.Publish("", "b.q", false, false, m) })
	}
	for _, e := range []string{
		"0", "1", "-1", "-0", "+5", "x", "", " 5", "5 ", "1.5", "4294967295", "4294967296", "99999999999", "315360000000", "315360000001", "007", "0x5",
		"1e3", "99999999999999999999", "-99999999999999999999",
	} {
		publish(fmt.Sprintf("expiration %q", e), amqp.Publishing{Expiration: e})
	}
	publish("user_id of another", amqp.Publishing{UserId: "somebody"})
	publish("own user_id", amqp.Publishing{UserId: "guest"})
	publish("an odd delivery mode", amqp.Publishing{DeliveryMode: 7})
	publish("an odd priority", amqp.Publishing{Priority: 255})
	s.purge("b.q")
	for _, exchange := range []string{"b.nowhere", "amq.direct"} {
		s.try("publish to "+exchange, func(ch *amqp.Channel) error { return ch.Publish(exchange, "", false, false, amqp.Publishing{}) })
	}
	s.say("immediate")
	s.returned("", "b.q", false, true, amqp.Publishing{})
	s.say("an error of a publish closes what it was on")
	p := s.open()
	defer p.close()
	p.publish(&wire.BasicPublish{Exchange: []byte("b.nowhere")}, "lost")
	p.publish(&wire.BasicPublish{RoutingKey: []byte("b.q")}, "lost, too")
	s.say("  %s", p.read())
	s.counts("b.q")
}

// returned publishes in confirm mode and writes down what comes back.
func (s *script) returned(exchange, key string, mandatory, immediate bool, m amqp.Publishing) {
	p := s.open()
	defer p.close()
	p.send(1, &wire.ConfirmSelect{})
	p.read(wire.ConfirmSelectOkID)
	props := wire.Properties{Headers: wireTable(m.Headers), Expiration: m.Expiration}
	p.write(wire.AppendPublish(nil, 1, &wire.BasicPublish{
		Exchange: []byte(exchange), RoutingKey: []byte(key), Mandatory: mandatory, Immediate: immediate,
	}, props.Append(nil), m.Body, peerFrameMax))
	s.say("  to %q %q: %s", exchange, key, p.read(wire.BasicAckID, wire.BasicNackID))
}

func wireTable(t amqp.Table) wire.Table {
	if t == nil {
		return nil
	}
	w := wire.Table{}
	for k, v := range t {
		w[k] = v
	}
	return w
}

// properties travel as they are.
func (s *script) properties() {
	s.queue("b.q", nil)
	long := make([]any, 50)
	for i := range long {
		long[i] = amqp.Table{"n": int32(i)}
	}
	for _, m := range []amqp.Publishing{
		{},
		{
			ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: 2, Priority: 9, CorrelationId: "c", ReplyTo: "r", Expiration: "60000",
			MessageId: "m", Timestamp: time.Unix(1700000000, 0), Type: "t", UserId: "guest", AppId: "a",
		},
		{DeliveryMode: 1, Timestamp: time.Unix(-1, 0), Headers: amqp.Table{}},
		{Headers: amqp.Table{
			"bool": true, "int8": int8(-8), "int16": int16(-16), "int32": int32(-32), "int64": int64(-64), "byte": byte(8), "uint16": uint16(16),
			"uint32": uint32(32), "float32": float32(1.5), "float64": 2.5, "decimal": amqp.Decimal{Scale: 2, Value: 314}, "text": "häuschen", "octets": []byte{0, 255},
			"time": time.Unix(1, 0), "nothing": nil, "list": []any{int32(1), "two", nil, []any{}}, "table": amqp.Table{"a": amqp.Table{"b": nil}}, "": "no name",
		}},
		{Headers: amqp.Table{"long": long, "x-mine": "kept"}},
	} {
		s.put("", "b.q", m)
		s.do("get", func(ch *amqp.Channel) error {
			d, _, err := ch.Get("b.q", true)
			s.say("%q %q mode=%d priority=%d %q %q %q %q %d %q %q %q %s", d.ContentType, d.ContentEncoding, d.DeliveryMode, d.Priority, d.CorrelationId,
				d.ReplyTo, d.Expiration, d.MessageId, d.Timestamp.Unix(), d.Type, d.UserId, d.AppId, shown(d.Headers))
			return err
		})
	}
}

func (s *script) confirms() {
	s.queue("b.q", nil)
	s.queue("b.full", amqp.Table{"x-max-length": int32(0), "x-overflow": "reject-publish"})
	s.exchange("b.x", "fanout", nil)
	s.bind("b.q", "", "b.x", nil)
	s.bind("b.full", "", "b.x", nil)
	s.say("mandatory")
	s.returned("", "b.q", true, false, amqp.Publishing{})
	s.returned("amq.direct", "nobody", true, false, amqp.Publishing{Headers: amqp.Table{"CC": []any{"x"}}, Expiration: "5000", Body: []byte("back")})
	s.returned("amq.direct", "nobody", false, false, amqp.Publishing{Body: []byte("back")})
	s.say("a queue that is full")
	s.returned("", "b.full", true, false, amqp.Publishing{})
	s.say("  alone: %s", s.put("", "b.full", body("1")...))
	s.say("  beside one that is not: %s", s.put("b.x", "", body("1")...))
	s.drain("b.q", 1)
	s.say("numbers")
	s.try("confirms", func(ch *amqp.Channel) error {
		if err := ch.Publish("", "b.q", false, false, amqp.Publishing{}); err != nil {
			return err
		}
		for range 2 {
			if err := ch.Confirm(false); err != nil {
				return err
			}
		}
		confirmed := ch.NotifyPublish(make(chan amqp.Confirmation, 8))
		for _, key := range []string{"b.q", "b.nowhere", "b.full", "b.q"} {
			if err := ch.Publish("", key, true, false, amqp.Publishing{}); err != nil {
				return err
			}
		}
		for range 4 {
			c := <-confirmed
			s.say("  %d %v", c.DeliveryTag, c.Ack)
		}
		if err := ch.Confirm(false); err != nil {
			return err
		}
		s.say("  %s", confirm(ch, "", "b.q", amqp.Publishing{}))
		return nil
	})
	s.say("an error takes the confirms along")
	s.try("publish", func(ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		s.say("  %s", confirm(ch, "b.nowhere", "", amqp.Publishing{}))
		return nil
	})
}
