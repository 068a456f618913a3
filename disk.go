package warren

import (
	"context"
	"errors"
	"fmt"

	"github.com/warrenmq/warren/internal/confirm"
	"github.com/warrenmq/warren/internal/queue"
)

// storage keeps the messages of an opened broker on disk.
type storage interface {
	confirm.Disk
	// OpenQueue returns what a new queue keeps on disk; nil: nothing.
	OpenQueue(q *declaredQueue) queue.Disk
	// Last is the number of the last record of all.
	Last() uint64
	// Close stores what there is, as long as ctx lasts. Whoever still waits then is
	// told confirm.ErrClosed.
	Close(ctx context.Context) error
}

// disk is the storage of an opened broker, and what the broker knows of it.
type disk struct {
	storage
}

// newLine makes a line for a channel's confirms. The client is nil for a channel in
// process.
func (d *disk) newLine(client confirm.Client) *confirm.Line {
	return confirm.New(d.storage, client, explainNack)
}

// explainNack returns the error for a publish that is not known to be stored.
func explainNack(err error) error {
	if errors.Is(err, confirm.ErrClosed) {
		return ErrClosed
	}
	return fmt.Errorf("%w: %w: %w", ErrNacked, ErrStorage, err)
}

// closeDisk stores what there is and closes the storage. It has its own time for that,
// because ctx may have been used up by what was before.
func (b *Broker) closeDisk(ctx context.Context) error {
	if b.disk == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.options.CloseTimeout)
	defer cancel()
	return b.disk.Close(ctx)
}
