package model_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/warrenmq/warren"
)

func (g *generator) queueDeclare() operation {
	name := pick(g, append(queueNames[:], "")...)
	o := warren.QueueOptions{Durable: name == "q1", AutoDelete: name == "q2" || name == "" && g.one(30), Exclusive: name == "q3" || name == "" && g.one(30)}
	if r, ok := g.rules[name]; ok {
		r.Durable, r.AutoDelete, r.Exclusive = o.Durable, o.AutoDelete, o.Exclusive
		o = r
	}
	if g.durable && name != "" && name != "q3" {
		o.Durable, o.AutoDelete = true, false
	}
	if g.one(10) {
		o = warren.QueueOptions{Durable: g.one(50), AutoDelete: g.one(50), Exclusive: g.one(50)}
	}
	return onChannel(g.open(), func(w *world, ch anyChannel) answer {
		return answer{}.queue(ch.QueueDeclare(w.name(name), o))
	}, "QueueDeclare(%q%s%s)", name, flagsText("durable", o.Durable, "auto-delete", o.AutoDelete, "exclusive", o.Exclusive), rulesText(o))
}

// queueRules says what the queues of a history are asked for.
func (g *generator) queueRules() map[string]warren.QueueOptions {
	rules := map[string]warren.QueueOptions{}
	for i, name := range queueNames {
		var o warren.QueueOptions
		if g.one(30) { // of its own for each queue, so that few things happen at the same moment
			o.MessageTTL = time.Duration([]int{3, 5, 8, 13}[i]) * time.Millisecond
		}
		if g.one(15) {
			o.Expires = time.Duration([]int{16, 21, 34, 55}[i]) * time.Millisecond
		}
		if g.one(30) {
			o.MaxLength = int64(1 + g.IntN(3))
		}
		if g.one(10) {
			o.MaxLengthBytes = int64(4 + g.IntN(6))
		}
		if (o.MaxLength > 0 || o.MaxLengthBytes > 0) && g.one(70) {
			o.Overflow = pick(g, warren.DropHead, warren.RejectPublish, warren.RejectPublishDLX)
		}
		if g.one(50) {
			o.DeadLetter = &warren.DeadLetter{
				Exchange:   pick(g, "", "", "", "", "x0", "x1", "x2", "amq.fanout"),
				RoutingKey: pick(g, "", "", g.key(), name, queueNames[g.IntN(len(queueNames))]),
			}
		}
		if g.one(25) {
			o.MaxPriority = uint8(1 + g.IntN(3))
		}
		o.SingleActiveConsumer = g.one(15)
		if g.one(25) {
			o.DeliveryLimit = int64(1 + g.IntN(2))
		}
		rules[name] = o
	}
	return rules
}

func rulesText(o warren.QueueOptions) (s string) {
	for _, a := range arguments(o) {
		if a.value != nil {
			s += fmt.Sprintf(", %s=%v", a.name, a.value)
		}
	}
	return s
}

func (g *generator) pass() operation {
	d := pick(g, time.Millisecond, 4*time.Millisecond, 10*time.Millisecond, 30*time.Millisecond, 2*time.Second)
	return operation{text: fmt.Sprintf("%v pass", d), passes: d, do: func(w *world, _ uint64) answer {
		w.server.Pass(d)
		return answer{}
	}}
}

// flagsText shows those that are set.
func flagsText(pairs ...any) (s string) {
	for i := 0; i < len(pairs); i += 2 {
		switch v := pairs[i+1]; v {
		case false, "", 0, uint8(0):
		case true:
			s += fmt.Sprintf(", %s", pairs[i])
		default:
			s += fmt.Sprintf(", %s %v", pairs[i], v)
		}
	}
	return s
}

func (g *generator) exchangeDeclare() operation {
	name := pick(g, "x0", "x1", "x2", "x3", g.exchange())
	kinds := map[string]warren.ExchangeType{"x0": warren.Direct, "x1": warren.Fanout, "x2": warren.Topic, "x3": warren.Headers}
	kind := kinds[name]
	o := warren.ExchangeOptions{AutoDelete: name == "x2"}
	if g.durable {
		o = warren.ExchangeOptions{Durable: name != "x3"}
	}
	if g.one(25) {
		kind = pick(g, warren.Direct, warren.Fanout, warren.Topic, warren.Headers, "strange")
		o = warren.ExchangeOptions{Durable: g.one(30), AutoDelete: g.one(50), Internal: g.one(30)}
	}
	if g.one(25) {
		o.Alternate = g.exchange()
	}
	return onChannel(g.open(), func(w *world, ch anyChannel) answer {
		return answer{}.err(ch.ExchangeDeclare(name, kind, o))
	}, "ExchangeDeclare(%q, %s%s)", name, kind, flagsText("durable", o.Durable, "auto-delete", o.AutoDelete, "internal", o.Internal, "alternate", o.Alternate))
}

