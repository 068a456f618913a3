package main

import (
	"bufio"
	"fmt"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// connectionAttacks try to keep much in connections: before the login, and in what
// waits to be written.
var connectionAttacks = []attack{
	{name: "a client that does not read", sent: "2,040 no-ack consumers by fanout, then a message of 4 MB", run: deafFanout, short: true},
	{name: "many clients that do not read", sent: "1,000 connections, 4 MB to each", run: manyDeaf},
	{name: "clients that do not read answers", sent: "200 connections, 400,000 declares each", run: deafDeclares},
	{name: "replies to clients that do not read", sent: "200 requesters, 16 MB to each", run: deafRequesters},
	{name: "connections", sent: "8,000 connections", run: connections},
	{name: "client properties of wrong logins", sent: "4,000 wrong logins with 1,000 client properties", run: wrongLogins, short: true},
	{name: "client properties", sent: "4,000 connections with 1,000 capabilities", run: capabilities},
}

func deafFanout(c *case_) {
	const consumers = 2040
	p := c.mustDial(consumers)
	for ch := 1; ch <= consumers; ch++ {
		p.send(ch, &wire.QueueDeclare{Exclusive: true})
		p.send(ch, &wire.QueueBind{Exchange: "amq.fanout"})
		p.send(ch, &wire.BasicConsume{NoAck: true})
	}
	p.sync()
	p.stopReading()
	other := c.mustDial(1)
	other.publish(1, "amq.fanout", "", nil, make([]byte, 4<<20))
	other.sync()
	time.Sleep(time.Second)
}

func manyDeaf(c *case_) {
	publisher := c.mustDial(1)
	body := make([]byte, 100<<10)
	for i := 0; i < 1000 && !publisher.over.Load(); i++ {
		p := c.dial(1)
		if p == nil {
			return
		}
		name := fmt.Sprint("q", i)
		p.send(1, &wire.QueueDeclare{Queue: name})
		p.send(1, &wire.BasicConsume{Queue: []byte(name), NoAck: true})
		p.sync()
		p.stopReading()
		for range 40 {
			publisher.publish(1, "", name, nil, body)
		}
		publisher.sync()
	}
}

func deafDeclares(c *case_) {
	for i := 0; i < 200; i++ {
		p := c.dial(1)
		if p == nil {
			return
		}
		name := longName(i)
		p.send(1, &wire.QueueDeclare{Queue: name})
		p.sync()
		p.stopReading()
		for n := 0; n < 400_000 && !p.over.Load() && len(p.out) < 8<<20; n++ {
			p.out = wire.AppendMethod(p.out, 1, &wire.QueueDeclare{Queue: name, Passive: true})
		}
		p.net.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		p.net.Write(p.out)
		p.out = nil
	}
}

func deafRequesters(c *case_) {
	replier := c.mustDial(1)
	replier.requests = make(chan string, 1)
	replier.send(1, &wire.QueueDeclare{Queue: "requests"})
	replier.send(1, &wire.BasicConsume{Queue: []byte("requests"), NoAck: true})
	replier.sync()
	body := make([]byte, 256<<10)
	for i := 0; i < 200 && !replier.over.Load(); i++ {
		p := c.dial(1)
		if p == nil {
			return
		}
		p.send(1, &wire.BasicConsume{Queue: []byte("amq.rabbitmq.reply-to"), NoAck: true})
		p.sync()
		p.stopReading()
		p.publish(1, "", "requests", &wire.Properties{ReplyTo: "amq.rabbitmq.reply-to"}, nil)
		p.flush()
		select {
		case to := <-replier.requests:
			for range 64 {
				replier.publish(1, "", to, nil, body)
			}
			replier.sync()
		case <-time.After(patience):
			c.tell("held back")
			return
		}
	}
}

func connections(c *case_) {
	for i := 0; i < 8000 && !c.refused(); i++ {
		c.dial(0)
	}
}

// manyProperties are 1,000 properties of a client, in 7 KB.
func manyProperties() wire.Table {
	t := wire.Table{}
	for i := range 1000 {
		t[fmt.Sprintf("k%04d", i)] = nil
	}
	return t
}

func wrongLogins(c *case_) {
	login := startOk(manyProperties())
	login.Response = "\x00guest\x00wrong"
	b := wire.AppendMethod([]byte(wire.ProtocolHeader), 0, login)
	for i := 0; i < 4000 && !c.refused(); i++ {
		if p := c.connect(); p != nil {
			p.net.Write(b)
		}
	}
	time.Sleep(time.Second)
}

func capabilities(c *case_) {
	for i := 0; i < 4000 && !c.refused(); i++ {
		p := c.connect()
		if p == nil {
			return
		}
		p.properties = wire.Table{"capabilities": manyProperties()}
		if err := p.logIn(bufio.NewReader(p.net)); err != nil {
			c.tell("%v", err)
		}
	}
}
