package main

import (
	"fmt"
	"strings"

	"github.com/warrenmq/warren/internal/wire"
)

// topologyAttacks try to keep much in queues, exchanges, bindings, consumers,
// channels and what belongs to them.
var topologyAttacks = []attack{
	{name: "queues", sent: "1,000,000 queues, names of 255 bytes", run: queues, short: true},
	{name: "messages, then queues", sent: "6,000 messages of 100 KB, then 1,000,000 queues by another connection", run: messagesThenQueues},
	{name: "queues that were used", sent: "400,000 queues, a message to and from each", run: usedQueues},
	{name: "queues with long arguments", sent: "6,000 queues, an argument of 100 KB", run: queueArguments},
	{name: "queues with many arguments", sent: "1,000 queues, 8,000 arguments", run: manyQueueArguments, short: true},
	{name: "queues with rules", sent: "400,000 queues, 12 arguments", run: queueRules},
	{name: "priority queues", sent: "40,000 queues, x-max-priority: 255", run: priorityQueues},
	{name: "priorities that were used", sent: "2,000 queues, a message of each priority to and from each", run: usedPriorities},
	{name: "deduplication caches of queues", sent: "3,000,000 messages to one queue, x-cache-size: 2^31", run: cache},
	{name: "many deduplication caches", sent: "128 messages to each of 20,000 queues", run: manyCaches},
	{name: "exchanges", sent: "1,000,000 exchanges, names of 255 bytes", run: exchanges},
	{name: "exchanges with long arguments", sent: "6,000 exchanges, an argument of 100 KB", run: exchangeArguments},
	{name: "bindings", sent: "1,000,000 bindings, keys of 255 bytes", run: bindings},
	{name: "bindings of a queue to one fanout each", sent: "400,000 auto-delete exchanges, bound", run: fanouts},
	{name: "topic patterns", sent: "20,000 patterns of 128 words", run: topicPatterns, short: true},
	{name: "topic patterns that begin alike", sent: "400,000 patterns", run: similarPatterns},
	{name: "bindings by headers", sent: "1,000 bindings, 8,000 arguments", run: headersBindings},
	{name: "bindings of a consistent-hash exchange", sent: "400,000 bindings", run: hashBindings},
	{name: "consumers", sent: "1,000,000 consumers, tags of 255 bytes", run: consumers},
	{name: "consumers with long filters", sent: "2,000 consumers of a stream, filter of 10,000 values", run: filters},
	{name: "channels", sent: "400 connections, 2,046 channels each", run: channels},
	{name: "unacked tags", sent: "512 messages got and acked on each of 2,046 channels", run: unackedTags},
	{name: "queues declared last", sent: "40 connections, 2,046 channels each that declare a name of 255 bytes passively", run: lastQueues},
}

// longName is a name of 255 bytes.
func longName(i int) string { return fmt.Sprintf("%07d%s", i, strings.Repeat("n", 248)) }

// repeat calls f n times, until the client is over.
func (p *client) repeat(n int, f func(i int)) {
	for i := 0; i < n && !p.over.Load(); i++ {
		f(i)
	}
	p.sync()
}

func queues(c *case_) {
	p := c.mustDial(1)
	p.repeat(1_000_000, func(i int) { p.send(1, &wire.QueueDeclare{Queue: longName(i), NoWait: true}) })
}

func messagesThenQueues(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	body := make([]byte, 100_000)
	for i := 0; i < 6000 && !p.over.Load(); i++ {
		p.publish(1, "", "q", nil, body)
	}
	queues(c)
}

func usedQueues(c *case_) {
	p := c.mustDial(1)
	p.repeat(400_000, func(i int) {
		name := fmt.Sprint("q", i)
		p.send(1, &wire.QueueDeclare{Queue: name, NoWait: true})
		p.publish(1, "", name, nil, nil)
		p.send(1, &wire.BasicGet{Queue: []byte(name), NoAck: true})
	})
}

// longArgument is an argument of 100 KB that means nothing.
var longArgument = wire.Table{"x": strings.Repeat("x", 100_000)}

func queueArguments(c *case_) {
	p := c.mustDial(1)
	p.repeat(6000, func(i int) {
		p.send(1, &wire.QueueDeclare{Queue: fmt.Sprint("q", i), NoWait: true, Arguments: longArgument})
	})
}

func manyQueueArguments(c *case_) {
	p := c.mustDial(1)
	args := manyEntries(8000)
	p.repeat(1000, func(i int) {
		p.send(1, &wire.QueueDeclare{Queue: fmt.Sprint("q", i), NoWait: true, Arguments: args})
	})
}

func queueRules(c *case_) {
	p := c.mustDial(1)
	p.repeat(400_000, func(i int) {
		p.send(1, &wire.QueueDeclare{Queue: fmt.Sprint("q", i), NoWait: true, Arguments: wire.Table{
			"x-expires": int64(3_600_000), "x-message-ttl": int64(1000), "x-max-length": int64(10), "x-max-length-bytes": int64(1000),
			"x-overflow": "drop-head", "x-dead-letter-exchange": "amq.fanout", "x-dead-letter-routing-key": longName(i),
			"x-max-priority": int32(9), "x-delivery-limit": int64(3), "x-consumer-timeout": int64(100_000),
			"x-queue-type": "classic", "x-queue-mode": "lazy",
		}})
	})
}

func priorityQueues(c *case_) {
	p := c.mustDial(1)
	p.repeat(40_000, func(i int) {
		p.send(1, &wire.QueueDeclare{Queue: fmt.Sprint("q", i), NoWait: true, Arguments: wire.Table{"x-max-priority": int32(255)}})
	})
}

