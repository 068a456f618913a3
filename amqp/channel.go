package amqp

import (
	"errors"
	"log/slog"
	"unsafe"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// channel is a client's channel. The connection's reader handles its frames. The
// broker calls it with deliveries from any goroutine.
type channel struct {
	conn   *conn
	number uint16
	core   *warren.Channel
	link   link.Channel

	// Owned by the connection's reader.
	closing bool // channel.close is sent: only channel.close and its answer count
	content content
	message link.Publish // the message that is being published; reused
	acked   uint64       // number of the last publish to be acked
	pending int          // how many publishes are to be acked

	// Of a broker with a disk, owned by the reader, too.
	awaits    bool       // publishes have waited for the disk, and perhaps still do
	committed chan error // gets the answer to a commit that waits for the disk; nil: none waits

	// Set by the reader before it calls the broker, which calls back.
	noWait bool // no consume-ok is wanted
}

func newChannel(c *conn, number uint16, core *warren.Channel) *channel {
	ch := &channel{conn: c, number: number, core: core, link: core.Link()}
	ch.link.Join(&c.out.room)
	ch.link.Serve(number, ch)
	return ch
}

// Ended is called when the broker has closed the channel. The reader tells the
// client, unless it has done so already.
func (ch *channel) Ended(err error) {
	ch.conn.do(func() {
		if !ch.closing && ch.conn.channels[ch.number] == ch {
			ch.fail(err)
		}
	})
}

// frame handles a frame on the channel.
func (ch *channel) frame(f wire.Frame) {
	if f.Type != wire.FrameMethod {
		if !ch.closing {
			ch.contentFrame(f)
		}
		return
	}
	m, err := ch.conn.decoder.Parse(f.Payload)
	if _, closes := m.(*wire.ChannelClose); ch.committed != nil && !closes {
		ch.awaitCommit()
	}
	if ch.closing {
		ch.closingMethod(m)
		return
	}
	if err != nil {
		ch.conn.fail(malformed(err))
		return
	}
	if e := ch.content.interrupted(); e != nil {
		ch.conn.fail(blame(e, wire.BasicPublishID))
		return
	}
	if p, ok := m.(*wire.BasicPublish); ok {
		ch.content.begin(p)
		return
	}
	ch.flushConfirms() // an answer must not overtake the confirms before it
	if err := ch.method(m); err != nil {
		ch.fail(blame(err, m.ID()))
	}
}

// closingMethod handles a method that comes after the server's channel.close.
func (ch *channel) closingMethod(m wire.Method) {
	switch m.(type) {
	case *wire.ChannelCloseOk:
		ch.conn.removeChannel(ch)
	case *wire.ChannelClose: // both closed at the same time
		ch.conn.send(ch.number, &wire.ChannelCloseOk{})
		ch.conn.removeChannel(ch)
	}
}

// method handles a method other than basic.publish.
func (ch *channel) method(m wire.Method) error {
	switch m.ID().Class() {
	case wire.ClassChannel:
		return ch.channelMethod(m)
	case wire.ClassExchange:
		return ch.exchangeMethod(m)
	case wire.ClassQueue:
		return ch.queueMethod(m)
	case wire.ClassBasic:
		return ch.basicMethod(m)
	case wire.ClassConfirm, wire.ClassTx:
		return ch.modeMethod(m)
	case wire.ClassAccess:
		if _, ok := m.(*wire.AccessRequest); ok {
			if ch.conn.server.like.NoAccessRequest {
				return failure(wire.CodeNotImplemented, "%s", m.ID())
			}
			ch.send(&wire.AccessRequestOk{Ticket: 1})
			return nil
		}
	}
	return errUnexpected
}

// errUnexpected is the error for a method that a client may not send, or not on a
// channel.
var errUnexpected = failure(wire.CodeCommandInvalid, "unimplemented method")

// channelMethod handles a method of class channel.
func (ch *channel) channelMethod(m wire.Method) error {
	switch m := m.(type) {
	case *wire.ChannelOpen:
		return failure(wire.CodeChannelError, "second 'channel.open' seen")
	case *wire.ChannelClose:
		ch.core.Close()
		ch.conn.removeChannel(ch)
		ch.send(&wire.ChannelCloseOk{})
		return nil
	case *wire.ChannelFlow:
		if err := ch.core.Flow(m.Active); err != nil {
			return err
		}
		ch.send(&wire.ChannelFlowOk{Active: m.Active})
		return nil
	}
	return errUnexpected
}

// modeMethod handles a method of class confirm or tx.
func (ch *channel) modeMethod(m wire.Method) error {
	switch m := m.(type) {
	case *wire.ConfirmSelect:
		if err := ch.core.Confirm(); err != nil {
			return err
		}
		if !m.NoWait {
			ch.send(&wire.ConfirmSelectOk{})
		}
		return nil
	case *wire.TxSelect:
		return ch.answer(ch.core.Tx(), &wire.TxSelectOk{})
	case *wire.TxCommit:
		return ch.commit()
	case *wire.TxRollback:
		return ch.answer(ch.core.TxRollback(), &wire.TxRollbackOk{})
	}
	return errUnexpected
}

// commit commits the transaction. It sends the messages that the broker returns, then
// commit-ok, when the transaction is on disk.
func (ch *channel) commit() error {
	synced, err := ch.link.Commit()
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		for _, err := range several.Unwrap() {
			var r *warren.Return
			if !errors.As(err, &r) {
				return partialTx(err)
			}
			ch.sendReturn(r)
			ch.conn.waitForRoom()
		}
		err = nil
	}
	if err == nil && synced != 0 {
		ch.committed = make(chan error, 1)
		ch.link.Await(synced, 0)
		return nil
	}
	return ch.answer(err, &wire.TxCommitOk{})
}

// send writes a method.
func (ch *channel) send(m wire.Method) { ch.conn.send(ch.number, m) }

// answer writes m if err is nil. It returns err.
func (ch *channel) answer(err error, m wire.Method) error {
	if err == nil {
		ch.send(m)
	}
	return err
}

// answerUnless is answer, but with noWait it writes nothing.
func (ch *channel) answerUnless(noWait bool, err error, m wire.Method) error {
	if noWait {
		return err
	}
	return ch.answer(err, m)
}

// fail closes the channel because of an error. As in RabbitMQ, some errors close the
// connection.
func (ch *channel) fail(err error) {
	e := asError(err)
	if e.ClosesConnection() {
		ch.conn.fail(e)
		return
	}
	ch.flushConfirms()
	ch.closing = true
	ch.release()
	ch.content = content{}
	ch.core.Close() // first: no delivery may follow channel.close
	ch.conn.log(slog.LevelInfo, "channel closed by the server", "channel", int(ch.number), "code", int(e.Code), "text", e.Text)
	ch.send(&wire.ChannelClose{ReplyCode: e.Code, ReplyText: short(e.Text), Cause: cause(e)})
}

// view returns the bytes of a string without a copy. They must not be changed.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
