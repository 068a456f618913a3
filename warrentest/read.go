package warrentest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/warrenmq/warren/internal/wire"
)

// op is a method, with its content, on its way from one side to the other.
type op struct {
	Event
	id     wire.MethodID // zero: no method
	method wire.Method   // valid as long as frames
	frames [][]byte      // as they came, whole
	props  wire.RawProperties
	body   []byte

	channel   *channel    // nil: of the connection itself, or of none that is open
	hasHeader bool        // the content's header has come
	size      uint64      // of the body
	come      uint64      // how much of it has come
	tooLarge  bool        // the broker refuses it by its size, so its frames go on as they come
	confirms  []confirmed // of an ack or nack of publishes
	after     *Fault      // that acts when it was carried out
	answers   *op         // what it answers, if a fault is to act on the answer
	settled   []uint64    // delivery tags of the broker that it settles, if they are not the client's
	settles   bool        // settled is set
}

// errNoFrame is the error for what is no frame. From then on the tap passes on what it
// reads as it is, so that the other side says what is wrong.
var errNoFrame = errors.New("warrentest: not a frame")

// maxFrame bounds a frame. Options may allow more.
const maxFrame = 1 << 20

// read reads what a side sends until the connection ends.
func (t *tap) read(from Side) {
	defer t.cut()
	in, out := t.toClient, t.toServer
	if from == Server {
		in, out = out, in
	}
	r := bufio.NewReaderSize(in.conn, 4<<10)
	if from == Client {
		var header [len(wire.ProtocolHeader)]byte
		n, err := io.ReadFull(r, header[:])
		out.write(header[:n])
		if err != nil {
			return
		}
	}
	partial := make(map[uint16]*op) // methods whose content has not come yet, by channel
	for {
		frame, err := t.readFrame(r)
		t.await(&t.resumed)
		if err == nil {
			err = t.frame(from, frame, partial)
		}
		if errors.Is(err, errNoFrame) {
			t.catchUp(from, nil)
			out.write(frame)
			t.passBlindly(r, out)
			return
		}
		if err != nil {
			t.catchUp(from, nil)
			return
		}
	}
}

// readFrame reads a whole frame. With errNoFrame it returns what it has read.
func (t *tap) readFrame(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(frameHead)
	if err != nil {
		if len(head) > 0 {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
	size := int64(binary.BigEndian.Uint32(head[3:]))
	most := int64(maxFrame)
	if o := t.broker.options.Server; o != nil {
		most = max(most, int64(o.FrameMax))
	}
	if size > most {
		return nil, errNoFrame
	}
	frame := make([]byte, frameHead+size+1)
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, err
	}
	return frame, nil
}

// frameHead is the size of type, channel and size of a frame.
const frameHead = 7

// passBlindly passes on all that comes.
func (t *tap) passBlindly(r *bufio.Reader, out *end) {
	room := make([]byte, 4<<10)
	for {
		n, err := r.Read(room)
		t.await(&t.resumed)
		out.write(room[:n])
		if err != nil {
			return
		}
	}
}

// frame handles a frame. What it makes no sense of goes on as it is.
func (t *tap) frame(from Side, frame []byte, partial map[uint16]*op) error {
	f, n, err := wire.ParseFrame(frame, uint32(len(frame)))
	if err != nil || n != len(frame) {
		return errNoFrame
	}
	o := partial[f.Channel]
	switch {
	case f.Type == wire.FrameMethod && o == nil:
		if o = t.newOp(from, f); o == nil {
			return errNoFrame
		}
		if o.frames = [][]byte{frame}; o.id.HasContent() {
			partial[f.Channel] = o
			return nil
		}
	case f.Type == wire.FrameHeader && o != nil && !o.hasHeader:
		h, err := wire.ParseContentHeader(f.Payload)
		if err != nil || h.Properties.Check() != nil {
			return t.giveUp(from, o, frame, partial)
		}
		o.hasHeader, o.props, o.size, o.tooLarge = true, h.Properties, h.BodySize, h.BodySize > t.broker.maxMessage()
		t.addContent(o, frame)
		if o.size > 0 {
			return nil
		}
	case f.Type == wire.FrameBody && o != nil && o.hasHeader:
		if o.come += uint64(len(f.Payload)); !o.tooLarge {
			o.body = append(o.body, f.Payload...)
		}
		t.addContent(o, frame)
		if o.come < o.size {
			return nil
		}
	case f.Type == wire.FrameHeartbeat:
		o = &op{Event: t.event(from, f.Channel), frames: [][]byte{frame}}
		o.Method = Heartbeat
		t.submit(o)
		return nil
	default:
		return t.giveUp(from, o, frame, partial)
	}
	delete(partial, f.Channel)
	if !o.tooLarge {
		t.submit(o)
	}
	return nil
}

// addContent adds a frame of a content to its op.
func (t *tap) addContent(o *op, frame []byte) {
	o.frames = append(o.frames, frame)
	if !o.tooLarge {
		return
	}
	frames := o.frames
	o.frames = nil
	t.lane(o.From, o.Channel).do(func(bool) {
		for _, f := range frames {
			t.to(o.From).write(f)
		}
	})
}

// maxMessage returns how long a body may be.
func (b *Broker) maxMessage() uint64 {
	if n := b.options.Broker.MaxMessageSize; n > 0 {
		return uint64(n)
	}
	return uint64(b.Link().Like().MaxMessageSize)
}

// giveUp passes on what has come of a content, for the other side to say what is wrong
// with it.
func (t *tap) giveUp(from Side, o *op, frame []byte, partial map[uint16]*op) error {
	t.catchUp(from, nil)
	for _, p := range partial {
		for _, f := range p.frames {
			t.to(from).write(f)
		}
	}
	clear(partial)
	return errNoFrame
}

// newOp makes an op of a method frame. It is nil if there is no such method.
func (t *tap) newOp(from Side, f wire.Frame) *op {
	var d wire.Decoder
	m, err := d.Parse(f.Payload)
	if err != nil {
		return nil
	}
	o := &op{Event: t.event(from, f.Channel), id: m.ID(), method: m}
	o.Method = m.ID().String()
	o.describe()
	return o
}

// submit handles an op when what its side has sent before it on its channel is through. A
// client's connection.close waits for all channels.
func (t *tap) submit(o *op) {
	l := t.lane(o.From, o.Channel)
	l.do(func(detached bool) {
		if o.id == wire.ConnectionCloseID && o.From == Client && !detached {
			l.detach(func() {
				t.catchUp(o.From, l)
				t.handle(o, l, true)
			})
			return
		}
		t.handle(o, l, detached)
	})
}
