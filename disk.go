package warren

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/warrenmq/warren/internal/confirm"
	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/route"
)

// storage keeps the messages of an opened broker on disk.
type storage interface {
	confirm.Disk
	// OpenQueue returns what a new queue keeps on disk; nil: nothing. It is called with
	// the queue's lock held.
	OpenQueue(q *declaredQueue) queue.Disk
	// Full reports whether publishers should wait, by WaitRoom, because too much is
	// unwritten.
	Full() bool
	// WaitRoom waits while the storage is full. It fails with ctx's error and with an
	// error of its own after Close.
	WaitRoom(ctx context.Context) error
	// Last is the number of the last record of all.
	Last() uint64
	// Close stores what there is, as long as ctx lasts. Whoever still waits then is
	// told confirm.ErrClosed.
	Close(ctx context.Context) error
}

// disk is the storage of an opened broker, and what the broker knows of it.
type disk struct {
	storage
	gate diskGate
}

func newDisk(b *Broker, s storage) *disk {
	return &disk{storage: s, gate: diskGate{broker: b, disk: s}}
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

// closeDisk stores what there is, closes the storage and gives up the directory. It has
// its own time for that, because ctx may have been used up by what was before. If the
// disk does not let go of what is being written, the directory stays locked as long as
// the process runs: nobody else may write to it then.
func (b *Broker) closeDisk(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.options.CloseTimeout)
	defer cancel()
	closed := make(chan error, 1)
	go func() { // beside the messages, which may use up the time
		if b.topology == nil {
			closed <- nil
			return
		}
		closed <- b.topology.close(ctx)
	}()
	if b.disk != nil {
		err = b.disk.Close(ctx)
	}
	err = joined(err, <-closed)
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

// admitToDisk waits until the disk may take a message that goes there. The time to live
// of p begins when the wait ends. ch is nil for a Call, which has its caller's deadline. Waits is as in link.Publish, or
// nil.
func (v *VirtualHost) admitToDisk(ctx context.Context, p *publishing, ch *Channel, waits func(why string)) error {
	b := v.broker
	g := &b.disk.gate
	w := wish{refuses: b.options.MemoryPolicy == FailPublishers}
	if ch != nil {
		w.gone = &ch.closed
		if ch.mode.Load() == modeConfirm {
			w.line = ch.line
		}
	}
	if g.isFree() && (w.line == nil || !w.line.Full()) || !v.goesToDisk(p) {
		return nil
	}
	if waits != nil {
		w.waits = func(why error) { waits(blockedReason(why)) }
	}
	start := b.queues.Clock.Now()
	err := g.pass(ctx, &w)
	if waits != nil && w.waits == nil {
		waits("")
	}
	if err != nil {
		if ch != nil && ch.closed.Load() {
			return ch.reason
		}
		return err
	}
	if p.Deadline != 0 && ch != nil {
		p.Deadline += b.queues.Clock.Now() - start
	}
	return nil
}

// blockedReason is what clients are told of a reason to wait.
func blockedReason(why error) string {
	switch {
	case errors.Is(why, ErrDiskFull):
		return "low on disk"
	case why == errDiskSlow:
		return "the disk is slow"
	}
	return "storage has failed"
}

// goesToDisk reports whether a message goes to a queue that keeps it on disk, as far as
// can be told before it is routed.
func (v *VirtualHost) goesToDisk(p *publishing) bool {
	persistent := p.Persistent()
	w := v.getWalk()
	defer v.putWalk(w)
	w.Shut = true
	v.walk(w, p)
	return persistent && w.Gated || slices.ContainsFunc(w.Queues(), func(q *route.Queue) bool {
		return q.IsOnDisk() && (persistent || q.IsStream())
	})
}
