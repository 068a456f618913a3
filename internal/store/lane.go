package store

import (
	"slices"
	"sort"
)

// lane is a level of a queue: its messages in the log and in page files. The queue's
// lock guards it.
type lane struct {
	level    uint8
	overlaps bool   // runs may overlap
	next     uint64 // position that no message was given yet
	seen     uint64 // messages with lower positions count as redelivered
	log      pieces
	runs     []*run // by their first positions
	out      *out   // what was there when the store was opened; nil: nothing
}

// out is what Queue.Out tells.
type out struct {
	first, last uint64
	count       Count
}

// lane returns the lane of a position, or nil.
func (k *Queue) lane(pos uint64) *lane {
	level := uint8(pos >> levelShift)
	for _, l := range k.lanes {
		if l.level == level {
			return l
		}
	}
	return nil
}

// laneAt returns the lane of a position, which it makes if need be.
func (k *Queue) laneAt(pos uint64) *lane {
	if l := k.lane(pos); l != nil {
		return l
	}
	level := uint8(pos >> levelShift)
	l := &lane{level: level, next: uint64(level) << levelShift}
	i := sort.Search(len(k.lanes), func(i int) bool { return k.lanes[i].level > level })
	k.lanes = slices.Insert(k.lanes, i, l)
	return l
}

// find returns the run in which a message lives, or nil.
func (l *lane) find(pos uint64) *run {
	i := sort.Search(len(l.runs), func(i int) bool { return l.runs[i].first() > pos })
	if !l.overlaps {
		if i > 0 && l.runs[i-1].has(pos) {
			return l.runs[i-1]
		}
		return nil
	}
	for i--; i >= 0; i-- {
		if l.runs[i].has(pos) {
			return l.runs[i]
		}
	}
	return nil
}

// insert adds a run.
func (l *lane) insert(r *run) {
	i := sort.Search(len(l.runs), func(i int) bool { return l.runs[i].first() > r.first() })
	if i > 0 && l.runs[i-1].last() >= r.first() || i < len(l.runs) && l.runs[i].first() <= r.last() {
		l.overlaps = true
	}
	l.runs = slices.Insert(l.runs, i, r)
}

// removed takes a run off that has no messages.
func (l *lane) removed(r *run) {
	if r.filling {
		return
	}
	if i := slices.Index(l.runs, r); i >= 0 {
		l.runs = slices.Delete(l.runs, i, i+1)
	}
	if len(l.runs) < 2 {
		l.overlaps = false
	}
}

// filled notes that nothing more is moved to a run.
func (l *lane) filled(r *run) {
	r.filling = false
	if r.left == 0 {
		l.removed(r)
	}
	l.overlaps = false
	for i := 1; i < len(l.runs) && !l.overlaps; i++ {
		l.overlaps = l.runs[i-1].last() >= l.runs[i].first()
	}
}

// removeRange settles the messages from first to last. It returns how many of them are
// persistent.
func (l *lane) removeRange(first, last uint64) (persistent int) {
	_, persistent = l.log.takeRange(first, last)
	from := 0
	if !l.overlaps {
		from = sort.Search(len(l.runs), func(i int) bool { return l.runs[i].last() >= first })
	}
	for i := from; i < len(l.runs) && l.runs[i].first() <= last; {
		r := l.runs[i]
		n := r.remove(first, last)
		r.page.settled(n)
		if !r.transient {
			persistent += n
		}
		if r.left == 0 && !r.filling {
			l.removed(r)
		} else {
			i++
		}
	}
	return persistent
}

// paged returns how many messages from first to last are in page files.
func (l *lane) paged(first, last uint64) (n int) {
	runs := l.runs
	if !l.overlaps {
		runs = runs[sort.Search(len(runs), func(i int) bool { return runs[i].last() >= first }):]
	}
	for _, r := range runs {
		if r.first() > last {
			break
		}
		if r.last() >= first {
			n += r.among(first, last)
		}
	}
	return n
}
