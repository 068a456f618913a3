package main

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// odd are values that few arguments take.
var odd = []any{
	int32(-1), int32(0), int64(1), int8(5), int16(300), byte(7), uint16(9), uint32(11), int64(1 << 32), int64(1 << 40),
	int8(-1), int16(-1), int64(-1), byte(0), "text", "", true, 1.5, float32(1), nil, []any{int32(1)}, amqp.Table{},
	time.Unix(1, 0), []byte("x"), amqp.Decimal{Scale: 1, Value: 3},
}

func (s *script) queueArguments() {
	for _, arg := range []string{
		"x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes", "x-max-priority", "x-dead-letter-exchange",
		"x-dead-letter-routing-key", "x-overflow", "x-queue-mode", "x-single-active-consumer", "x-queue-type", "x-unknown",
	} {
		for _, v := range odd {
			s.declareWith(amqp.Table{arg: v}, false)
		}
	}
	for _, v := range []any{"drop-head", "reject-publish", "reject-publish-dlx", "reject", "Drop-Head"} {
		s.declareWith(amqp.Table{"x-overflow": v}, false)
	}
	for _, v := range []any{"classic", "default", "lazy"} {
		s.declareWith(amqp.Table{"x-queue-mode": v}, false)
		s.declareWith(amqp.Table{"x-queue-type": v}, false)
	}
	s.declareWith(amqp.Table{"x-single-active-consumer": false}, false)
	s.declareWith(amqp.Table{"x-dead-letter-routing-key": "k"}, false)
	s.declareWith(amqp.Table{"x-dead-letter-exchange": "amq.direct", "x-dead-letter-routing-key": "k"}, false)
	s.declareWith(amqp.Table{"x-dead-letter-exchange": "b.nowhere"}, false)
	s.declareWith(amqp.Table{"x-max-priority": int32(256)}, false)
	s.declareWith(amqp.Table{"x-max-priority": int32(255)}, false)
	s.declareWith(amqp.Table{"x-message-ttl": int32(1), "x-expires": int32(0)}, false)
	s.declareWith(amqp.Table{"x-max-length": int32(-1), "x-max-priority": int32(-1)}, false)
	const tenYears = int64(10 * 365 * 86400 * 1000)
	for _, v := range []any{tenYears, tenYears + 1} {
		s.declareWith(amqp.Table{"x-message-ttl": v}, false)
		s.declareWith(amqp.Table{"x-expires": v}, false)
	}
	s.declareWith(amqp.Table{"x-queue-type": "quorum"}, true)
	s.declareWith(amqp.Table{"x-queue-type": "quorum"}, false)
	for _, v := range []any{int32(0), int32(3), int32(-1), "x"} {
		s.declareWith(amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": v}, true)
	}
	s.declareWith(amqp.Table{"x-queue-type": "quorum", "x-max-priority": int32(5)}, true)
	s.declareWith(amqp.Table{"x-queue-type": "quorum", "x-single-active-consumer": true, "x-max-length": int32(5), "x-overflow": "reject-publish"}, true)
	s.declareWith(amqp.Table{"x-queue-type": "quorum", "x-overflow": "reject-publish-dlx"}, true)
	for _, arg := range []string{"x-quorum-initial-group-size", "x-initial-cluster-size", "x-max-in-memory-length", "x-max-in-memory-bytes"} {
		s.declareWith(amqp.Table{"x-queue-type": "quorum", arg: int32(1)}, true)
		for _, v := range []any{int32(0), int32(-1), "x"} {
			s.declareWith(amqp.Table{"x-queue-type": "quorum", arg: v}, true)
		}
		s.declareWith(amqp.Table{arg: int32(1)}, false)
	}
	s.declareWith(amqp.Table{"x-queue-type": "quorum", "x-max-age": "1h"}, true)
	for _, v := range []any{"at-most-once", "at-least-once", "x", int32(1)} {
		s.declareWith(amqp.Table{"x-queue-type": "quorum", "x-dead-letter-strategy": v}, true)
	}
	s.declareWith(amqp.Table{"x-queue-type": "quorum", "x-queue-leader-locator": "client-local"}, true)
	s.declareWith(amqp.Table{"x-delivery-limit": int32(3)}, false)
}

// declareWith declares a queue and deletes it.
func (s *script) declareWith(args amqp.Table, durable bool) {
	s.try("declare "+shown(args), func(ch *amqp.Channel) error {
		if _, err := ch.QueueDeclare("b.args", durable, false, false, false, args); err != nil {
			return err
		}
		_, err := ch.QueueDelete("b.args", false, false, false)
		return err
	})
}

func (s *script) equivalence() {
	type pair struct{ was, is amqp.Table }
	pairs := []pair{
		{nil, nil},
		{amqp.Table{"x-overflow": "drop-head"}, amqp.Table{"x-overflow": "reject-publish"}},
		{amqp.Table{"x-overflow": "drop-head"}, nil},
		{amqp.Table{"x-dead-letter-exchange": "a"}, amqp.Table{"x-dead-letter-exchange": "b"}},
		{amqp.Table{"x-dead-letter-exchange": "a"}, nil},
		{amqp.Table{"x-dead-letter-exchange": "a", "x-dead-letter-routing-key": "a"}, amqp.Table{"x-dead-letter-exchange": "a", "x-dead-letter-routing-key": "b"}},
		{amqp.Table{"x-dead-letter-exchange": "a", "x-dead-letter-routing-key": "a"}, amqp.Table{"x-dead-letter-exchange": "a"}},
		{nil, amqp.Table{"x-dead-letter-exchange": "b"}},
		{amqp.Table{"x-single-active-consumer": true}, amqp.Table{"x-single-active-consumer": false}},
		{amqp.Table{"x-single-active-consumer": true}, nil},
		{amqp.Table{"x-single-active-consumer": false}, nil},
		{amqp.Table{"x-queue-mode": "lazy"}, amqp.Table{"x-queue-mode": "default"}},
		{amqp.Table{"x-queue-mode": "lazy"}, nil},
		{nil, amqp.Table{"x-queue-type": "classic"}},
		{amqp.Table{"x-queue-type": "classic"}, nil},
		{nil, amqp.Table{"x-unknown": int32(1)}},
		{amqp.Table{"x-unknown": "a"}, amqp.Table{"x-unknown": "b"}},
		{nil, amqp.Table{"x-max-length": int32(-1)}},
		{amqp.Table{"x-expires": int32(120)}, amqp.Table{"x-expires": "text"}},
		{nil, amqp.Table{"x-dead-letter-exchange": int32(1)}},
		{nil, amqp.Table{"x-dead-letter-routing-key": "k"}},
		{amqp.Table{"x-max-length": int32(120)}, amqp.Table{"x-max-length": "120"}},
		{amqp.Table{"x-overflow": "drop-head"}, amqp.Table{"x-overflow": true}},
		{nil, amqp.Table{"x-max-age": "1h"}},
		{nil, amqp.Table{"x-queue-type": "none"}},
		{amqp.Table{"x-max-length": int32(5), "x-max-priority": int32(5)}, amqp.Table{"x-max-length": int32(6), "x-max-priority": int32(6)}},
	}
	for _, arg := range []string{"x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes", "x-max-priority"} {
		was := amqp.Table{arg: int32(120)}
		for _, v := range []any{int32(120), int64(120), int16(120), int8(120), byte(120), uint16(120), uint32(120), int16(119), int64(119)} {
			pairs = append(pairs, pair{was, amqp.Table{arg: v}})
		}
		pairs = append(pairs, pair{was, nil}, pair{nil, was})
	}
	for _, p := range pairs {
		s.queue("b.same", p.was)
		s.try("declare "+shown(p.was)+" then "+shown(p.is), func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("b.same", p.was["x-queue-type"] != nil, false, false, false, p.is)
			return err
		})
		s.delete("b.same")
	}
	s.queue("b.same", nil)
	type flags struct{ durable, autoDelete, exclusive bool }
	for _, f := range []flags{{durable: true}, {autoDelete: true}, {exclusive: true}, {true, true, false}} {
		s.try("declare with other flags", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("b.same", f.durable, f.autoDelete, f.exclusive, false, nil)
			return err
		})
	}
	s.try("passive with other flags", func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive("b.same", true, true, false, false, amqp.Table{"x-expires": int32(1)})
		return err
	})
}
