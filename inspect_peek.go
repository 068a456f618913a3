package warren

import (
	"errors"
	"fmt"

	"github.com/warrenmq/warren/internal/queue"
)

// Peeked is a message of a queue, as [VirtualHost.Peek] shows it.
type Peeked struct {
	// Message shares its Body and Headers with the queue: they are not to be changed. A
	// ReplyTo that would let others answer a call is shown as [DirectReplyTo].
	Message
	Exchange    string // the exchange that it was published to
	RoutingKey  string // the key that it was published with
	Redelivered bool   // it was delivered before
	Returns     int    // how often it came back; counted by queues with a DeliveryLimit only
	// Offset is the message's offset in a stream. In another queue it is its place among
	// the ready messages, from 0.
	Offset uint64
}

// Limits of Peek.
const (
	maxPeeked      = 1000     // messages
	maxPeekedBytes = 16 << 20 // of bodies, but for the last message
)

// Peek returns up to n ready messages of a queue without taking them, the next one to
// be delivered first, and from a stream the oldest first. It leaves no trace: messages
// do not count as delivered, and an expiring queue does not count as used. The first
// skip messages are passed over; messages that have expired, and are still in the queue,
// are left out. It fails with 404 if there is no such queue, and with an [ErrStorage] if
// messages on disk cannot be read. It returns at most 1000 messages and stops after 16 MiB
// of bodies.
func (v *VirtualHost) Peek(queue string, skip, n int) ([]Peeked, error) {
	if err := v.broker.checkOpen(); err != nil {
		return nil, err
	}
	v.mu.RLock()
	q := v.queues[queue]
	v.mu.RUnlock()
	if q == nil {
		return nil, v.errNoQueue(0, queue)
	}
	items, err := q.Peek(max(0, skip), min(n, maxPeeked), maxPeekedBytes)
	if err != nil {
		return nil, v.peekError(queue, err)
	}
	list := make([]Peeked, len(items))
	for i := range items {
		list[i].fill(&items[i])
	}
	return list, nil
}

// peekError returns what users are told of an error of a queue.
func (v *VirtualHost) peekError(name string, err error) error {
	if errors.Is(err, queue.ErrDeleted) {
		return v.errNoQueue(0, name)
	}
	return fmt.Errorf("%w: peek at queue '%s': %w", ErrStorage, name, err)
}

// fill sets all fields of p.
func (p *Peeked) fill(m *queue.Peeked) {
	p.Message = Message(m.Shown())
	if isReplyAddress(p.ReplyTo) {
		p.ReplyTo = DirectReplyTo
	}
	p.Exchange, p.RoutingKey, p.Offset = *m.Exchange, m.Key, m.Place
	p.Redelivered, p.Returns = m.Redelivered, int(m.Returns)
}
