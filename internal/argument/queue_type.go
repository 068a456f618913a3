package argument

import (
	"math"

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

// RabbitMQ's names of the queue types.
const (
	classicName = "rabbit_classic_queue"
	quorumName  = "rabbit_quorum_queue"
	StreamName  = "rabbit_stream_queue"
)

// Foreign returns the names of the arguments that a queue with these arguments
// cannot have because of its type, and RabbitMQ's name of the type.
func Foreign(t table.Table) (names []string, queueType string) {
	switch t["x-queue-type"] {
	case "stream":
		return foreignStreamArgs[:], StreamName
	case "quorum":
		return foreignQuorumArgs[:], quorumName
	}
	return foreignClassicArgs[:], classicName
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
