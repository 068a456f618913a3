package model_test

import (
	"maps"
	"slices"
	"strings"

	"github.com/warrenmq/warren"
)

type modelExchange struct {
	name    string
	kind    warren.ExchangeType
	options warren.ExchangeOptions
}

// modelBinding leads from an exchange to a queue or to an exchange.
type modelBinding struct {
	source   *modelExchange
	queue    *modelQueue
	exchange *modelExchange
	key      string
	args     warren.Table
}

// route is where a message goes: each queue and address once, by way of each
// exchange once.
func (m *model) route(x *modelExchange, keys []string, headers warren.Table) (queues []*modelQueue, addresses []string) {
	visit := []*modelExchange{x}
	for i := 0; i < len(visit); i++ {
		x, matched := visit[i], false
		for _, key := range keys {
			if x.name == "" {
				if q := m.queues[key]; q != nil {
					queues = with(queues, q)
				} else if isReplyAddress(key) {
					addresses = with(addresses, key)
				}
			}
			for _, b := range m.bindings {
				if b.source != x || !matches(b, key, headers) {
					continue
				}
				matched = true
				if b.queue != nil {
					queues = with(queues, b.queue)
				} else {
					visit = with(visit, b.exchange)
				}
			}
		}
		if alternate := m.exchanges[x.options.Alternate]; !matched && x.options.Alternate != "" && alternate != nil {
			visit = with(visit, alternate)
		}
	}
	return queues, addresses
}

func with[T comparable](list []T, t T) []T {
	if slices.Contains(list, t) {
		return list
	}
	return append(list, t)
}

func matches(b *modelBinding, key string, headers warren.Table) bool {
	switch b.source.kind {
	case warren.Direct:
		return b.key == key
	case warren.Topic:
		return matchesTopic(wordsOf(b.key), wordsOf(key))
	case warren.Headers:
		return matchesHeaders(b.args, headers)
	}
	return true // fanout
}

func wordsOf(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}

func matchesTopic(pattern, words []string) bool {
	switch {
	case len(pattern) == 0:
		return len(words) == 0
	case pattern[0] == "#":
		return matchesTopic(pattern[1:], words) || len(words) > 0 && matchesTopic(pattern, words[1:])
	case len(words) == 0:
		return false
	}
	return (pattern[0] == "*" || pattern[0] == words[0]) && matchesTopic(pattern[1:], words[1:])
}

// matchesHeaders: all arguments must be among the headers, or with x-match
// "any" at least one.
func matchesHeaders(args, headers warren.Table) bool {
	wanted, found := 0, 0
	for k, v := range args {
		if strings.HasPrefix(k, "x-") {
			continue
		}
		wanted++
		if have, ok := headers[k]; ok && (v == nil || have == v) {
			found++
		}
	}
	if args["x-match"] == "any" {
		return found > 0
	}
	return found == wanted
}

func (ch *modelChannel) ExchangeDeclare(name string, kind warren.ExchangeType, o warren.ExchangeOptions) error {
	const method = "exchange.declare"
	m, x := ch.model, ch.model.exchanges[name]
	inequivalent := func(arg, received, current string) error {
		return failure(method, 406, "inequivalent arg '%s' for exchange '%s' in vhost '/': received %s but current is %s", arg, name, received, current)
	}
	switch {
	case ch.closed:
		return warren.ErrClosed
	case !slices.Contains([]warren.ExchangeType{"direct", "fanout", "topic", "headers"}, kind):
		return failure(method, 406, "unknown exchange type '%s'", kind)
	case name == "":
		return failure(method, 403, "operation not permitted on the default exchange")
	case x == nil && strings.HasPrefix(name, "amq."):
		return failure(method, 403, "exchange name '%s' contains reserved prefix 'amq.*'", name)
	case x == nil:
		m.exchanges[name] = &modelExchange{name: name, kind: kind, options: o}
		return nil
	case x.kind != kind:
		return inequivalent("type", "'"+string(kind)+"'", "'"+string(x.kind)+"'")
	case x.options.Durable != o.Durable:
		return inequivalent("durable", boolText(o.Durable), boolText(x.options.Durable))
	case x.options.AutoDelete != o.AutoDelete:
		return inequivalent("auto_delete", boolText(o.AutoDelete), boolText(x.options.AutoDelete))
	case x.options.Internal != o.Internal:
		return inequivalent("internal", boolText(o.Internal), boolText(x.options.Internal))
	case x.options.Alternate != o.Alternate:
		if o.Alternate != "" && x.options.Alternate != "" {
			return inequivalent("alternate-exchange", "'"+o.Alternate+"'", "'"+x.options.Alternate+"'")
		}
		return inequivalent("alternate-exchange", stringText(o.Alternate), stringText(x.options.Alternate))
	}
	return nil
}

func boolText(b bool) string {
	if b {
		return "'true'"
	}
	return "'false'"
}

func stringText(s string) string {
	if s == "" {
		return "none"
	}
	return "the value '" + s + "' of type 'longstr'"
}

func (ch *modelChannel) ExchangeDeclarePassive(name string) error {
	switch {
	case ch.closed:
		return warren.ErrClosed
	case name == "":
		return failure("exchange.declare", 403, "operation not permitted on the default exchange")
	case ch.model.exchanges[name] == nil:
		return noExchangeError("exchange.declare", name)
	}
	return nil
}

