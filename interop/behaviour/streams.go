package main

import (
	"maps"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/internal/wire"
)

// stream is a table of arguments that asks for one.
func stream(args amqp.Table) amqp.Table {
	list := amqp.Table{"x-queue-type": "stream"}
	maps.Copy(list, args)
	return list
}

func (s *script) streamArguments() {
	for _, arg := range []string{"x-max-age", "x-max-length-bytes", "x-stream-max-segment-size-bytes", "x-initial-cluster-size", "x-queue-leader-locator"} {
		for _, v := range odd {
			s.declareWith(stream(amqp.Table{arg: v}), true)
		}
	}
	for _, age := range []string{"1h", "7D", "1Y", "2M", "30s", "1", "0s", "1x", "1H", "-1s", "1h2m", "1.5h"} {
		s.declareWith(stream(amqp.Table{"x-max-age": age}), true)
	}
	for _, locator := range []string{"client-local", "balanced", "random", "least-leaders", "Random"} {
		s.declareWith(stream(amqp.Table{"x-queue-leader-locator": locator}), true)
	}
	for _, size := range []any{int64(3_000_000_000), int64(3_000_000_001)} {
		s.declareWith(stream(amqp.Table{"x-stream-max-segment-size-bytes": size}), true)
	}
	foreign := amqp.Table{
		"x-expires": int32(1000), "x-message-ttl": int32(1000), "x-dead-letter-exchange": "b.x", "x-overflow": "drop-head",
		"x-delivery-limit": int32(5), "x-max-priority": int32(5), "x-single-active-consumer": true, "x-queue-mode": "lazy",
		"x-queue-version": int32(1), "x-queue-master-locator": "client-local", "x-quorum-initial-group-size": int32(1),
		"x-dead-letter-strategy": "at-most-once", "x-max-length": int32(5), "x-max-in-memory-length": int32(1), "x-max-in-memory-bytes": int32(1),
		"x-unknown": int32(1),
	}
	for _, arg := range sortedKeys(foreign) {
		s.declareWith(stream(amqp.Table{arg: foreign[arg]}), true)
	}
	s.declareWith(stream(amqp.Table{"x-dead-letter-routing-key": "k"}), true)
	s.declareWith(stream(amqp.Table{"x-expires": "text"}), true)
	s.declareWith(stream(amqp.Table{"x-max-age": "1x"}), false)
	s.say("arguments of streams for other queues")
	s.declareWith(amqp.Table{"x-queue-leader-locator": "client-local"}, false)
	s.declareWith(amqp.Table{"x-max-age": "1h"}, false)
	s.declareWith(amqp.Table{"x-max-age": int32(5)}, false)
	s.declareWith(amqp.Table{"x-stream-max-segment-size-bytes": int32(5)}, false)
	s.declareWith(amqp.Table{"x-initial-cluster-size": int32(1)}, false)
	s.declareWith(amqp.Table{"x-queue-type": "Stream"}, true)
	s.say("flags")
	for _, f := range []struct {
		name                           string
		durable, autoDelete, exclusive bool
	}{
		{"b.args", false, false, false}, {"b.args", true, true, false}, {"b.args", true, false, true}, {"b.args", true, true, true}, {"b.args", false, true, true},
		{"", true, false, false}, {"", false, true, true}, {"amq.mine", true, false, false},
	} {
		s.try("declare", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(f.name, f.durable, f.autoDelete, f.exclusive, false, stream(nil))
			return err
		})
	}
	s.streamsAgain()
}

// streamsAgain declares streams that there are.
func (s *script) streamsAgain() {
	for _, p := range []struct{ was, is amqp.Table }{
		{stream(nil), stream(nil)},
		{stream(nil), nil},
		{stream(nil), amqp.Table{"x-queue-type": "classic"}},
		{amqp.Table{"x-queue-type": "classic"}, stream(nil)},
		{stream(nil), stream(amqp.Table{"x-max-age": "1h"})},
		{stream(amqp.Table{"x-max-age": "1h"}), stream(nil)},
		{stream(amqp.Table{"x-max-age": "1h"}), stream(amqp.Table{"x-max-age": "60m"})},
		{stream(amqp.Table{"x-max-length-bytes": int32(100)}), stream(amqp.Table{"x-max-length-bytes": int64(100)})},
		{stream(amqp.Table{"x-max-length-bytes": int32(100)}), stream(amqp.Table{"x-max-length-bytes": int64(101)})},
		{stream(amqp.Table{"x-stream-max-segment-size-bytes": int32(5000)}), stream(amqp.Table{"x-stream-max-segment-size-bytes": int32(5001)})},
		{stream(amqp.Table{"x-stream-max-segment-size-bytes": int32(5000)}), stream(nil)},
		{stream(amqp.Table{"x-initial-cluster-size": int32(1)}), stream(amqp.Table{"x-initial-cluster-size": int32(3)})},
		{stream(amqp.Table{"x-queue-leader-locator": "client-local"}), stream(amqp.Table{"x-queue-leader-locator": "random"})},
		{stream(nil), stream(amqp.Table{"x-unknown": int32(1)})},
		{stream(nil), stream(amqp.Table{"x-expires": int32(1000)})},
	} {
		s.queue("b.same", p.was)
		s.try("declare "+shown(p.was)+" then "+shown(p.is), func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("b.same", true, false, false, false, p.is)
			return err
		})
		s.delete("b.same")
	}
	s.queue("b.same", stream(nil))
	for _, f := range []struct{ durable, autoDelete, exclusive bool }{{}, {durable: true, autoDelete: true}, {durable: true, exclusive: true}} {
		s.try("declare with other flags", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("b.same", f.durable, f.autoDelete, f.exclusive, false, stream(nil))
			return err
		})
	}
}