func (g *generator) args() warren.Table {
	if g.one(50) {
		return nil
	}
	t := warren.Table{}
	for _, k := range []string{"h", "i"} {
		if g.one(60) {
			t[k] = pick[any](g, "1", "2", int32(1), nil)
		}
	}
	if g.one(60) {
		t["x-match"] = pick(g, "any", "any", "all", "some")
	}
	return t
}

func (g *generator) bind() operation {
	q, x, key, args, unbind := g.queue(), g.exchange(), g.pattern(), g.args(), g.one(25)
	if bs := g.model.bindings; unbind && len(bs) > 0 && g.one(80) {
		if b := pick(g, bs...); b.queue != nil {
			q, x, key, args = b.queue.name, b.source.name, b.key, b.args
		}
	}
	switch n := g.IntN(100); {
	case n < 3:
		q = g.address()
	case n < 15:
		q, key = "", "" // which stand for the queue declared last
	}
	return onChannel(g.openFor(q), func(w *world, ch anyChannel) answer {
		if unbind {
			return answer{}.err(ch.QueueUnbind(w.name(q), w.name(key), x, args))
		}
		return answer{}.err(ch.QueueBind(w.name(q), w.name(key), x, args))
	}, "Queue%s(%q, %q, %q%s)", unText(unbind), q, key, x, tableText(args))
}

func unText(unbind bool) string {
	if unbind {
		return "Unbind"
	}
	return "Bind"
}

func tableText(t warren.Table) (s string) {
	for _, k := range slices.Sorted(maps.Keys(t)) {
		s += fmt.Sprintf(", %s=%v", k, t[k])
	}
	return s
}

func (g *generator) exchangeBind() operation {
	to, x, key, args, unbind := g.exchange(), g.exchange(), g.pattern(), g.args(), g.one(25)
	if bs := g.model.bindings; unbind && len(bs) > 0 && g.one(80) {
		if b := pick(g, bs...); b.exchange != nil {
			to, x, key, args = b.exchange.name, b.source.name, b.key, b.args
		}
	}
	return onChannel(g.open(), func(w *world, ch anyChannel) answer {
		if unbind {
			return answer{}.err(ch.ExchangeUnbind(to, w.name(key), x, args))
		}
		return answer{}.err(ch.ExchangeBind(to, w.name(key), x, args))
	}, "Exchange%s(%q, %q, %q%s)", unText(unbind), to, key, x, tableText(args))
}

func (g *generator) inspect() operation {
	q := pick(g, g.queue(), g.address(), g.address(), g.replyName())
	switch g.IntN(5) {
	case 0:
		x := g.exchange()
		return onChannel(g.open(), func(w *world, ch anyChannel) answer {
			return answer{}.err(ch.ExchangeDeclarePassive(x))
		}, "ExchangeDeclarePassive(%q)", x)
	case 1:
		return onChannel(g.openFor(q), func(w *world, ch anyChannel) answer {
			return answer{}.queue(ch.QueueDeclare(w.name(q), warren.QueueOptions{}))
		}, "QueueDeclare(%q)", q)
	}
	return onChannel(g.openFor(q), func(w *world, ch anyChannel) answer {
		return answer{}.queue(ch.QueueDeclarePassive(w.name(q)))
	}, "QueueDeclarePassive(%q)", q)
}

// remove purges and deletes.
func (g *generator) remove() operation {
	q, x := g.queue(), g.exchange()
	if g.one(5) {
		q = pick(g, g.address(), g.replyName())
	}
	o := warren.QueueDeleteOptions{IfUnused: g.one(30), IfEmpty: g.one(30)}
	switch g.IntN(3) {
	case 0:
		return onChannel(g.openFor(q), func(w *world, ch anyChannel) answer {
			return answer{}.count(ch.QueuePurge(w.name(q)))
		}, "QueuePurge(%q)", q)
	case 1:
		unused := g.one(30)
		return onChannel(g.open(), func(w *world, ch anyChannel) answer {
			return answer{}.err(ch.ExchangeDelete(x, warren.ExchangeDeleteOptions{IfUnused: unused}))
		}, "ExchangeDelete(%q%s)", x, flagsText("if-unused", unused))
	}
	return onChannel(g.openFor(q), func(w *world, ch anyChannel) answer {
		return answer{}.count(ch.QueueDelete(w.name(q), o))
	}, "QueueDelete(%q%s)", q, flagsText("if-unused", o.IfUnused, "if-empty", o.IfEmpty))
}
