package warren

import (
	"cmp"
	"slices"
	"time"

	"github.com/warrenmq/warren/internal/table"
)

// QueueInfo shows a queue at one moment.
type QueueInfo struct {
	Name        string
	VirtualHost string
	Type        QueueType
	Durable     bool
	Exclusive   bool
	AutoDelete  bool
	Arguments   Table // as declared; not to be changed

	// Owner is the ID of the session that owns an exclusive queue. Empty: none.
	Owner string
	// Policy is what applies to the queue now, besides its arguments.
	Policy EffectivePolicy

	Consumers int // including handlers
	// ActiveConsumer is the tag of the consumer that gets the messages of a queue with
	// a single active consumer. Empty: the queue is no such queue, or has no consumer.
	ActiveConsumer string
	// ExclusiveConsumer is the tag of a consumer that has the queue for itself. Empty:
	// there is none.
	ExclusiveConsumer string

	Ready   int   // messages that wait, in memory or on disk; all messages of a stream
	Unacked int   // messages that were delivered and are not settled
	OnDisk  int   // ready messages that are on disk and not in memory
	Bytes   int64 // that ready and unacked messages hold in memory, see [Stats].Bytes
	// ReadyBytes is what the bodies of the ready messages have, in memory or on disk.
	ReadyBytes int64

	// IdleSince is when the queue was used last: see [QueueOptions].Expires. It is kept
	// for queues that expire, and zero for others and while there are consumers.
	IdleSince time.Time

	// Stream shows what only a stream has. Nil: the queue is no stream.
	Stream *StreamInfo

	QueueCounts // since the queue was declared, or the broker opened
}

// StreamInfo shows the log of a stream.
type StreamInfo struct {
	Segments    int
	FirstOffset uint64 // of the oldest message; if there is none, NextOffset
	NextOffset  uint64 // of the next message
}

// Queues returns the queues of the virtual host, sorted by name.
func (v *VirtualHost) Queues() []QueueInfo {
	t := v.view()
	slices.SortFunc(t.queues, func(x, y queueView) int { return cmp.Compare(x.name, y.name) })
	list := make([]QueueInfo, len(t.queues))
	for i := range t.queues {
		list[i] = t.queues[i].info(v)
	}
	return list
}

// Queue returns a queue. It fails with 404 if there is none of this name.
func (v *VirtualHost) Queue(name string) (QueueInfo, error) {
	v.mu.RLock()
	q := v.queues[name]
	if q == nil {
		v.mu.RUnlock()
		return QueueInfo{}, v.errNoQueue(0, name)
	}
	view := v.viewQueue(q)
	v.mu.RUnlock()
	return view.info(v), nil
}

// info returns what users see. No lock is held.
func (q *queueView) info(v *VirtualHost) QueueInfo {
	now := q.queue.View()
	info := QueueInfo{
		Name: q.name, VirtualHost: v.name, Type: Classic,
		Durable: q.durable, Exclusive: q.exclusive, AutoDelete: q.autoDelete, Arguments: table.Widen(q.args),
		Policy: q.policies.effective(), Consumers: now.Consumers,
		ActiveConsumer: now.Active, ExclusiveConsumer: now.Exclusive,
		Ready: now.Ready, Unacked: now.Unacked, OnDisk: now.OnDisk, ReadyBytes: now.ReadyBytes, Bytes: now.Bytes,
		IdleSince:   v.broker.queues.Clock.Time(now.LastUsed),
		QueueCounts: QueueCounts(now.Counts),
	}
	if kind, ok := q.args["x-queue-type"].(string); ok {
		info.Type = QueueType(kind)
	}
	if q.owner != nil {
		info.Owner = q.owner.id
	}
	if q.queue.IsStream() {
		info.Stream = &StreamInfo{Segments: now.Segments, FirstOffset: now.First, NextOffset: now.Next}
	}
	return info
}
