package warrentest

import "github.com/warrenmq/warren/internal/wire"

// handle takes an op through the tap. detached says that it may wait.
func (t *tap) handle(o *op, l *lane, detached bool) {
	if t.isClosing() {
		if o.From == Client {
			t.answerClosing(o)
		}
		return
	}
	if o.id == wire.BasicPublishID && o.From == Client && t.isBlocked() {
		if !detached {
			l.detach(func() { t.handle(o, l, true) })
			return
		}
		t.await(&t.unblocked)
	}
	if !t.observe(o) {
		return
	}
	if o.id.HasContent() {
		o.Message = o.message()
	}
	if (o.id == wire.BasicAckID || o.id == wire.BasicNackID) && o.From == Server {
		t.handleConfirms(o, l, detached)
		return
	}
	if o.answers != nil {
		t.meet(o, o.answers.after, o.answers, l, detached)
		return
	}
	t.meet(o, nil, o, l, detached)
}

// isBlocked reports whether publishes wait.
func (t *tap) isBlocked() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.blocks > 0
}

// meet lets the fault f, or the one that means the op, act on it, and passes on what is
// left. about is what the fault is about: the op, or what it answers.
func (t *tap) meet(o *op, f *Fault, about *op, l *lane, detached bool) {
	if f == nil {
		f, about = t.broker.faults.take(before, &o.Event), o
	}
	if f != nil {
		o.Fault = f.String()
	}
	t.note(o)
	s := &strike{tap: t, fault: f, op: about, target: o, lane: l, forward: true, detached: detached}
	s.run(0)
}

// finish is the end of a strike.
func (t *tap) finish(s *strike) {
	o := s.target
	switch {
	case o == nil:
	case !s.forward:
		t.swallow(o, s.fault)
	case o.after != nil && !t.isAnswered(o):
		later := &strike{tap: t, fault: o.after, op: o, lane: s.lane, detached: s.detached}
		later.run(0)
	}
}

// isAnswered reports whether the listener answers an op, or confirms it.
func (t *tap) isAnswered(o *op) bool {
	return o.From == Client && (o.isAnswered() || o.id == wire.BasicPublishID && o.DeliveryTag != 0)
}

