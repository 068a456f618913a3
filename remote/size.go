package remote

import (
	"fmt"
	"regexp"
	"strconv"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/internal/message"
)

// ownProperties is what a bridge adds to properties, in bytes, at most.
const ownProperties = 600

// checkSize returns why a broker would end the channel or the connection for a message:
// properties must fit into a frame, and a body may have a limit that a broker tells only
// when somebody exceeds it.
func (br *bridge) checkSize(p *message.Properties) error {
	if err := br.checkBody(len(p.Body)); err != nil {
		return err
	}
	frame := br.conn.Config.FrameSize
	if frame == 0 || len(p.Headers) == 0 {
		return nil
	}
	if n := len(p.AppendTo(nil)); n > frame-ownProperties {
		text := fmt.Sprintf("PRECONDITION_FAILED - properties of %d bytes do not fit into a frame, of which the broker takes %d bytes", n, frame)
		return refusedHere(amqp091.PreconditionFailed, text, "put large values into the body")
	}
	return nil
}

// checkBody returns why the broker would close the channel for a body of n octets, as far
// as that is known.
func (br *bridge) checkBody(n int) error {
	limit := br.broker.mostBody.Load()
	if limit == 0 || int64(n) <= limit {
		return nil
	}
	text := fmt.Sprintf("PRECONDITION_FAILED - message size %d is larger than configured max size %d", n, limit)
	return refusedHere(amqp091.PreconditionFailed, text, "split it, or raise the limit of the broker")
}

// noteLimit learns the largest body that the broker takes from why it has closed a channel,
// in the words of RabbitMQ, LavinMQ and Warren. So a message that is too large, and comes
// again, does not end the connection again. It reports whether it has learned something.
func (b *Broker) noteLimit(reason error) bool {
	e, ok := reason.(*amqp091.Error)
	if !ok || e == nil || e.Code != amqp091.PreconditionFailed {
		return false
	}
	m := regexp.MustCompile(`message size \d+ (?:is )?larger than (?:configured )?max size (\d+)`).FindStringSubmatch(e.Reason)
	if m == nil {
		return false
	}
	limit, err := strconv.ParseInt(m[1], 10, 64)
	if err == nil {
		b.mostBody.Store(limit)
	}
	return err == nil
}

// noteLimits learns from why the channels of calls were closed. If the connection has ended
// for another reason, the limit is forgotten: the next broker may have another one.
func (br *bridge) noteLimits(reason error) {
	learned := br.broker.noteLimit(reason)
	for _, closed := range [...]<-chan *amqp091.Error{br.channelClosed, br.backClosed} {
		select {
		case e := <-closed:
			learned = br.broker.noteLimit(e) || learned
		default:
		}
	}
	if !learned {
		br.broker.mostBody.Store(0)
	}
}
