package argument

import (
	"math"

	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/table"
)

// IsStream reports whether the arguments ask for a stream.
func IsStream(t table.Table) bool { return t["x-queue-type"] == any("stream") }

// Arguments that a queue of a type cannot have, because they belong to others.
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

// Arguments that queues of a type have here and in LavinMQ, but not in RabbitMQ.
var (
	strictClassicArgs = append(foreignClassicArgs[:], "x-delivery-limit")
	strictQuorumArgs  = append(foreignQuorumArgs[:], "x-max-priority", "x-queue-mode", "x-queue-version", "x-queue-master-locator")
	strictStreamArgs  = append(foreignStreamArgs[:], "x-max-length")
)

// RabbitMQ's names of the queue types.
const (
	classicName = "rabbit_classic_queue"
	quorumName  = "rabbit_quorum_queue"
	StreamName  = "rabbit_stream_queue"
)

// Foreign returns the names of the arguments that a queue with these arguments
// cannot have because of its type, and RabbitMQ's name of the type.
func Foreign(r *like.Rules, t table.Table) (names []string, queueType string) {
	switch t["x-queue-type"] {
	case "stream":
		return pick(r, foreignStreamArgs[:], strictStreamArgs), StreamName
	case "quorum":
		return pick(r, foreignQuorumArgs[:], strictQuorumArgs), quorumName
	}
	return pick(r, foreignClassicArgs[:], strictClassicArgs), classicName
}

func pick(r *like.Rules, usual, strict []string) []string {
	if r.StrictQueueTypes {
		return strict
	}
	return usual
}

// IsReplicated reports whether a queue with these arguments is of a type that
// RabbitMQ replicates. Such a queue must be durable, have a name and belong to
// nobody. It returns RabbitMQ's name of the type. A quorum queue is one only where
// the rules want it.
func IsReplicated(r *like.Rules, t table.Table) (queueType string, replicated bool) {
	_, queueType = Foreign(r, t)
	return queueType, queueType == StreamName || queueType == quorumName && r.StrictQueueTypes
}

// maxSegmentSize is RabbitMQ's bound of x-stream-max-segment-size-bytes.
const maxSegmentSize = 3_000_000_000

// CheckStream returns what is wrong with checked arguments of a new stream. The text
// is empty if nothing is.
func CheckStream(args table.Table) string {
	if n, _ := table.Integer(args["x-stream-max-segment-size-bytes"]); n > maxSegmentSize {
		return "Exceeded max value for x-stream-max-segment-size-bytes"
	}
	if n, ok := table.Integer(args["x-stream-filter-size-bytes"]); ok && (n < 16 || n > math.MaxUint8) {
		return "Invalid value for  x-stream-filter-size-bytes"
	}
	return ""
}