// swallow forgets an op that does not go on. A fault that has answered it is no Drop.
func (t *tap) swallow(o *op, f *Fault) {
	if o.channel == nil || o.From != Client {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o.channel.forget(o, f.answers())
}

// handleConfirms handles an ack or nack of publishes by the listener: each is one for
// itself, because faults may mean some of them. What no fault means becomes one again.
func (t *tap) handleConfirms(o *op, l *lane, detached bool) {
	ops := make([]*op, 0, len(o.confirms))
	plain := !t.broker.faults.any()
	for _, c := range o.confirms {
		if c.op != nil {
			ops = append(ops, t.confirmOp(o, c))
			plain = plain && c.op.after == nil
		}
	}
	if plain && len(ops) > 1 && t.mayConfirmTogether(o.channel, ops[len(ops)-1].DeliveryTag) {
		for _, c := range ops {
			t.note(c)
		}
		last := ops[len(ops)-1]
		last.encodeConfirm(true)
		t.pass(last)
		return
	}
	for _, c := range ops {
		if detached {
			t.meet(c, c.answers.after, c.answers, l, true)
			continue
		}
		l.do(func(detached bool) { t.meet(c, c.answers.after, c.answers, l, detached) })
	}
}

// confirmOp makes an op that confirms one publish.
func (t *tap) confirmOp(o *op, c confirmed) *op {
	one := &op{Event: o.Event, id: o.id, channel: o.channel, answers: c.op}
	one.DeliveryTag, one.Multiple = c.op.DeliveryTag, false
	one.Exchange, one.RoutingKey, one.Queue = c.op.Exchange, c.op.RoutingKey, ""
	one.encodeConfirm(false)
	return one
}

// encodeConfirm makes the frame of a confirm.
func (o *op) encodeConfirm(multiple bool) {
	var m wire.Method = &wire.BasicAck{DeliveryTag: o.DeliveryTag, Multiple: multiple}
	if o.id == wire.BasicNackID {
		m = &wire.BasicNack{DeliveryTag: o.DeliveryTag, Multiple: multiple}
	}
	o.frames = [][]byte{wire.AppendMethod(nil, o.Channel, m)}
}

// mayConfirmTogether reports whether the client may be told that all publishes up to a
// number are confirmed.
func (t *tap) mayConfirmTogether(c *channel, tag uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range c.publishes {
		if p.op != nil {
			return p.op.DeliveryTag > tag // they are in order
		}
	}
	return true
}

// pass writes an op to the other side.
func (t *tap) pass(o *op) {
	o.after = t.broker.faults.take(after, &o.Event) // before it can be answered
	out := t.to(o.From)
	if o.settles {
		for _, tag := range o.settled {
			out.method(o.Channel, settling(o, tag))
		}
		return
	}
	if o.channel != nil {
		t.mu.Lock()
		if o.From == Client && o.id == wire.BasicPublishID {
			o.channel.pass(o, false)
		}
		shifted := o.From == Server && o.channel.shifted
		t.mu.Unlock()
		if shifted && o.method != nil {
			o.renumber()
		}
	}
	out.write(o.bytes())
}

// passAgain is pass for the second time.
func (t *tap) passAgain(o *op) {
	if o.channel == nil || o.settles {
		t.pass(o)
		return
	}
	t.mu.Lock()
	again := *o
	switch {
	case o.From == Client && o.id == wire.BasicPublishID:
		o.channel.pass(o, true)
	case o.id == wire.BasicDeliverID:
		again.Redelivered = true
		o.channel.deliver(&again, 0, o.channel.consumers[o.ConsumerTag].noAck)
	}
	t.mu.Unlock()
	if again.DeliveryTag != o.DeliveryTag {
		again.renumber()
	}
	t.to(o.From).write(again.bytes())
}

// bytes returns the frames as one text.
func (o *op) bytes() []byte {
	if len(o.frames) == 1 {
		return o.frames[0]
	}
	var b []byte
	for _, f := range o.frames {
		b = append(b, f...)
	}
	return b
}

// renumber puts the client's number of a delivery into its frames.
func (o *op) renumber() {
	var m wire.Method
	switch was := o.method.(type) {
	case *wire.BasicDeliver:
		is := *was
		is.DeliveryTag, is.Redelivered = o.DeliveryTag, o.Redelivered
		m = &is
	case *wire.BasicGetOk:
		is := *was
		is.DeliveryTag = o.DeliveryTag
		m = &is
	default:
		return
	}
	o.frames = append([][]byte{wire.AppendMethod(nil, o.Channel, m)}, o.frames[1:]...)
}

// settling returns a method that settles one delivery as an op settles several.
func settling(o *op, tag uint64) wire.Method {
	switch m := o.method.(type) {
	case *wire.BasicNack:
		return &wire.BasicNack{DeliveryTag: tag, Requeue: m.Requeue}
	case *wire.BasicReject:
		return &wire.BasicReject{DeliveryTag: tag, Requeue: m.Requeue}
	}
	return &wire.BasicAck{DeliveryTag: tag}
}

// sendReturn gives a published message back to the client.
func (t *tap) sendReturn(o *op) {
	t.mu.Lock()
	frameMax := t.frameMax
	t.mu.Unlock()
	m := wire.BasicReturn{
		ReplyCode: wire.CodeNoRoute, ReplyText: []byte(wire.CodeName(wire.CodeNoRoute)),
		Exchange: []byte(o.Exchange), RoutingKey: []byte(o.RoutingKey),
	}
	t.toClient.write(wire.AppendReturn(nil, o.Channel, &m, o.props, o.body, frameMax))
}
