package warren

import (
	"sync"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/memory"
)

// RaiseAlarm holds publishers back, as a test says. The budget tells the readers of changes
// when it is memory, and this function when it is the disk.
func (l *brokerLink) RaiseAlarm(r link.Resource) (clear func()) {
	b := (*Broker)(l)
	if b.queues.Memory.Raise(r) && r == memory.Disk {
		b.announce(change{kind: diskAlarmStarted, reason: ErrDiskFull})
	}
	return sync.OnceFunc(func() {
		if b.queues.Memory.Clear(r) && r == memory.Disk {
			b.announce(change{kind: diskAlarmEnded})
		}
	})
}
