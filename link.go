package warren

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"unsafe"

	"github.com/warrenmq/warren/internal/flow"
	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Like returns the broker's rules.
func (l *brokerLink) Like() *like.Rules { return l.like }

// Identity is the broker's name for others.
func (l *brokerLink) Identity() string {
	l.identityOnce.Do(func() { l.identity = rand.Text() })
	return l.identity
}

// Identity is the virtual host's name for other brokers.
func (l *channelLink) Identity() string {
	return (*brokerLink)(l.vhost.broker).Identity() + "/" + l.vhost.name
}

// Buffers is what the buffers of connections hold.
func (l *brokerLink) Buffers() *link.Buffers { return &l.buffers }

func (l *channelLink) channel() *Channel { return (*Channel)(l) }

// Ended sets the function to call when the session is closed. It calls f at once if
// the session is closed already.
func (l *sessionLink) Ended(f func(reason string)) {
	l.mu.Lock()
	closed := l.closed
	l.onEnd = f
	l.mu.Unlock()
	if closed {
		f(shutdownReason)
	}
}

// Waits sets what the connection does while a channel waits for the disk.
func (l *sessionLink) Waits(ctx context.Context, waits func(why string)) {
	l.diskWait = &diskWait{ctx, waits}
}

// Reserve takes memory for the connection. The end of the session gives it back.
func (l *sessionLink) Reserve(bytes int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	return l.vhost.broker.reserve(&l.topology, wire.ConnectionOpenID, bytes)
}

// Publish is Channel.Publish for a message whose properties stay encoded.
func (l *channelLink) Publish(ctx context.Context, m *link.Publish) (a link.Answer, err error) {
	ch := l.channel()
	p := newPublishing(PublishOptions{Mandatory: m.Mandatory, Immediate: m.Immediate})
	if err := l.prepare(ctx, &p, m); err != nil {
		return link.Answer{}, err
	}
	mode := ch.mode.Load()
	if mode == modeTx {
		return link.Answer{}, ch.holdPublish(&p)
	}
	if mode == modeConfirm {
		a.Number = ch.published.Add(1)
	}
	a.Nacked, err = ch.send(&p)
	a.Synced = p.Synced
	return a, err
}

// Commit is Channel.TxCommit that does not wait for the disk.
func (l *channelLink) Commit() (synced uint64, err error) {
	synced, errs, err := l.channel().commit()
	if err == nil {
		err = errors.Join(errs...)
	}
	return synced, err
}

func (l *channelLink) Await(synced, number uint64) { l.line.Add(synced, number, nil) }

func (l *channelLink) Awaits() bool { return l.line.Waits() }

// prepare is Channel.prepare for a message whose properties stay encoded.
func (l *channelLink) prepare(ctx context.Context, p *publishing, m *link.Publish) error {
	ch := l.channel()
	if err := ch.checkOpen(); err != nil {
		return err
	}
	p.Body, p.Key = m.Body, l.routingKey(m)
	if err := ch.vhost.prepare(p, ch, viewString(m.Exchange)); err != nil {
		return err
	}
	if m.Properties != nil {
		if err := l.setProperties(p, m); err != nil {
			return err
		}
	} else if m.Content != nil {
		p.Content = m.Content
	}
	if ch.vhost.broker.disk != nil {
		if err := ch.vhost.admitToDisk(ctx, p, ch, m.Waits); err != nil {
			return err
		}
	}
	if ch.vhost.broker.state.Load() == stateOpen {
		return nil
	}
	_, err := ch.vhost.checkPublisher(ctx, p, ch)
	return err
}

// Account opens an account for a connection's reader.
func (l *sessionLink) Account(a *link.Account) { a.Open(&l.vhost.broker.queues.Memory) }

// Admit waits for memory, as Channel.Publish does. A connection that waits reads no
// more: messages and transactions that it has begun would not come to their end. If
// they are what fills the memory, nobody would ever go on. So such a connection does
// not wait: it may exceed the limit a little, and fails beyond that.
func (l *channelLink) Admit(ctx context.Context, m *link.Publish, size int64, reader *link.Account) error {
	ch := l.channel()
	b := ch.vhost.broker
	isReply := len(m.Exchange) == 0 && isReplyAddress(viewString(m.RoutingKey))
	begun := (reader.Bytes() > 0 || ch.session.held.Load() > 0) && b.options.MemoryPolicy == BlockPublishers
	switch {
	case (isReply || begun) && b.queues.Memory.Overdraw(size):
	case begun:
		return failure(wire.BasicPublishID, wire.CodePreconditionFailed,
			"low on memory, and the connection cannot wait: it has incomplete messages or transactions")
	default:
		waited := false
		err := b.waitForMemory(ctx, size, &ch.closed, func() {
			waited = true
			m.Waits(blockedReason(b.shortage()))
		})
		if waited {
			m.Waits("")
		}
		if err != nil {
			if ch.closed.Load() {
				return ch.reason
			}
			return err
		}
	}
	reader.Took(size)
	return nil
}

// routingKey returns the key as a string. It reuses a recent string with the same
// content.
func (l *channelLink) routingKey(m *link.Publish) string {
	key := m.RoutingKey
	if m.Key != "" {
		return m.Key
	}
	if len(m.Exchange) == 0 {
		if q := l.recentQueue.Load(); q != nil && q.Name() == string(key) {
			return q.Name()
		}
	}
	if k := l.recentKey.Load(); k != nil && *k == string(key) {
		return *k
	}
	k := string(key)
	l.recentKey.Store(&k)
	return k
}

