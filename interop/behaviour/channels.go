package main

import (
	"strconv"

	"github.com/warrenmq/warren/internal/wire"
)

// connections are opened, tuned and closed.
func (s *script) connections() {
	connect := func(what string, list ...wire.Method) {
		p := s.login()
		defer p.close()
		p.send(0, list...)
		s.say("%s: %s", what, p.read(wire.ConnectionOpenOkID))
	}
	open := &wire.ConnectionOpen{VirtualHost: "/"}
	connect("tuned", &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072}, open)
	connect("tuned lower", &wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096}, open)
	for _, name := range []string{"nowhere", ""} {
		connect("virtual host "+strconv.Quote(name), &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072}, &wire.ConnectionOpen{VirtualHost: name})
	}
	p := s.open()
	defer p.close()
	p.send(0, &wire.ConnectionClose{ReplyCode: 200, ReplyText: "bye"})
	s.say("close: %s", p.read(wire.ConnectionCloseOkID))
}

// nothing is the answer to a method that is an error.
const nothing wire.MethodID = 0

func (s *script) channels() {
	on := func(what string, channel uint16, last wire.MethodID, list ...wire.Method) {
		p := s.open()
		defer p.close()
		p.send(channel, list...)
		s.say("%s: %s", what, p.read(last))
	}
	on("open", 2, wire.ChannelOpenOkID, &wire.ChannelOpen{})
	on("open, the highest", 2047, wire.ChannelOpenOkID, &wire.ChannelOpen{})
	on("open twice", 1, wire.ChannelOpenOkID, &wire.ChannelOpen{})
	on("close", 1, wire.ChannelCloseOkID, &wire.ChannelClose{ReplyCode: 200})
	for _, m := range []wire.Method{
		&wire.ExchangeDeclare{Exchange: "b.x", Type: "direct"}, &wire.QueueDeclare{Queue: "b.q"}, &wire.BasicQos{},
		&wire.BasicConsume{Queue: []byte("b.q")}, &wire.BasicGet{Queue: []byte("b.q")}, &wire.BasicAck{}, &wire.ConfirmSelect{}, &wire.TxSelect{}, &wire.ChannelFlow{},
		&wire.ChannelClose{ReplyCode: 200},
	} {
		on(m.ID().String()+" on a channel that is not open", 2, nothing, m)
	}
	on("queue.declare on channel 0", 0, nothing, &wire.QueueDeclare{Queue: "b.q"})
	on("channel.open on channel 0", 0, nothing, &wire.ChannelOpen{})
	on("connection.open on channel 1", 1, nothing, &wire.ConnectionOpen{VirtualHost: "/"})
	on("connection.close on channel 1", 1, nothing, &wire.ConnectionClose{ReplyCode: 200})
	on("flow on", 1, wire.ChannelFlowOkID, &wire.ChannelFlow{Active: true})
	on("flow off", 1, wire.ChannelFlowOkID, &wire.ChannelFlow{})
	on("access.request", 1, wire.AccessRequestOkID, &wire.AccessRequest{Realm: "/data", Read: true})
	on("a method of servers", 1, nothing, &wire.QueueDeclareOk{Queue: "b.q"})
	on("flow-ok that nobody wants", 1, wire.BasicQosOkID, &wire.ChannelFlowOk{Active: true}, &wire.BasicQos{})
	on("close-ok that nobody wants", 1, wire.BasicQosOkID, &wire.ChannelCloseOk{}, &wire.BasicQos{})
	on("cancel-ok that nobody wants", 1, wire.BasicQosOkID, &wire.BasicCancelOk{}, &wire.BasicQos{})
	on("after an error nothing is done", 1, wire.ChannelOpenOkID, &wire.QueuePurge{Queue: "b.nowhere"},
		&wire.QueuePurge{Queue: "b.nowhere"}, &wire.BasicQos{})

	p := s.open()
	defer p.close()
	p.send(1, &wire.ChannelClose{ReplyCode: 200})
	s.say("close: %s", p.read(wire.ChannelCloseOkID))
	p.send(1, &wire.ChannelOpen{})
	s.say("open again: %s", p.read(wire.ChannelOpenOkID))
	p.send(1, &wire.QueuePurge{Queue: "b.nowhere"})
	s.say("an error: %s", p.read())
	p.send(1, &wire.BasicQos{}, &wire.ChannelCloseOk{}, &wire.ChannelOpen{}, &wire.BasicQos{})
	s.say("the number is free again: %s", p.read(wire.BasicQosOkID))
	p.send(1, &wire.QueuePurge{Queue: "b.nowhere"})
	p.read()
	p.send(1, &wire.ChannelClose{ReplyCode: 200})
	s.say("both close: %s", p.read(wire.ChannelCloseOkID))
	p.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{})
	s.say("and open: %s", p.read(wire.ChannelOpenOkID))
	s.silently(p)
}