func (ch *modelChannel) ExchangeDelete(name string, o warren.ExchangeDeleteOptions) error {
	const method = "exchange.delete"
	m, x := ch.model, ch.model.exchanges[name]
	switch {
	case ch.closed:
		return warren.ErrClosed
	case name == "":
		return failure(method, 403, "operation not permitted on the default exchange")
	case strings.HasPrefix(name, "amq."):
		return failure(method, 403, "deletion of system exchange '%s' in vhost '/' not allowed", name)
	case x == nil:
		return nil
	case o.IfUnused && m.isSource(x):
		return failure(method, 406, "exchange '%s' in vhost '/' in use", name)
	}
	m.deleteExchange(x)
	return nil
}

func (m *model) isSource(x *modelExchange) bool {
	return slices.ContainsFunc(m.bindings, func(b *modelBinding) bool { return b.source == x })
}

func (m *model) deleteExchange(x *modelExchange) {
	delete(m.exchanges, x.name)
	m.unbindAll(func(b *modelBinding) bool { return b.source == x || b.exchange == x })
}

// unbindAll removes bindings, and with the last one of an auto-delete exchange
// the exchange.
func (m *model) unbindAll(which func(b *modelBinding) bool) {
	var lost []*modelExchange
	m.bindings = slices.DeleteFunc(m.bindings, func(b *modelBinding) bool {
		if which(b) {
			lost = append(lost, b.source)
		}
		return which(b)
	})
	for _, x := range lost {
		if x.options.AutoDelete && m.exchanges[x.name] == x && !m.isSource(x) {
			m.deleteExchange(x)
		}
	}
}

func (ch *modelChannel) ExchangeBind(destination, key, source string, args warren.Table) error {
	return ch.bindExchange("exchange.bind", destination, key, source, args)
}

func (ch *modelChannel) ExchangeUnbind(destination, key, source string, args warren.Table) error {
	return ch.bindExchange("exchange.unbind", destination, key, source, args)
}

func (ch *modelChannel) bindExchange(method, destination, key, source string, args warren.Table) error {
	to, from := ch.model.exchanges[destination], ch.model.exchanges[source]
	bind := method == "exchange.bind"
	switch {
	case ch.closed:
		return warren.ErrClosed
	case destination == "" || source == "":
		return failure(method, 403, "operation not permitted on the default exchange")
	case !bind && (to == nil || from == nil):
		return nil
	case from == nil:
		return noExchangeError(method, source)
	case to == nil:
		return noExchangeError(method, destination)
	}
	return ch.bind(method, bind, &modelBinding{source: from, exchange: to, key: key, args: args})
}

func (ch *modelChannel) QueueBind(name, key, exchange string, args warren.Table) error {
	return ch.bindQueue("queue.bind", name, key, exchange, args)
}

func (ch *modelChannel) QueueUnbind(name, key, exchange string, args warren.Table) error {
	return ch.bindQueue("queue.unbind", name, key, exchange, args)
}

func (ch *modelChannel) bindQueue(method, name, key, source string, args warren.Table) error {
	if ch.closed {
		return warren.ErrClosed
	}
	full, err := ch.queueName(method, name)
	if err != nil {
		return err
	}
	if name == "" && key == "" {
		key = full
	}
	q, from := ch.model.queues[full], ch.model.exchanges[source]
	bind := method == "queue.bind"
	switch {
	case isReplyAddress(full):
		return failure(method, 403, "cannot bind or unbind to a volatile (direct reply-to) queue")
	case source == "":
		return failure(method, 403, "operation not permitted on the default exchange")
	case !bind && (q == nil || from == nil):
		return nil
	case from == nil:
		return noExchangeError(method, source)
	case q == nil:
		return noQueueError(method, full)
	}
	return ch.bind(method, bind, &modelBinding{source: from, queue: q, key: key, args: args})
}

// same reports whether x has all of b's properties.
func (b *modelBinding) same(x *modelBinding) bool {
	return x.source == b.source && x.queue == b.queue && x.exchange == b.exchange && x.key == b.key && maps.Equal(x.args, b.args)
}

// bind makes or removes the binding that has all of b's properties.
func (ch *modelChannel) bind(method string, bind bool, b *modelBinding) error {
	m := ch.model
	there := slices.ContainsFunc(m.bindings, b.same)
	if !bind && !there {
		return nil
	}
	if how, ok := b.args["x-match"]; ok && b.source.kind == warren.Headers && how != "all" && how != "any" {
		return failure(method, 406, "Invalid x-match field value <<\"%s\">>; expected all, any, all-with-x, or any-with-x", how)
	}
	if q := b.queue; q != nil && q.owner != nil && q.owner != ch.session {
		return lockedError(method, q.name)
	}
	switch {
	case !bind:
		m.unbindAll(b.same)
	case !there:
		m.bindings = append(m.bindings, b)
	}
	return nil
}

func noExchangeError(method, name string) error {
	return failure(method, 404, "no exchange '%s' in vhost '/'", name)
}

func noQueueError(method, name string) error {
	return failure(method, 404, "no queue '%s' in vhost '/'", name)
}

func lockedError(method, name string) error {
	return failure(method, 405, "cannot obtain exclusive access to locked queue '%s' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", name)
}
