package warren

import "github.com/warrenmq/warren/internal/memory"

// Capacity shows how much room a broker has, and whether it lets publishers in.
type Capacity struct {
	MemoryLimit int64 // bytes that [Stats].Memory may reach; zero: no limit
	// MemoryAlarm says that memory is short: publishers wait, or the last one that came
	// was refused, see [Options].MemoryPolicy.
	MemoryAlarm bool

	Disk        bool  // the broker is from [Open]; the fields below are zero for others
	DiskFree    int64 // bytes that are free on the disk; negative: the system does not tell
	DiskLimit   int64 // bytes that must stay free, see [Options].DiskLimit; zero: no limit
	DiskAlarm   bool  // publishers to the disk are held back; [Stats].DiskError tells why
	MessageSize int   // bytes of the largest body that may be published
}

// Capacity returns how much room the broker has. It asks the system about the disk.
func (b *Broker) Capacity() Capacity {
	m := &b.queues.Memory
	c := Capacity{MemoryAlarm: m.Alarm(), DiskAlarm: m.Raised(memory.Disk), MessageSize: b.options.MaxMessageSize}
	if m.Limited() {
		c.MemoryLimit = m.Limit()
	}
	if b.disk == nil {
		return c
	}
	c.Disk, c.DiskLimit = true, max(0, b.options.DiskLimit)
	_, reason := b.disk.gate.state()
	c.DiskAlarm = c.DiskAlarm || reason != nil
	free, err := b.disk.Free()
	if err != nil {
		free = -1
	}
	c.DiskFree = free
	return c
}

// Free implements storage.
func (m *messages) Free() (int64, error) { return m.store.Free() }