func (s *script) streamConsumers() {
	s.queue("b.s", stream(nil))
	consume := func(what string, prefetch int, noAck, exclusive bool, args amqp.Table) {
		s.try(what+" "+shown(args), func(ch *amqp.Channel) error {
			if err := ch.Qos(prefetch, 0, false); err != nil {
				return err
			}
			_, err := ch.Consume("b.s", "", noAck, exclusive, false, false, args)
			return err
		})
	}
	consume("consume", 1, false, false, nil)
	consume("no prefetch", 0, false, false, nil)
	consume("no ack", 1, true, false, nil)
	consume("no ack and no prefetch", 0, true, false, nil)
	consume("exclusive", 1, false, true, nil)
	for _, args := range []amqp.Table{
		{"x-priority": int32(1)}, {"x-priority": "text"}, {"x-cancel-on-ha-failover": true}, {"x-credit": amqp.Table{}}, {"unknown": int32(1)},
	} {
		consume("consume", 1, false, false, args)
	}
	consume("a priority and no prefetch", 0, false, false, amqp.Table{"x-priority": int32(1)})
	for _, v := range []any{
		"first", "last", "next", "5m", "1Y", "0s", "1x", "text", int32(-1), int32(0), int64(1), int8(5), int16(300), byte(7), uint16(9), uint32(11),
		int64(1 << 40), time.Unix(1, 0), "-1s", true, 1.5, nil, []any{int32(1)}, amqp.Table{}, []byte("x"),
	} {
		consume("offset", 1, false, false, from(v))
	}
	consume("bad offset and no prefetch", 0, false, false, from("1x"))
	consume("bad offset and no ack", 1, true, false, from("1x"))
	s.try("a prefetch of the channel", func(ch *amqp.Channel) error {
		if err := ch.Qos(5, 0, true); err != nil {
			return err
		}
		_, err := ch.Consume("b.s", "", false, false, false, false, nil)
		return err
	})
	s.do("two exclusive ones", func(ch *amqp.Channel) error {
		if err := ch.Qos(1, 0, false); err != nil {
			return err
		}
		if _, err := ch.Consume("b.s", "", false, true, false, false, nil); err != nil {
			return err
		}
		consume("exclusive beside an exclusive one", 1, false, true, nil)
		consume("beside an exclusive one", 1, false, false, nil)
		return nil
	})
	s.queue("b.q", nil)
	s.try("an offset for a classic queue", func(ch *amqp.Channel) error {
		_, err := ch.Consume("b.q", "", false, false, false, false, from("first"))
		return err
	})
	s.say("what streams cannot do")
	s.try("get", func(ch *amqp.Channel) error { _, _, err := ch.Get("b.s", false); return err })
	s.try("get without ack", func(ch *amqp.Channel) error { _, _, err := ch.Get("b.s", true); return err })
	s.try("purge", func(ch *amqp.Channel) error { _, err := ch.QueuePurge("b.s", false); return err })
	for _, m := range []wire.Method{
		&wire.BasicGet{Queue: []byte("b.s")}, &wire.QueuePurge{Queue: "b.s"}, &wire.QueuePurge{Queue: "b.s", NoWait: true},
		&wire.BasicConsume{Queue: []byte("b.s")}, &wire.BasicConsume{Queue: []byte("b.s"), NoAck: true},
	} {
		p := s.open()
		p.send(1, m, &wire.BasicQos{})
		s.say("  %s: %s", shownMethod(m), p.read(wire.BasicQosOkID))
		p.close()
	}
}
