package warren

import (
	"math"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// QueueType says how a queue keeps messages (x-queue-type).
type QueueType string

const (
	// Classic queues give each message to one consumer: what a queue is if it
	// is not told otherwise.
	Classic QueueType = "classic"
	// Quorum queues are classic ones here, as in LavinMQ: a message is kept
	// once, and nobody elects anything.
	Quorum QueueType = "quorum"
	// Stream queues are logs: messages stay when they have been read, for as
	// long as the queue's limits let them, and each consumer reads all of them
	// from a place of its own (see [ConsumeOptions].Offset). A stream must be
	// Durable and have a name, and can be neither Exclusive nor AutoDelete. Its
	// messages cannot be got or purged and do not expire. Give it a limit: one
	// without grows until [Options].MemoryLimit stops the publishers.
	Stream QueueType = "stream"
)

// isStream reports whether the arguments ask for a stream.
func isStream(t Table) bool { return t["x-queue-type"] == any(string(Stream)) }

// Arguments that belong to other types of queues, and RabbitMQ's names of the
// types.
var (
	foreignClassicArgs = [...]string{
		"x-max-age", "x-stream-max-segment-size-bytes", "x-stream-filter-size-bytes", "x-initial-cluster-size",
		"x-quorum-initial-group-size", "x-dead-letter-strategy", "x-max-in-memory-length", "x-max-in-memory-bytes",
	}
	foreignQuorumArgs = [...]string{
		"x-max-age", "x-stream-max-segment-size-bytes", "x-stream-filter-size-bytes", "x-initial-cluster-size",
	}
	foreignStreamArgs = [...]string{
		"x-expires", "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-dead-letter-strategy",
		"x-overflow", "x-delivery-limit", "x-max-priority", "x-single-active-consumer",
		"x-queue-mode", "x-queue-version", "x-queue-master-locator", "x-quorum-initial-group-size",
		"x-max-in-memory-length", "x-max-in-memory-bytes",
	}
)

const (
	classicTypeName = "rabbit_classic_queue"
	quorumTypeName  = "rabbit_quorum_queue"
	streamTypeName  = "rabbit_stream_queue"
)

// foreignArgs lists the arguments that a queue with these ones cannot have, with
// the name of its type.
func foreignArgs(t Table) (names []string, queueType string) {
	switch t["x-queue-type"] {
	case string(Stream):
		return foreignStreamArgs[:], streamTypeName
	case string(Quorum):
		return foreignQuorumArgs[:], quorumTypeName
	}
	return foreignClassicArgs[:], classicTypeName
}

// maxSegmentSize is RabbitMQ's bound of x-stream-max-segment-size-bytes.
const maxSegmentSize = 3_000_000_000

// checkType refuses a new queue whose type does not allow its properties. The
// values of its arguments have been checked.
func (v *VirtualHost) checkType(name string, o *QueueOptions) error {
	if !isStream(o.Args) {
		return nil
	}
	const m = wire.QueueDeclareID
	for _, p := range [...]struct {
		name    string
		refused bool
	}{{"auto-delete", o.AutoDelete}, {"exclusive-owner", o.Exclusive}, {"non-durable", !o.Durable}} {
		if p.refused {
			return failure(m, wire.CodePreconditionFailed, "invalid property '%s' for queue '%s' in vhost '%s'", p.name, name, v.name)
		}
	}
	if n, _ := table.Integer(o.Args["x-stream-max-segment-size-bytes"]); n > maxSegmentSize {
		return failure(m, wire.CodePreconditionFailed, "Exceeded max value for x-stream-max-segment-size-bytes")
	}
	if n, ok := table.Integer(o.Args["x-stream-filter-size-bytes"]); ok && (n < 16 || n > math.MaxUint8) {
		return failure(m, wire.CodePreconditionFailed, "Invalid value for  x-stream-filter-size-bytes")
	}
	return nil
}
