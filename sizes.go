package warren

import "github.com/warrenmq/warren/internal/message"

const sizeClasses = message.SizeClasses

// MessageSizes count messages by the length of their bodies.
type MessageSizes struct {
	// Counts are the numbers of messages of at most the lengths that [SizeLimits]
	// returns, each without those of the one before, and last the number of longer ones.
	Counts [sizeClasses]uint64
	Bytes  uint64 // length of all bodies together
}

// SizeLimits returns the lengths, in bytes, by which [MessageSizes] tells messages
// apart. RabbitMQ's histogram has the same.
func SizeLimits() [sizeClasses - 1]int { return message.SizeLimits() }

// sizes returns m as the internal packages know it.
func (m *MessageSizes) sizes() *message.Sizes { return (*message.Sizes)(m) }
