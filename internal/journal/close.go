package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Close writes and syncs what there is and marks the journal as closed. From now on
// Append takes nothing. While the disk fails Close tries again and again until ctx
// ends; its error then wraps ctx's and that of the disk, what was not stored is lost,
// and its waiters are told [ErrClosed].
func (j *Journal) Close(ctx context.Context) error {
	j.mu.Lock()
	if !j.closing {
		j.closing = true
		j.tail = nil
		j.call()
	}
	j.mu.Unlock()
	select {
	case <-j.done:
	case <-ctx.Done():
		return j.giveUp(ctx.Err())
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.gone {
		return ErrClosed
	}
	return nil
}

// giveUp lets the writer end as soon as the disk lets go of it.
func (j *Journal) giveUp(why error) error {
	j.mu.Lock()
	if j.finished {
		j.mu.Unlock()
		return nil
	}
	if !j.gone {
		j.gone = true
		close(j.abandon)
	}
	if j.room != nil {
		close(j.room)
		j.room = nil
	}
	if j.asleep {
		j.call()
	}
	told := j.waiters.take(j.next, nil)
	err := j.err
	j.mu.Unlock()
	for _, t := range told {
		t.waiter.Stored(ErrClosed)
	}
	return fmt.Errorf("journal: not all was stored before Close had to end: %w", errors.Join(why, err))
}

// finish is the last that the writer does for Close, when all is written.
func (j *Journal) finish() error {
	if err := j.sync(j.taken, true); err != nil {
		return err
	}
	if err := j.closeManifest(); err != nil {
		return err
	}
	j.mu.Lock()
	j.finished = true
	j.mu.Unlock()
	return nil
}

// closeManifest says where all files end.
func (j *Journal) closeManifest() error {
	j.manifest.Lock()
	defer j.manifest.Unlock()
	if j.clean {
		return nil
	}
	j.mu.Lock()
	all := slices.Clone(j.files)
	j.mu.Unlock()
	return j.writeManifest(all, true)
}

// end is the end of the last goroutine.
func (j *Journal) end() {
	j.mu.Lock()
	j.running, j.finished = false, true
	told := j.waiters.take(j.next, nil)
	if j.room != nil {
		close(j.room)
		j.room = nil
	}
	j.pending, j.tail = nil, nil
	all := slices.Clone(j.files) // Remove may be at work
	j.mu.Unlock()
	for _, t := range told {
		t.waiter.Stored(ErrClosed)
	}
	j.closeFiles(all)
	close(j.done)
}

func (j *Journal) closeFiles(all []*file) {
	for _, f := range all {
		_ = f.f.Close() // all that counts was synced
	}
}
