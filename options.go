package warren

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/like"
)

// Options configure a [Broker]. The zero value is right for most programs and for
// tests.
type Options struct {
	optionsPort

	// Logger gets the broker's changes of state and the failures of handlers and of
	// functions of ConsumeFunc that no requester is told in full, but no line for a
	// message that nobody failed on. It is called with no lock held, so it may use the
	// broker. Nil: nothing is logged.
	Logger *slog.Logger

	// Tracer is told of what the program does with messages. Nil: nobody is told, which
	// costs nothing.
	Tracer Tracer

	// Intercept are the interceptors of all calls, handlers, publishes and functions of
	// ConsumeFunc. None: there is nothing around these, which costs nothing.
	Intercept Interceptors

	// Like says which broker this one is like where brokers differ. Zero:
	// [LikeWarren].
	Like Like

	// MaxMessageSize is the largest body that may be published, in bytes. Zero: 128
	// MiB, LavinMQ's default, or 16 MiB with [LikeRabbitMQ]. Negative: no limit. A
	// larger body fails with 406.
	MaxMessageSize int

	// MaxChannels limits the open channels of a session. Zero: 2047, RabbitMQ's
	// channel_max. Negative: no limit. One more fails with 530.
	MaxChannels int

	// MaxConsumers limits the consumers of a channel. Zero: no limit. One more fails
	// with 530.
	MaxConsumers int

	// MaxQueues limits the queues of a virtual host. Zero: no limit. One more fails
	// with 406.
	MaxQueues int

	// MemoryLimit is how many bytes all messages may hold together, wherever they
	// are: ready, unsettled, delayed, in a transaction or on their way. A message
	// counts its body, key and properties, and about 100 bytes of bookkeeping. A
	// publisher goes on while there is room for its message; otherwise it waits in
	// turn, until an eighth of the limit is free again. Replies by direct reply-to
	// need not wait, so that those who free memory can finish. Zero: 1 GiB.
	// Negative: no limit.
	//
	// Queues, exchanges, bindings, consumers, channels and sessions may hold half of
	// it, but 8 MiB at least; [Stats].TopologyBytes tells how much they do. That is
	// 400,000 queues at 1 GiB: who has so many sets a higher limit. One more of them
	// fails with 406, a channel or a session with 506. What they hold beyond 8 MiB
	// is room that messages do not have.
	//
	// A broker from [Open] has messages of its queues on disk as well, and only those
	// in memory count: the first and the last ones of a queue. At the limit these go to
	// disk, too, all that nobody has got yet. Publishers wait meanwhile: for the disk, not
	// for consumers, unless what consumers hold or gave back, or what is delayed, exceeds
	// the limit alone. A consumer that holds messages gets no others from the disk while
	// memory is full.
	MemoryLimit int64

	// MemoryPolicy says what happens to publishers at the limit, and to those of
	// persistent messages to durable queues while the disk of a broker from [Open] takes
	// nothing: it is full or writes fail. Zero: [BlockPublishers].
	MemoryPolicy MemoryPolicy

	// Sync says when what is durable is on disk. Zero: [SyncConfirms]. New ignores it,
	// Salvage and DiskLimit, because only a broker from [Open] has a disk.
	Sync SyncMode

	// Salvage makes [Open] go on where it would fail with a [*DamagedError]: what cannot
	// be read is copied to a file beside, skipped and logged as an error, and the rest
	// is used. Messages, queues or other objects may be missing then.
	Salvage bool

	// DiskLimit is how many bytes must be free on the disk; while there are fewer,
	// publishers of persistent messages to durable queues are held back, as MemoryPolicy
	// says. Zero: 256 MiB. Negative: no limit.
	DiskLimit int64

	// Mailbox is how many messages are sent ahead to a consumer without a prefetch
	// limit. The others stay in the queue. Zero or less: 256.
	Mailbox int

	// ReplyBuffer is how many unread replies a direct reply-to consumer may have.
	// One more cancels it with [ErrSlowConsumer], as does one for which there is no
	// memory. Zero or less: 4096. A Call has no
	// such limit.
	ReplyBuffer int

	// CloseTimeout is how long Close waits for handlers that do not return although
	// their context has ended, and after that for the disk of a broker from [Open].
	// Zero: 10 seconds.
	CloseTimeout time.Duration
}

// The port adds the method Link to options, for package warrentest only. The alias keeps
// the embedded field unexported.
type optionsPort = files.Port

// MemoryPolicy says what happens to publishers while queues hold
// [Options].MemoryLimit bytes, or the disk takes nothing.
type MemoryPolicy int

const (
	// BlockPublishers makes publishers wait until memory is free or their context
	// ends, as RabbitMQ does with connections.
	BlockPublishers MemoryPolicy = iota
	// FailPublishers makes publishers fail at once with [ErrMemoryLimit] or
	// [ErrStorage]. They wait for half a second if the disk is only slow.
	FailPublishers
)

// SyncMode says what a broker from [Open] waits for before it confirms something: a
// declaration, a message in confirm mode or a transaction.
type SyncMode int

const (
	// SyncConfirms waits until what is confirmed is on the disk, so that it survives a
	// power cut. One sync serves all who wait. What nobody waits for, such as plain
	// publishes and acks, is written within 10 milliseconds and on the disk within a
	// second.
	SyncConfirms SyncMode = iota
	// SyncNever waits until it is written, so that it survives the end of the process,
	// but not always a power cut.
	SyncNever
	// SyncAll syncs what nobody waits for, too, as soon as it can.
	SyncAll
)

// checkStored returns what is wrong with the options for Open.
func (o *Options) checkStored() error {
	if o.Sync < SyncConfirms || o.Sync > SyncAll {
		return fmt.Errorf("Options.Sync is %d: it must be SyncConfirms, SyncNever or SyncAll", o.Sync)
	}
	return nil
}

// withDefaults returns o with zero values replaced by their defaults.
func (o Options) withDefaults(r *like.Rules) Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	setDefault(&o.MaxMessageSize, r.MaxMessageSize)
	setDefault(&o.MaxChannels, 2047)
	setDefault(&o.MemoryLimit, 1<<30)
	setDefault(&o.DiskLimit, 256<<20)
	o.Intercept = o.Intercept.copied()
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
