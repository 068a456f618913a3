package journal

import (
	"slices"
	"time"
)

// take takes all that there is to write, and says whether it must be synced. mu is
// not held.
func (j *Journal) take(now time.Time) (sync bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.pending); n > 0 {
		if j.cur != nil && j.cur.synced > j.cur.marked {
			j.pending[n-1].mark = true
			j.next += markSize
		}
		j.work = append(j.work, j.pending...)
		clear(j.pending)
		j.pending, j.tail = j.pending[:0], nil
	}
	j.taken = j.next
	j.writeAt = time.Time{}
	waited := j.urgent() && (j.opt.Sync != SyncNever || j.closing)
	return waited || j.err != nil || j.opt.Sync != SyncNever && !j.syncAt.IsZero() && !now.Before(j.syncAt)
}

// turn writes what there is, and syncs it if somebody waits, if it is time or if much
// is unsynced.
func (j *Journal) turn() error {
	sync := j.take(time.Now())
	done := 0
	defer func() { j.work = slices.Delete(j.work, 0, done) }()
	for _, c := range j.work {
		if len(c.runs) == 0 {
			c.tidy()
		}
		if err := j.write(c); err != nil {
			return err
		}
		done++
		j.keep(c)
	}
	if j.trouble() && j.cur == nil {
		if err := j.create(); err != nil {
			return err
		}
	}
	if sync || j.keepsMuch() || j.cur != nil && !j.cur.named {
		return j.sync(j.taken, false)
	}
	if len(j.unsynced) == 0 || j.opt.Sync == SyncNever {
		j.settle(j.taken)
	}
	return nil
}

// trouble says whether the last write or sync failed.
func (j *Journal) trouble() bool { return j.Err() != nil }

// keepsMuch says whether so much is unsynced that it is time to let go of it.
func (j *Journal) keepsMuch() bool {
	var n int64
	for _, c := range j.unsynced {
		n += int64(cap(c.buf))
	}
	return n >= j.opt.Buffer/4
}

// write writes a chunk to the file that there is, or to a new one.
func (j *Journal) write(c *chunk) error {
	if len(c.buf) == 0 {
		return nil
	}
	// What was taken over from the last file must be in one file when that is named.
	if f := j.cur; f != nil && f.end > fileHeader && (c.fresh || f.named && f.end >= j.opt.FileSize) {
		// Nobody is told: what replaces an older record may be behind this chunk, and whoever
		// waits for what is between the two waits for it, too.
		if err := j.sync(0, true); err != nil {
			return err
		}
		j.cur = nil
	}
	if j.cur == nil {
		if err := j.create(); err != nil {
			return err
		}
	}
	f := j.cur
	s := newSalt(j.id, f.number)
	c.seal(s, f.end)
	buf, mark := c.buf, int64(0)
	if c.mark && f.synced > f.marked {
		mark = f.synced
		buf = appendMark(buf, s, f.end, mark)
	}
	if _, err := f.f.Write(buf); err != nil {
		return &FailedError{"write", f.name, err}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(f.runs) == 0 {
		f.first = c.runs[0].seq
	}
	for _, r := range c.runs {
		f.runs = join(f.runs, run{r.seq, f.end + r.at})
	}
	f.end += int64(len(buf))
	f.marked = max(f.marked, mark)
	j.stats.Written += uint64(len(buf))
	return nil
}

// appendMark appends a mark to what will be written at an offset.
func appendMark(buf []byte, s salt, off, synced int64) []byte {
	at := len(buf)
	buf = append(buf, make([]byte, markSize)...)
	put(buf[at:], kindMark, order.AppendUint64(make([]byte, 0, 8), uint64(synced)), nil)
	s.seal(buf[at:], off+int64(at))
	return buf
}

// writeMark says in the file that all in it is synced. What has come in the meantime
// takes the mark along when it is written: see take.
func (j *Journal) writeMark() error {
	end, ok := j.reserveMark()
	if !ok {
		return nil
	}
	f := j.cur
	buf := appendMark(make([]byte, 0, markSize), newSalt(j.id, f.number), f.end, f.synced)
	if _, err := f.f.Write(buf); err != nil {
		return &FailedError{"write", f.name, err}
	}
	j.mu.Lock()
	f.marked = f.synced
	f.end += markSize
	j.mu.Unlock()
	j.settle(end) // all records that there are below are stored; somebody may wait for Last
	return nil
}

// reserveMark keeps numbers free for a mark, so that numbers go on as offsets do: no
// record's number, not even that of a dropped one, is where the mark will be. These end
// below end.
func (j *Journal) reserveMark() (end Seq, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.pending) > 0 {
		return 0, false
	}
	j.next += markSize
	return j.next, true
}

// keep holds on to a written chunk until it is synced.
func (j *Journal) keep(c *chunk) {
	n := len(j.unsynced)
	switch {
	case len(c.buf) == 0:
	case n > 0 && j.unsynced[n-1].merge(c):
	default:
		j.unsynced = append(j.unsynced, c)
		return
	}
	j.mu.Lock()
	j.release(c)
	j.mu.Unlock()
}

// release gives a chunk's memory back. mu is held.
func (j *Journal) release(c *chunk) {
	j.hold(-int64(cap(c.buf)))
	j.free.put(c)
}

// sync syncs the file if there are records in it that are not, or if all of it must
// be, sees to it that the manifest names it, and tells those who wait for records below
// end.
func (j *Journal) sync(end Seq, all bool) error {
	f := j.cur
	due := f != nil && (f.synced < f.end && (all || len(j.unsynced) > 0) || !f.named)
	if due {
		if err := f.f.Sync(); err != nil {
			return &FailedError{"sync", f.name, err}
		}
		if !f.named {
			if err := j.name(f); err != nil {
				return err
			}
		}
	}
	j.mu.Lock()
	if due {
		f.synced = f.end
		j.stats.Syncs++
	}
	sealed := j.sealed
	j.sealed = nil
	for i, c := range j.unsynced {
		j.release(c)
		j.unsynced[i] = nil
	}
	j.mu.Unlock()
	j.unsynced = j.unsynced[:0]
	j.syncAt = time.Time{}
	j.settle(end)
	if j.opt.Sealed != nil {
		for _, number := range sealed {
			j.opt.Sealed(number)
		}
	}
	return nil
}

// settle tells those who wait for records below end that these are stored, and that
// there is no trouble any more.
func (j *Journal) settle(end Seq) {
	j.mu.Lock()
	j.stored = max(j.stored, end)
	told := j.waiters.take(j.stored, j.told)
	healed := j.err != nil
	j.err = nil
	j.mu.Unlock()
	j.pause = 0
	j.tell(told, nil)
	if healed && j.opt.State != nil {
		j.opt.State(nil)
	}
}

// fail ends the file after a write or a sync that failed: it counts up to its last
// good sync. What came behind is to be written again.
func (j *Journal) fail(err error) {
	j.work = append(j.unsynced, j.work...)
	j.unsynced, j.syncAt = nil, time.Time{}
	f := j.cur
	j.cur = nil
	empty := f != nil && f.synced == fileHeader
	j.mu.Lock()
	j.err = err
	if f != nil {
		f.cut(f.synced)
	}
	if empty {
		j.files = slices.DeleteFunc(j.files, func(o *file) bool { return o == f })
	}
	told := j.waiters.take(j.next, j.told)
	j.mu.Unlock()
	if empty {
		j.drop(f)
	}
	j.tell(told, err)
	if j.opt.State != nil {
		j.opt.State(err)
	}
}
