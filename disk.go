package warren

import (
	"cmp"
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

// closeDisk stores what there is, closes the storage and gives up the directory. It has
// its own time for that, because ctx may have been used up by what was before. If the
// disk does not let go of what is being written, the directory stays locked as long as
// the process runs: nobody else may write to it then.
func (b *Broker) closeDisk(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.options.CloseTimeout)
	defer cancel()
	if b.disk != nil {
		err = b.disk.Close(ctx)
	}
	if b.topology != nil {
		err = joined(err, b.topology.log.Close(ctx))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
	if b.lock != nil {
		return b.lock.Close()
	}
	return nil
}

// joined is errors.Join that leaves one error as it is.
func joined(a, b error) error {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return errors.Join(a, b)
}