// silently asks for no answers.
func (s *script) silently(p *peer) {
	s.made = append(s.made, "b.q", "b.x", "b.y")
	p.send(1, &wire.ExchangeDeclare{Exchange: "b.x", Type: "fanout", NoWait: true},
		&wire.ExchangeDeclare{Exchange: "b.y", Type: "fanout", NoWait: true}, &wire.QueueDeclare{Queue: "b.q", NoWait: true},
		&wire.ExchangeBind{Destination: "b.y", Source: "b.x", NoWait: true}, &wire.QueueBind{Queue: "b.q", Exchange: "b.y", NoWait: true},
		&wire.BasicConsume{Queue: []byte("b.q"), ConsumerTag: []byte("t"), NoAck: true, NoWait: true})
	p.publish(&wire.BasicPublish{Exchange: []byte("b.x")}, "in silence")
	s.say("nothing but the message: %s", p.read(wire.BasicDeliverID))
	p.send(1, &wire.BasicQos{})
	s.say("its body: %s", p.read(wire.BasicQosOkID))
	p.send(1, &wire.BasicCancel{ConsumerTag: []byte("t"), NoWait: true}, &wire.QueuePurge{Queue: "b.q", NoWait: true},
		&wire.QueueDelete{Queue: "b.q", NoWait: true}, &wire.ExchangeUnbind{Destination: "b.y", Source: "b.x", NoWait: true},
		&wire.ExchangeDelete{Exchange: "b.x", NoWait: true}, &wire.ConfirmSelect{NoWait: true}, &wire.BasicQos{})
	s.say("and back: %s", p.read(wire.BasicQosOkID))
	p.send(1, &wire.QueuePurge{Queue: "b.q", NoWait: true})
	s.say("errors are told: %s", p.read())
}

// frames that a message may not consist of.
func (s *script) frames() {
	publish := (&wire.BasicPublish{RoutingKey: []byte("b.nowhere")}).Append(nil)
	header := func(size uint64) []byte { return wire.ContentHeader{BodySize: size}.Append(nil) }
	other := header(1)
	other[1] = 50 // another class
	type frame struct {
		kind    wire.FrameType
		payload []byte
	}
	for _, c := range []struct {
		what   string
		frames []frame
	}{
		{"an empty message", []frame{{wire.FrameMethod, publish}, {wire.FrameHeader, header(0)}}},
		{"empty frames of a body", []frame{{wire.FrameMethod, publish}, {wire.FrameHeader, header(2)}, {wire.FrameBody, nil},
			{wire.FrameBody, []byte("a")}, {wire.FrameBody, nil}, {wire.FrameBody, []byte("b")}}},
		{"a method after publish", []frame{{wire.FrameMethod, publish}, {wire.FrameMethod, publish}}},
		{"a method after the header", []frame{{wire.FrameMethod, publish}, {wire.FrameHeader, header(1)}, {wire.FrameMethod, publish}}},
		{"a header alone", []frame{{wire.FrameHeader, header(1)}}},
		{"a body alone", []frame{{wire.FrameBody, []byte("a")}}},
		{"a body without a header", []frame{{wire.FrameMethod, publish}, {wire.FrameBody, []byte("a")}}},
		{"two headers", []frame{{wire.FrameMethod, publish}, {wire.FrameHeader, header(1)}, {wire.FrameHeader, header(1)}}},
		{"a header of another class", []frame{{wire.FrameMethod, publish}, {wire.FrameHeader, other}}},
		{"a body that is too long", []frame{{wire.FrameMethod, publish}, {wire.FrameHeader, header(1)}, {wire.FrameBody, []byte("ab")}}},
	} {
		p := s.open()
		for _, f := range c.frames {
			p.frame(f.kind, 1, f.payload...)
		}
		p.send(1, &wire.BasicQos{})
		s.say("%s: %s", c.what, p.read(wire.BasicQosOkID))
		p.close()
	}
	p := s.open()
	p.frame(wire.FrameHeartbeat, 1)
	s.say("a heartbeat of a channel: %s", p.read())
	p.close()
	p = s.open()
	p.frame(5, 1, 'a')
	s.say("a frame of no type: %s", p.read())
	p.close()
	p = s.open()
	b := wire.AppendFrame(nil, wire.Frame{Type: wire.FrameMethod, Channel: 1, Payload: publish})
	b[len(b)-1] = 1
	p.write(b)
	s.say("a wrong end of a frame: %s", p.read())
	p.close()
}
