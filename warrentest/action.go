package warrentest

import (
	"fmt"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// Action is what a [Fault] does. Actions are made by functions such as [Cut].
type Action struct {
	name    string // as a test says it
	moments []moment
	rule    string // why not at other moments
	slow    bool   // it may wait
	dials   bool   // it may meet a client that dials
	answers bool   // before a method, it answers in place of the broker
	do      func(s *strike)
}

const needsMethod = "it needs a method; use Before or After"

var (
	always    = []moment{before, after, now}
	atMethods = []moment{before, after}
)

// Cut ends the connection without a word, as a pulled cable does. A client that dials
// is refused.
func Cut() Action {
	return Action{name: "Cut()", dials: true, moments: always, do: func(s *strike) {
		s.forward = false
		s.tap.cut()
	}}
}

// CutInside ends the connection after n bytes of the method's frames have been passed
// on.
func CutInside(n int) Action {
	return Action{
		name: fmt.Sprintf("CutInside(%d)", n), moments: atMethods, rule: needsMethod,
		do: func(s *strike) {
			if s.target != nil {
				s.tap.to(s.target.From).writePart(s.target.frames, n)
			}
			s.forward = false
			s.tap.cut()
		},
	}
}

// Drop swallows the method: it is not carried out and never answered. After a method
// it swallows the answer.
func Drop() Action {
	return Action{name: "Drop()", moments: atMethods, rule: needsMethod, do: func(s *strike) { s.forward = false }}
}

// Delay waits for d. What follows on the same channel in the same direction waits, too;
// other channels and heartbeats go on.
func Delay(d time.Duration) Action {
	return Action{
		name: fmt.Sprintf("Delay(%v)", d), moments: atMethods, rule: needsMethod, slow: true, dials: true,
		do: func(s *strike) { s.tap.sleep(d) },
	}
}

// Hold waits until release is closed, as Delay does.
func Hold(release <-chan struct{}) Action {
	return Action{name: "Hold()", dials: true, moments: atMethods, rule: needsMethod, slow: true, do: func(s *strike) {
		select {
		case <-release:
		case <-s.tap.done:
		}
	}}
}

// CloseChannel closes the channel with channel.close, in place of the method or of its
// answer; all channels of the connection with Now.
func CloseChannel(code uint16, text string) Action {
	return Action{name: fmt.Sprintf("CloseChannel(%d, %q)", code, text), moments: always, do: func(s *strike) {
		s.forward = false
		if s.op.Channel != 0 {
			s.tap.closeChannel(s.op.Channel, code, text, s.op.id)
			return
		}
		for _, n := range s.tap.openChannels() {
			s.tap.closeChannel(n, code, text, 0)
		}
	}}
}

// CloseConnection closes the connection with connection.close, in place of the method or
// of its answer.
func CloseConnection(code uint16, text string) Action {
	return Action{name: fmt.Sprintf("CloseConnection(%d, %q)", code, text), moments: always, do: func(s *strike) {
		s.forward = false
		s.tap.closeConnection(code, text, s.op.id)
	}}
}

// RefuseLogin closes the connection as RabbitMQ does when user or password are wrong. It
// is for "connection.start-ok".
func RefuseLogin() Action {
	a := CloseConnection(wire.CodeAccessRefused, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.")
	a.name, a.moments, a.rule = "RefuseLogin()", []moment{before}, "it is for \"connection.start-ok\", which the broker must not get; use Before"
	return a
}

// Nack refuses a publish in confirm mode with basic.nack: before it, the broker does not
// get the message; after it, the broker keeps the message all the same.
func Nack() Action {
	return Action{name: "Nack()", moments: atMethods, rule: needsMethod, answers: true, do: func(s *strike) {
		if s.op.id != wire.BasicPublishID || s.op.DeliveryTag == 0 {
			s.misused("it is for basic.publish in confirm mode")
			return
		}
		s.forward = false
		s.tap.toClient.method(s.op.Channel, &wire.BasicNack{DeliveryTag: s.op.DeliveryTag})
	}}
}

// Return gives a published message back with basic.return, as if no queue had taken it
// (312 NO_ROUTE), whether it is mandatory or not. Before the publish, the broker does not
// get it, and it is confirmed, as RabbitMQ does.
func Return() Action {
	return Action{name: "Return()", moments: atMethods, rule: needsMethod, answers: true, do: func(s *strike) {
		if s.op.id != wire.BasicPublishID {
			s.misused("it is for basic.publish")
			return
		}
		s.tap.sendReturn(s.op)
		if s.target == s.op {
			s.forward = false
			if s.op.DeliveryTag != 0 {
				s.tap.toClient.method(s.op.Channel, &wire.BasicAck{DeliveryTag: s.op.DeliveryTag})
			}
		}
	}}
}

// Twice passes the method on twice. A message from the broker comes the second time as
// redelivered, with a delivery tag of its own; a publish is there twice, and confirmed
// once; after a method, its answer comes twice.
func Twice() Action {
	return Action{name: "Twice()", moments: atMethods, rule: needsMethod, do: func(s *strike) { s.again = true }}
}

// Reverse holds methods, or answers after a method, back until there are n of them, and
// then passes them on in reverse order. Undo passes on those that are held.
func Reverse(n int) Action {
	return Action{
		name: fmt.Sprintf("Reverse(%d)", n), moments: atMethods, rule: needsMethod,
		do: func(s *strike) {
			if s.target != nil && s.forward {
				s.forward = false
				s.fault.hold(n, func() { s.tap.pass(s.target) })
			}
		},
	}
}

// Stall lets the connection neither read nor write, until Undo: the peer is there but
// silent, and heartbeats are missed.
func Stall() Action {
	return Action{name: "Stall()", moments: always, do: func(s *strike) { s.fault.onUndo(s.tap.stall()) }}
}

// Slow lets the connection pass on so many bytes in a second in either direction, in
// small pieces, until Undo.
func Slow(bytesPerSecond int) Action {
	return Action{name: fmt.Sprintf("Slow(%d)", bytesPerSecond), moments: always, do: func(s *strike) {
		s.tap.rate.Store(int64(max(1, bytesPerSecond)))
		s.fault.onUndo(func() { s.tap.rate.Store(0) })
	}}
}

// Block sends connection.blocked with the reason, if the client can hear it, and lets
// publishes wait, until Undo sends connection.unblocked. All else goes on.
func Block(reason string) Action {
	return Action{name: fmt.Sprintf("Block(%q)", reason), moments: always, do: func(s *strike) { s.fault.onUndo(s.tap.block(reason)) }}
}

// CancelConsumer lets the broker cancel the consumers of the queue that the method is
// about, as when a queue's leader changes: clients get basic.cancel.
func CancelConsumer() Action {
	return Action{name: "CancelConsumer()", moments: atMethods, rule: "it needs a queue; use Before or After, or Broker.CancelConsumers", do: func(s *strike) {
		s.tap.broker.cancelConsumers(s.op.VirtualHost, s.op.Queue)
	}}
}

// DeleteQueue deletes the queue that the method is about, with its messages, under its
// consumers: their clients get basic.cancel.
func DeleteQueue() Action {
	return Action{name: "DeleteQueue()", moments: atMethods, rule: "it needs a queue; use Before or After", do: func(s *strike) {
		if err := s.tap.broker.deleteQueue(s.op.VirtualHost, s.op.Queue); err != nil {
			s.misused(err.Error())
		}
	}}
}

// Call calls f with the method, which goes on when f returns. f must not end the test, so
// it reports by Error, and it must not wait for what this connection does next.
func Call(f func(e Event)) Action {
	return Action{name: "Call()", dials: true, moments: always, do: func(s *strike) { f(s.op.Event) }}
}
