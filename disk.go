package warren

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/warrenmq/warren/internal/confirm"
	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/queue"
)

// storage keeps the messages of an opened broker on disk.
type storage interface {
	confirm.Disk
	// OpenQueue returns what a new queue keeps on disk; nil: nothing. The number of a
	// durable queue is id. It is called with the queue's lock held.
	OpenQueue(q *queue.Queue, id uint32, durable bool) queue.Disk
	// Full reports whether publishers should wait, by WaitRoom, because too much is
	// unwritten.
	Full() bool
	// WaitRoom waits while the storage is full. It fails with ctx's error and with an
	// error of its own after Close.
	WaitRoom(ctx context.Context) error
	// WhenDeclared calls f when the declarations of all queues and exchanges that exist
	// now are stored: at once, as a rule. If one never is, as far as is known, it does not
	// call f.
	WhenDeclared(f func())
	// At returns what the broker's clock shows at a time.
	At(t time.Time) int64
	// Last is the number of the last record of all.
	Last() uint64
	// Unreadable is how many messages could not be read since Open.
	Unreadable() uint64
	// Free is how many bytes of the disk are left for this process.
	Free() (int64, error)
	// Close stores what there is, as long as ctx lasts. Whoever still waits then is
	// told confirm.ErrClosed.
	Close(ctx context.Context) error
}

// disk is the storage of an opened broker, and what the broker knows of it.
type disk struct {
	storage
	gate diskGate
}

func newDisk(s storage, alarmed diskAlarmed) *disk {
	return &disk{storage: s, gate: diskGate{alarmed: alarmed, disk: s}}
}

// newLine makes a line for a channel's confirms. The client is nil for a channel in
// process.
func (d *disk) newLine(client confirm.Client) *confirm.Line {
	return confirm.New(d.storage, client, explainNack)
}

// explainNack returns the error for a publish that is not known to be stored.
func explainNack(err error) error {
	if errors.Is(err, confirm.ErrClosed) || errors.Is(err, journal.ErrClosed) {
		return ErrClosed
	}
	return fmt.Errorf("%w: %w: %w", ErrNacked, ErrStorage, err)
}
