package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// messageAttacks try to keep more in messages than the limit counts.
var messageAttacks = []attack{
	{name: "long headers", sent: "6,000 messages of 1 byte with 120 KB of headers", run: longHeaders, short: true},
	{name: "headers that a headers exchange decodes", sent: "2,000 messages with 10,000 headers each", run: decodedHeaders},
	{name: "long keys and properties", sent: "400,000 messages of 1 byte, key of 255 bytes, 7 properties of 255 bytes", run: longProperties},
	{name: "delayed messages", sent: "6,000 delayed messages of 1 byte with 120 KB of headers", run: delayed},
	{name: "long x-death", sent: "10,000 messages that expire in 60 queues in turn", run: longDeaths},
	{name: "letters larger than what died", sent: "400,000 empty messages that expire in 10 queues in turn", run: growingLetters},
	{name: "an uncommitted transaction", sent: "8,000 messages of 100 KB", run: uncommitted},
	{name: "bodies that are never completed", sent: "512 KiB on each of 2,046 channels, of 30 MiB each", run: partialBodies, short: true},
	{name: "unacked messages of a deleted queue", sent: "40 times 20 MB, taken, then the queue deleted", run: deletedQueues},
	{name: "evicted messages that a stream's reader holds", sent: "10,000 messages of 64 KiB to a stream of 1 MB, prefetch 65,535", run: evicted},
	{name: "a little in many queues", sent: "60 KB to each of 40,000 queues", run: manyQueuesALittle},
	{name: "small messages", sent: "8,000,000 empty messages", run: smallMessages},
	{name: "many to one by fanout", sent: "20,000 empty messages to each of 400 queues", run: fanoutSmall},
}

func longHeaders(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	props := &wire.Properties{Headers: wire.Table{"x": strings.Repeat("x", 120_000)}}
	for i := 0; i < 6000 && !p.over.Load(); i++ {
		p.publish(1, "", "q", props, []byte("x"))
	}
	p.sync()
}

// manyEntries is a table of n small entries.
func manyEntries(n int) wire.Table {
	t := make(wire.Table, n)
	for i := range n {
		t[fmt.Sprintf("k%05d", i)] = int32(i)
	}
	return t
}

func decodedHeaders(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	p.send(1, &wire.QueueBind{Queue: "q", Exchange: "amq.headers", Arguments: wire.Table{"x-match": "any", "k00000": int32(0)}})
	props := &wire.Properties{Headers: manyEntries(10_000)}
	for i := 0; i < 2000 && !p.over.Load(); i++ {
		p.publish(1, "amq.headers", "", props, []byte("x"))
	}
	p.sync()
}

func longProperties(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	p.send(1, &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "#"})
	long := strings.Repeat("x", 250)
	for i := 0; i < 400_000 && !p.over.Load(); i++ {
		p.publish(1, "amq.topic", fmt.Sprintf("%05d%s", i%100_000, long), &wire.Properties{
			ContentType: long, ContentEncoding: long, CorrelationId: long, ReplyTo: long, MessageId: long, Type: long, AppId: long,
		}, []byte("x"))
	}
	p.sync()
}

func delayed(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	p.send(1, &wire.ExchangeDeclare{Exchange: "later", Type: "x-delayed-message", Arguments: wire.Table{"x-delayed-type": "fanout"}})
	p.send(1, &wire.QueueBind{Queue: "q", Exchange: "later"})
	props := &wire.Properties{Headers: wire.Table{"x-delay": int32(3_600_000), "x": strings.Repeat("x", 120_000)}}
	for i := 0; i < 6000 && !p.over.Load(); i++ {
		p.publish(1, "later", "", props, []byte("x"))
	}
	p.sync()
}

func longDeaths(c *case_) {
	const queues = 60
	p := c.mustDial(1)
	name := func(i int) string { return fmt.Sprintf("%03d%s", i, strings.Repeat("q", 250)) }
	for i := range queues {
		p.send(1, &wire.QueueDeclare{Queue: name(i), Arguments: wire.Table{
			"x-message-ttl": int32(0), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": name(i + 1),
		}})
	}
	p.send(1, &wire.QueueDeclare{Queue: name(queues)})
	for i := 0; i < 10_000 && !p.over.Load(); i++ {
		p.publish(1, "", name(0), nil, []byte("x"))
	}
	p.sync()
}