// setProperties checks the properties that the broker uses: reply_to, expiration,
// user_id, and the headers CC and BCC.
func (l *channelLink) setProperties(p *publishing, from *link.Publish) error {
	raw, e := from.Properties, (*message.Encoded)(nil)
	if m, ok := message.ModeOf(raw); ok {
		p.Content = m
		return nil
	}
	replyTo, _ := raw.Get(wire.ReplyTo)
	if name := replyTo; len(name) <= len(like.ReplyToRabbitMQ) && l.vhost.isReplyName(string(name)) {
		r := l.reply.Load()
		if r == nil {
			return errNoReplyConsumer(string(name))
		}
		var a message.Addressed
		e, raw = &a.Encoded, raw.AppendWith(a.Room[:0], wire.ReplyTo, view(r.address))
	}
	if ms, ok := raw.Get(wire.Expiration); ok {
		if err := p.setExpiration(&l.vhost.broker.queues, string(ms)); err != nil {
			return err
		}
	}
	if user, ok := raw.Get(wire.UserId); ok {
		if err := l.session.grant.Load().checkUser(string(user), from.User); err != nil {
			return err
		}
	}
	if e == nil {
		e = &message.Encoded{}
	}
	e.Raw, p.Content = raw, e
	// Few messages have these headers. A search of the bytes avoids decoding the
	// others.
	if headers, ok := raw.Get(wire.Headers); ok && bytes.Contains(headers, []byte("CC")) {
		if err := l.takeCarbonKeys(p, e); err != nil {
			return err
		}
	}
	if len(replyTo) > 0 {
		p.Content = l.channel().bound(p.Content, viewString(replyTo))
	}
	p.HideKeys()
	return nil
}

// GoElsewhere makes all requests of a virtual host go to another broker.
func (l *brokerLink) GoElsewhere(vhost string, to link.Elsewhere) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.vhosts[vhost].elsewhere = to
}

// ComeFromElsewhere notes that the requests of a virtual host come from another broker.
func (l *brokerLink) ComeFromElsewhere(vhost string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.vhosts[vhost].bridged = true
}

func (l *channelLink) takeCarbonKeys(p *publishing, e *message.Encoded) error {
	headers := e.Headers()
	rest, err := p.takeKeys(headers)
	if err == nil {
		err = l.channel().checkExtraTopics(p)
	}
	if err != nil || len(rest) == len(headers) {
		return err
	}
	var edit message.Edit
	edit.Remove = []string{"BCC"}
	p.Content = e.Edited(edit)
	return nil
}

// Consume is Channel.Consume with a sink for the deliveries.
func (l *channelLink) Consume(c *link.Consume, sink link.Sink) error {
	o := ConsumeOptions{Tag: c.Tag, NoAck: c.NoAck, Exclusive: c.Exclusive, Args: c.Arguments}
	_, err := l.channel().consume(c.Queue, o, sink)
	return err
}

// Answer answers a call.
func (l *channelLink) Answer(address string, p *message.Properties) bool {
	reply := Message(*p)
	reply.Headers = table.Widen(reply.Headers)
	return l.vhost.replies.answerOne(address, &reply, remoteError(reply.Headers))
}

// ReplyAddress returns the address of the reply consumer.
func (l *channelLink) ReplyAddress() string {
	if r := l.reply.Load(); r != nil {
		return r.address
	}
	return ""
}

// Get is Channel.Get with a sink for the delivery.
func (l *channelLink) Get(name string, noAck bool, sink link.Sink) (ok bool, err error) {
	ch := l.channel()
	if err := ch.checkOpen(); err != nil {
		return false, err
	}
	q, err := ch.findReadableQueue(wire.BasicGetID, name)
	if err != nil {
		return false, err
	}
	d, left, ok, err := q.Get(noAck, (*channelWaiter)(ch))
	if !ok {
		return false, ch.getError(q, err)
	}
	if !ch.deliverToSink(nil, &d, noAck, sink, left) {
		d.Redelivered = true // others may have got later ones meanwhile
		q.Unget(&d, noAck)
		return false, ch.checkOpen()
	}
	ch.countGot(&d, noAck)
	return true, nil
}

// Serve sets the channel of a connection, and its number there.
func (l *channelLink) Serve(number uint16, c link.Client) {
	l.channel().opened(uint64(number), c)
}

// Recover is Channel.Recover that calls done before the messages are delivered
// again.
func (l *channelLink) Recover(requeue bool, done, wait func()) error {
	ch := l.channel()
	if err := ch.checkRecover(0, requeue); err != nil {
		return err
	}
	if !ch.setPaused(true) { // no other message may come between
		defer ch.setPaused(false)
	}
	if !requeue {
		return ch.recoverOneByOne(done, wait)
	}
	err := ch.Recover(true)
	if err == nil {
		done()
	}
	return err
}

func (l *channelLink) Join(room *flow.Connection) { l.flow.Join(room) }

func (l *channelLink) MaxMessageSize() int { return l.vhost.broker.options.MaxMessageSize }

// Returned returns the properties of a returned message as they were sent.
func (l *channelLink) Returned(err error) wire.RawProperties {
	if r, ok := err.(*Return); ok && r.content != nil {
		return r.content.AppendTo(nil)
	}
	return nil
}

// view returns the bytes of a string. They must not be written to.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// viewString returns bytes as a string. It is valid as long as b is not changed.
func viewString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
