package journal

import "time"

const (
	firstPause = 10 * time.Millisecond
	longPause  = time.Second
)

// run is the goroutine that writes. It ends when all is written and synced.
func (j *Journal) run() {
	for {
		var err error
		switch j.await() {
		case taskTurn:
			err = j.turn()
		case taskMark:
			err = j.writeMark()
		case taskFinish:
			err = j.finish()
		case taskEnd:
			return
		case taskGone:
			j.end()
			return
		}
		if err != nil {
			j.fail(err)
			j.rest()
		}
	}
}

type task uint8

const (
	taskNone   task = iota
	taskTurn        // write, and perhaps sync
	taskMark        // tell in the file that all is synced, before the goroutine ends
	taskFinish      // Close
	taskEnd         // nothing to do
	taskGone        // Close has given up or is done
)

// await waits until there is something to do.
func (j *Journal) await() task {
	for {
		j.mu.Lock()
		now := time.Now()
		t, until := j.look(now)
		if t == taskEnd {
			j.running = false
			j.free.idle()
		}
		j.asleep = t == taskNone
		j.mu.Unlock()
		if t != taskNone {
			return t
		}
		if j.timer == nil {
			j.timer = time.NewTimer(until.Sub(now))
		} else {
			j.timer.Reset(until.Sub(now))
		}
		select {
		case <-j.timer.C:
		case <-j.wake:
			j.timer.Stop()
		}
	}
}

// look says what is to be done now, or when there will be something. mu is held.
func (j *Journal) look(now time.Time) (t task, until time.Time) {
	unwritten := len(j.pending)+len(j.work) > 0
	unsynced := len(j.unsynced) > 0
	if len(j.pending) > 0 && j.writeAt.IsZero() {
		j.writeAt = now.Add(writeWithin)
	}
	if unsynced && j.syncAt.IsZero() {
		j.syncAt = now.Add(syncWithin)
	}
	switch {
	case j.gone || j.finished:
		return taskGone, until
	case j.err != nil, (unwritten || unsynced) && j.urgent(), len(j.work) > 0, len(j.pending) >= writeChunks,
		len(j.pending) > 0 && !now.Before(j.writeAt):
		return taskTurn, until
	case j.closing:
		return taskFinish, until
	}
	if unsynced && j.opt.Sync != SyncNever {
		if !now.Before(j.syncAt) {
			return taskTurn, until
		}
		until = j.syncAt
	}
	if len(j.pending) > 0 && (until.IsZero() || j.writeAt.Before(until)) {
		until = j.writeAt
	}
	switch {
	case !until.IsZero():
		return taskNone, until
	case j.cur != nil && j.cur.synced > j.cur.marked:
		return taskMark, until
	}
	return taskEnd, until
}

// urgent says whether what there is must be stored at once. mu is held.
func (j *Journal) urgent() bool {
	return j.waiters.len() > 0 || j.closing || j.opt.Sync == SyncAll
}

// rest waits a while after a failure, longer each time.
func (j *Journal) rest() {
	j.pause = min(max(2*j.pause, firstPause), longPause)
	timer := time.NewTimer(j.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-j.abandon:
	}
}
