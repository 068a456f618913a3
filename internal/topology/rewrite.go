package topology

import (
	"context"

	"github.com/warrenmq/warren/internal/journal"
)

// smallLog is how large the log may become, in bytes, before it is written anew for its
// size.
const smallLog = 1 << 20

// Due reports whether more than half of the log is of no use any more, as it seems, so
// that Rewrite is to be called. Only one caller is told so; it must call Rewrite.
func (l *Log) Due() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running || l.bytes < smallLog || l.bytes < 2*l.needed {
		return false
	}
	l.running = true
	return true
}

// Rewrite writes the log anew, without what is of no use any more. all puts each object
// as it is, under the lock that guards it; meanwhile others may change objects and put
// that, in any order. When all has returned true, and what it put is on disk, the files
// from before are removed.
//
// After an error, or if all returns false, the log is as good as before.
func (l *Log) Rewrite(ctx context.Context, all func(put func(Record)) bool) error {
	l.mu.Lock()
	before := l.bytes
	l.mu.Unlock()
	var first journal.Seq
	living := int64(0)
	l.journal.Roll()
	whole := all(func(r Record) {
		seq, size := l.put(r)
		if first == 0 {
			first = seq
		}
		living += size
	})
	err := l.removeBefore(ctx, first, whole)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = false
	l.needed = l.bytes // do not try again at once
	if whole && err == nil {
		l.bytes -= before
		l.needed = living
	}
	return err
}

// removeBefore waits until all is on disk, and removes the files before the one with
// the record first. The oldest go first, so that what is left after a crash is the end
// of the log.
func (l *Log) removeBefore(ctx context.Context, first journal.Seq, whole bool) error {
	if !whole || first == 0 {
		return nil
	}
	if err := l.Wait(ctx); err != nil {
		return err
	}
	number := l.journal.File(first)
	for _, f := range l.journal.Files() {
		if f.Number >= number {
			break
		}
		if err := l.journal.Remove(f.Number); err != nil {
			return err
		}
	}
	return nil
}
