package warren

import (
	"log/slog"
	"time"
)

// Options configure a [Broker]. The zero value is the right one for most
// programs and for tests.
type Options struct {
	// Logger gets the broker's changes of state and its handlers' panics; it
	// never gets a line per message. It is called without a
	// lock held, so it may use the broker. Nil: nothing is logged.
	Logger *slog.Logger

	// MaxMessageSize is the largest body, in bytes, that may be published.
	// Zero: 128 MiB, LavinMQ's default. Negative: no bound. A larger one gets
	// 406.
	MaxMessageSize int

	// MaxChannels bounds the open channels of one session. Zero: 2047,
	// RabbitMQ's channel_max. Negative: no bound. One more gets 530.
	MaxChannels int

	// MaxConsumers bounds the consumers of one channel. Zero: no bound. One
	// more gets 530.
	MaxConsumers int

	// MaxQueues bounds the queues of one virtual host. Zero: no bound. One
	// more gets 406.
	MaxQueues int

	// MemoryLimit is how many bytes the messages in all queues may hold
	// together, with about 100 bytes of bookkeeping counted for each. It is a
	// soft limit: publishers that are under way may exceed it by a message
	// each, and those who wait go on when an eighth is free again. Replies by
	// direct reply-to are not counted, so that those who free memory can
	// finish. Zero: 1 GiB. Negative: no limit.
	MemoryLimit int64

	// MemoryPolicy says what a publisher meets at the limit. Zero:
	// [BlockPublishers].
	MemoryPolicy MemoryPolicy

	// Mailbox is how many messages wait with a consumer that set no prefetch,
	// before the rest stays in the queue. Zero or less: 256.
	Mailbox int

	// ReplyBuffer is how many unread replies a direct reply-to consumer may
	// have before it is cancelled with [ErrSlowConsumer]. Zero or less: 4096. A
	// Call has a slot of its own and no such limit.
	ReplyBuffer int

	// CloseTimeout is how long Close waits for handlers that do not return
	// although their context has ended. Zero: 10 seconds.
	CloseTimeout time.Duration
}

// MemoryPolicy says what happens to publishers while queues hold
// [Options].MemoryLimit bytes.
type MemoryPolicy int

const (
	// BlockPublishers makes them wait until consumers catch up or their
	// context ends, as RabbitMQ does with connections.
	BlockPublishers MemoryPolicy = iota
	// FailPublishers makes them fail at once with [ErrMemoryLimit].
	FailPublishers
)

// withDefaults is o with every zero replaced by what it stands for.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	setDefault(&o.MaxMessageSize, 128<<20)
	setDefault(&o.MaxChannels, 2047)
	setDefault(&o.MemoryLimit, 1<<30)
	o.Mailbox, o.ReplyBuffer = max(0, o.Mailbox), max(0, o.ReplyBuffer)
	setDefault(&o.Mailbox, 256)
	setDefault(&o.ReplyBuffer, 4096)
	setDefault(&o.CloseTimeout, 10*time.Second)
	return o
}

func setDefault[T int | int64 | time.Duration](v *T, value T) {
	if *v == 0 {
		*v = value
	}
}
