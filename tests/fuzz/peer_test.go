package fuzz_test

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// peer logs in, and then sends frames as it likes without waiting for anything.
// Some do not read; all end by hanging up, in the middle of a frame or not.
type peer struct {
	*round
	r *rand.Rand
}

func newPeer(r *round, who int) *peer { return &peer{r, r.random("peer", who)} }

func (p *peer) run() {
	for range 12 {
		nc, err := p.dial("", "")
		if err != nil {
			return
		}
		p.talk(nc)
		p.pause(p.r)
	}
}

// talk: whatever is said, the server closes or goes on; this peer waits for
// neither. A write that the server does not read must end when the peer hangs up.
func (p *peer) talk(nc net.Conn) {
	var reader sync.WaitGroup
	defer reader.Wait()
	defer nc.Close()
	if p.r.IntN(4) > 0 {
		reader.Go(func() { io.Copy(io.Discard, nc) })
	}
	nc.SetDeadline(time.Now().Add(20 * time.Millisecond))
	b := p.handshake()
	for range p.r.IntN(80) {
		b = p.append(b)
	}
	if p.r.IntN(3) == 0 {
		b = b[:p.r.IntN(len(b)+1)]
	}
	for len(b) > 0 {
		n := min(len(b), 1+p.r.IntN(4000))
		if _, err := nc.Write(b[:n]); err != nil {
			return
		}
		b = b[n:]
	}
	p.pause(p.r)
}

func (p *peer) handshake() []byte {
	b := []byte(wire.ProtocolHeader)
	b = wire.AppendMethod(b, 0, &wire.ConnectionStartOk{
		ClientProperties: wire.Table{"capabilities": wire.Table{"consumer_cancel_notify": p.r.IntN(2) == 0, "basic.nack": p.r.IntN(2) == 0}},
		Mechanism:        "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US",
	})
	b = wire.AppendMethod(b, 0, &wire.ConnectionTuneOk{ChannelMax: uint16(1 + p.r.IntN(5)), FrameMax: 4096, Heartbeat: uint16(p.r.IntN(3))})
	b = wire.AppendMethod(b, 0, &wire.ConnectionOpen{VirtualHost: "/"})
	return wire.AppendMethod(b, 1, &wire.ChannelOpen{})
}

// append adds one thing that a client can say, or a few of them, often where it
// makes no sense.
func (p *peer) append(b []byte) []byte {
	r := p.r
	channel := uint16(1)
	if r.IntN(10) == 0 {
		channel = uint16(r.IntN(4))
	}
	queue, exchange, key := []byte(pick(r, queueNames)), []byte(exchangeName(r)), []byte(pick(r, keys))
	method := func(m wire.Method) []byte { return wire.AppendMethod(b, channel, m) }
	switch r.IntN(22) {
	case 0:
		return method(&wire.ChannelOpen{})
	case 1:
		return method(&wire.QueueDeclare{Queue: string(queue), NoWait: r.IntN(2) == 0, AutoDelete: r.IntN(2) == 0})
	case 2:
		return method(&wire.QueueBind{Queue: string(queue), Exchange: string(exchange), RoutingKey: string(key), NoWait: r.IntN(2) == 0})
	case 3, 4:
		return method(&wire.BasicConsume{Queue: queue, NoAck: r.IntN(2) == 0, NoWait: r.IntN(2) == 0, ConsumerTag: key})
	case 5, 6:
		return method(&wire.BasicGet{Queue: queue, NoAck: r.IntN(2) == 0})
	case 7:
		return method(&wire.BasicAck{DeliveryTag: uint64(r.IntN(4)), Multiple: r.IntN(2) == 0})
	case 8:
		return method(&wire.BasicNack{DeliveryTag: uint64(r.IntN(4)), Multiple: r.IntN(2) == 0, Requeue: r.IntN(2) == 0})
	case 9:
		return method(&wire.BasicCancel{ConsumerTag: key})
	case 10:
		return method(&wire.BasicQos{PrefetchCount: uint16(r.IntN(4)), Global: r.IntN(2) == 0})
	case 11:
		return method(&wire.ConfirmSelect{NoWait: r.IntN(2) == 0})
	case 12:
		return method(pick(r, []wire.Method{&wire.TxSelect{}, &wire.TxCommit{}, &wire.TxRollback{}}))
	case 13:
		return method(pick(r, []wire.Method{&wire.ChannelClose{ReplyCode: 200}, &wire.ChannelCloseOk{}, &wire.ChannelFlow{Active: r.IntN(2) == 0}, &wire.BasicRecover{Requeue: r.IntN(2) == 0}}))
	case 14:
		return method(&wire.BasicConsume{Queue: []byte(warren.DirectReplyTo), NoAck: true})
	case 15: // the header alone, or a body that is too short or too long
		b = method(&wire.BasicPublish{Exchange: exchange, RoutingKey: key})
		if r.IntN(4) > 0 {
			return b
		}
		b = wire.AppendFrame(b, wire.Frame{Type: wire.FrameHeader, Channel: channel, Payload: wire.ContentHeader{BodySize: uint64(r.IntN(1e6))}.Append(nil)})
		return wire.AppendFrame(b, wire.Frame{Type: wire.FrameBody, Channel: channel, Payload: make([]byte, r.IntN(4000))})
	case 16:
		if r.IntN(4) > 0 {
			return wire.AppendHeartbeat(b)
		}
		garbage := make([]byte, r.IntN(40))
		for i := range garbage {
			garbage[i] = byte(r.Int())
		}
		return append(b, garbage...)
	}
	return wire.AppendPublish(b, channel, &wire.BasicPublish{Exchange: exchange, RoutingKey: key, Mandatory: r.IntN(2) == 0}, nil, make([]byte, r.IntN(6000)), 4096)
}