func growingLetters(c *case_) {
	const queues = 10
	p := c.mustDial(1)
	for i := range queues {
		args := wire.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": fmt.Sprint("letters", i+1), "x-message-ttl": int32(3000)}
		if i == queues-1 {
			args = nil
		}
		p.send(1, &wire.QueueDeclare{Queue: fmt.Sprint("letters", i), Arguments: args})
	}
	for i := 0; i < 400_000 && !p.over.Load(); i++ {
		p.publish(1, "", "letters0", nil, nil)
	}
	p.sync()
	time.Sleep(3 * queues * time.Second)
}

func uncommitted(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	p.send(1, &wire.TxSelect{})
	body := make([]byte, 100_000)
	for i := 0; i < 8000 && !p.over.Load(); i++ {
		p.publish(1, "", "q", nil, body)
	}
	p.sync()
}

func partialBodies(c *case_) {
	const channels = channelMax - 1
	p := c.mustDial(channels)
	for ch := 1; ch <= channels; ch++ {
		p.send(ch, &wire.BasicPublish{Exchange: []byte("amq.fanout")})
		header := wire.ContentHeader{BodySize: 30 << 20}
		p.out = wire.AppendFrame(p.out, wire.Frame{Type: wire.FrameHeader, Channel: uint16(ch), Payload: header.Append(nil)})
	}
	part := make([]byte, 64<<10)
	for range 8 {
		for ch := 1; ch <= channels && !p.over.Load(); ch++ {
			p.out = wire.AppendFrame(p.out, wire.Frame{Type: wire.FrameBody, Channel: uint16(ch), Payload: part})
			p.flushAt(256 << 10)
		}
	}
	p.sync()
}

func deletedQueues(c *case_) {
	p := c.mustDial(2)
	body := make([]byte, 64<<10)
	for i := 0; i < 40 && !p.over.Load(); i++ {
		name := fmt.Sprint("q", i)
		p.send(1, &wire.QueueDeclare{Queue: name})
		p.send(1, &wire.BasicConsume{Queue: []byte(name)})
		for range 320 {
			p.publish(1, "", name, nil, body)
		}
		p.send(1, &wire.QueueDelete{Queue: name})
		p.sync()
	}
}

func evicted(c *case_) {
	p := c.mustDial(2)
	p.send(1, &wire.QueueDeclare{Queue: "s", Durable: true, Arguments: wire.Table{"x-queue-type": "stream", "x-max-length-bytes": int32(1_000_000)}})
	p.send(1, &wire.BasicQos{PrefetchCount: 65535})
	p.send(1, &wire.BasicConsume{Queue: []byte("s")})
	body := make([]byte, 64<<10)
	for i := 0; i < 10_000 && !p.over.Load(); i++ {
		p.publish(2, "", "s", nil, body)
		if i%100 == 0 {
			p.sync() // so that the reader gets each message before it is evicted
		}
	}
	p.sync()
}

func manyQueuesALittle(c *case_) {
	const queues = 40_000
	p := c.mustDial(1)
	body := make([]byte, 60_000)
	for i := 0; i < queues && !p.over.Load(); i++ {
		p.send(1, &wire.QueueDeclare{Queue: fmt.Sprint("q", i)})
		p.publish(1, "", fmt.Sprint("q", i), nil, body)
	}
	p.sync()
}

func smallMessages(c *case_) {
	p := c.mustDial(1)
	p.send(1, &wire.QueueDeclare{Queue: "q"})
	for i := 0; i < 8_000_000 && !p.over.Load(); i++ {
		p.publish(1, "", "q", nil, nil)
	}
	p.sync()
}

func fanoutSmall(c *case_) {
	p := c.mustDial(1)
	for range 400 {
		p.send(1, &wire.QueueDeclare{})
		p.send(1, &wire.QueueBind{Exchange: "amq.fanout"})
	}
	for i := 0; i < 20_000 && !p.over.Load(); i++ {
		p.publish(1, "amq.fanout", "", nil, nil)
	}
	p.sync()
	time.Sleep(100 * time.Millisecond)
}