func usedPriorities(c *case_) {
	p := c.mustDial(1)
	p.repeat(2000, func(i int) {
		name := fmt.Sprint("q", i)
		p.send(1, &wire.QueueDeclare{Queue: name, NoWait: true, Arguments: wire.Table{"x-max-priority": int32(255)}})
		for priority := range 255 {
			p.publish(1, "", name, &wire.Properties{Priority: uint8(priority + 1)}, nil)
		}
		p.send(1, &wire.QueuePurge{Queue: name, NoWait: true})
	})
}

func deduplicated(size int64) wire.Table {
	return wire.Table{"x-message-deduplication": true, "x-cache-size": size, "x-max-length": int32(1)}
}

func cache(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.QueueDeclare{Queue: "q", Arguments: deduplicated(1 << 31)})
	p.repeat(3_000_000, func(i int) {
		p.publish(1, "", "q", &wire.Properties{Headers: wire.Table{"x-deduplication-header": int64(i)}}, nil)
	})
}

func manyCaches(c *case_) {
	p := c.mustDial(1)
	p.repeat(20_000, func(i int) {
		name := fmt.Sprint("q", i)
		p.send(1, &wire.QueueDeclare{Queue: name, NoWait: true, Arguments: deduplicated(128)})
		for m := range 128 {
			p.publish(1, "", name, &wire.Properties{Headers: wire.Table{"x-deduplication-header": int32(m)}}, nil)
		}
	})
}

func exchanges(c *case_) {
	p := c.mustDial(1)
	p.repeat(1_000_000, func(i int) {
		p.send(1, &wire.ExchangeDeclare{Exchange: longName(i), Type: "topic", NoWait: true})
	})
}

func exchangeArguments(c *case_) {
	p := c.mustDial(1)
	p.repeat(6000, func(i int) {
		p.send(1, &wire.ExchangeDeclare{Exchange: fmt.Sprint("x", i), Type: "topic", NoWait: true, Arguments: longArgument})
	})
}

func bindings(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	p.repeat(1_000_000, func(i int) {
		p.send(1, &wire.QueueBind{Queue: "q", Exchange: "amq.direct", RoutingKey: longName(i), NoWait: true})
	})
}

func fanouts(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	p.repeat(400_000, func(i int) {
		name := fmt.Sprint("x", i)
		p.send(1, &wire.ExchangeDeclare{Exchange: name, Type: "fanout", AutoDelete: true, NoWait: true})
		p.send(1, &wire.QueueBind{Queue: "q", Exchange: name, NoWait: true})
	})
}

func topicPatterns(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	p.repeat(20_000, func(i int) {
		words := strings.Repeat("a.", 120)
		p.send(1, &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: fmt.Sprintf("%05d.%s*", i, words), NoWait: true})
	})
}

func similarPatterns(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	p.repeat(400_000, func(i int) {
		p.send(1, &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: fmt.Sprintf("a.b.%d.%d.*", i/1000, i%1000), NoWait: true})
	})
}

func headersBindings(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	args := manyEntries(8000)
	p.repeat(1000, func(i int) {
		args["k00000"] = int32(i)
		p.send(1, &wire.QueueBind{Queue: "q", Exchange: "amq.headers", NoWait: true, Arguments: args})
	})
}

func hashBindings(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.ExchangeDeclare{Exchange: "h", Type: "x-consistent-hash"})
	p.repeat(400_000, func(i int) {
		name := fmt.Sprint("q", i)
		p.send(1, &wire.QueueDeclare{Queue: name, NoWait: true})
		p.send(1, &wire.QueueBind{Queue: name, Exchange: "h", RoutingKey: "1", NoWait: true})
	})
}

func consumers(c *case_) {
	const channels = channelMax - 1
	p := c.mustDial(channels)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	p.repeat(1_000_000, func(i int) {
		p.send(1+i%channels, &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte(longName(i)), NoWait: true})
	})
}

func filters(c *case_) {
	const channels = 100
	p := c.mustDial(channels)
	p.send(1, &wire.QueueDeclare{Queue: "s", Durable: true, Arguments: wire.Table{"x-queue-type": "stream"}})
	var values []any
	for i := range 10_000 {
		values = append(values, fmt.Sprintf("%05d", i))
	}
	for ch := 1; ch <= channels; ch++ {
		p.send(ch, &wire.BasicQos{PrefetchCount: 10})
	}
	p.repeat(2000, func(i int) {
		p.send(1+i%channels, &wire.BasicConsume{Queue: []byte("s"), NoWait: true, Arguments: wire.Table{"x-stream-filter": values}})
	})
}

func channels(c *case_) {
	for i := 0; i < 400 && !c.refused(); i++ {
		c.dial(channelMax - 1)
	}
}

func unackedTags(c *case_) {
	const channels = channelMax - 1
	p := c.mustDial(channels)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	for range 512 {
		p.publish(1, "", "q", nil, nil)
	}
	for ch := 1; ch <= channels && !p.over.Load(); ch++ {
		for range 512 {
			p.send(ch, &wire.BasicGet{Queue: []byte("q")})
		}
		p.send(ch, &wire.BasicAck{Multiple: true})
		for range 512 {
			p.publish(1, "", "q", nil, nil)
		}
	}
	p.sync()
}

func lastQueues(c *case_) {
	for i := 0; i < 40 && !c.refused(); i++ {
		p := c.dial(channelMax - 1)
		if p == nil {
			return
		}
		p.send(1, &wire.QueueDeclare{Queue: longName(i)})
		for ch := 1; ch < channelMax-1; ch++ {
			p.send(ch, &wire.QueueDeclare{Queue: longName(i), Passive: true, NoWait: true})
		}
		p.sync()
	}
}
