package warrentest

import "github.com/warrenmq/warren/internal/memory"

// MemoryAlarm sets the memory alarm, however much memory is free, until clear is called:
// publishers are held back as at [warren.Options].MemoryLimit. A client is told
// connection.blocked "low on memory" when it publishes, and waits; Publish and Call wait,
// or fail with [warren.ErrMemoryLimit], as [warren.Options].MemoryPolicy says. Clients
// that do not publish notice nothing, and consumers go on.
//
// Who must not wait at the limit does not wait now: replies by direct reply-to and those
// of handlers, dead letters, who has messages in a transaction, and a connection with an
// incomplete message on another channel.
//
// With several alarms, clear of each must be called. A second call of clear does nothing.
// [Broker.Restart] clears it, too.
func (b *Broker) MemoryAlarm() (clear func()) { return b.Link().RaiseAlarm(memory.Memory) }

// DiskAlarm is [Broker.MemoryAlarm] for the disk: clients are told "low on disk", and
// who does not wait gets [warren.ErrDiskFull]. As with RabbitMQ, it holds all publishers
// back, of transient messages, too, and no directory is needed. For a disk that has really
// no room, see [Broker.FailWrites].
func (b *Broker) DiskAlarm() (clear func()) { return b.Link().RaiseAlarm(memory.Disk) }
