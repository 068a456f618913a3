package warren

import (
	"encoding/binary"
	"errors"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// remotePeer is the other end of a stream, across the network.
type remotePeer struct {
	vhost       *VirtualHost
	consumer    addressee    // that has the address of the other end; nil: it has gone
	turns       *streamTurns // for items; nil: no buffer bounds what comes to the consumer
	address     string       // of the other end
	own         string       // address of this end
	correlation string

	// Owned by the sender.
	plain []byte          // encoded properties of an item without any of its own; made at the first
	last  message.Encoded // such properties; used again for each item of which nobody keeps them
}

// joinRemote makes who has the address the other end, across the network. It reports
// false if there is one.
func (s *streamEnd) joinRemote(who addressee, address, own, correlation string) bool {
	return s.join(&remotePeer{
		vhost: s.vhost, consumer: who, turns: newStreamTurns(who, &s.out), address: address, own: own, correlation: correlation,
	})
}

var (
	errNoStreamAddress = brokenStream("the first message of the server has no direct reply address as reply_to")
	errNoSignal        = brokenStream("a message of the caller has no header of the protocol")
	errItemsPanicked   = errors.New("warren: the caller's items panicked")
	errItemsUnfinished = errors.New("warren: the caller's items ended by runtime.Goexit")
)

// brokenStream is an ErrBrokenStream with a text.
type brokenStream string

func (b brokenStream) Error() string { return ErrBrokenStream.Error() + ": " + string(b) }
func (b brokenStream) Unwrap() error { return ErrBrokenStream }

// item implements streamPeer.
func (r *remotePeer) item(number uint64, e message.Entry) bool {
	if e.Content == nil {
		return r.publish(e.Body, r.plainItem(number), r.turns)
	}
	p := e.Content.Properties()
	p.Headers = withHeaders(p.Headers, Table{StreamItemHeader: int64(number)})
	return r.send(e.Body, &p, r.turns)
}

// numberAt is where the number is in the properties of an item: after the flags, the
// length of the headers, the name of the header and the type of its value.
const numberAt = 2 + 4 + 1 + len(StreamItemHeader) + 1

// plainItem returns the content of an item that has no properties of its own.
func (r *remotePeer) plainItem(number uint64) message.Content {
	if r.plain == nil {
		p := wire.Properties{Headers: Table{StreamItemHeader: int64(0)}, CorrelationId: r.correlation, ReplyTo: r.own}
		r.plain = p.Append(nil)
	}
	binary.BigEndian.PutUint64(r.plain[numberAt:], number)
	if r.turns != nil {
		r.last.Raw = r.plain
		return &r.last
	}
	c := &message.Addressed{}
	c.Raw = append(c.Room[:0], r.plain...)
	return c
}

func (r *remotePeer) credit(n uint64) { r.say(Table{StreamCreditHeader: int64(n)}) }

func (r *remotePeer) cancel() { r.say(Table{StreamCancelHeader: true}) }

func (r *remotePeer) finish(sent uint64, err error) {
	headers := Table{StreamEndHeader: int64(sent)}
	if err != nil {
		e := asRemoteError(err)
		text := e.Text
		if text == textError {
			text = "the items of the caller ended with an error"
		}
		headers[ErrorCodeHeader], headers[ErrorTextHeader] = e.Code, text
	}
	r.say(headers)
}

// say sends a message without a body.
func (r *remotePeer) say(headers Table) bool {
	return r.send(nil, &message.Properties{Headers: headers}, nil)
}

func (r *remotePeer) send(body []byte, p *message.Properties, turns *streamTurns) bool {
	p.CorrelationId, p.ReplyTo = r.correlation, r.own
	return r.publish(body, message.NewPublished(p), turns)
}

// publish reports false if the other end has gone. Only the sender may use turns, which
// wait for room at the other end; nil: the message is sent at once.
func (r *remotePeer) publish(body []byte, c message.Content, turns *streamTurns) bool {
	x := r.vhost.defaultExchange
	e := message.Entry{Body: body, Key: r.address, Exchange: &x.Name, Content: c}
	switch {
	case r.consumer == nil:
		return false
	case turns != nil:
		if !turns.deliver(&e) {
			return false
		}
	case !r.consumer.deliver(e):
		return false
	}
	if r.vhost.broker.watchers.any() {
		x.counting().count(len(body), 1)
	}
	return true
}
