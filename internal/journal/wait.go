package journal

import (
	"context"
	"slices"
)

// Waiter is told once what became of a record.
type Waiter interface {
	// Stored is called by the goroutine that writes, with no lock held. With nil the
	// record is synced, or written with [SyncNever]. With an error it may be stored
	// later or not.
	Stored(err error)
}

type waiting struct {
	seq    Seq
	waiter Waiter
}

// waiters are in order of their records.
type waiters struct {
	list []waiting // from first on
	head int
}

func (w *waiters) len() int { return len(w.list) - w.head }

func (w *waiters) add(n waiting) {
	if len(w.list) == cap(w.list) && w.head > len(w.list)/2 {
		rest := copy(w.list, w.list[w.head:])
		clear(w.list[rest:])
		w.list, w.head = w.list[:rest], 0
	}
	at := len(w.list)
	for at > w.head && w.list[at-1].seq > n.seq {
		at--
	}
	w.list = slices.Insert(w.list, at, n)
}

// take moves those whose record is below end to told.
func (w *waiters) take(end Seq, told []waiting) []waiting {
	for w.head < len(w.list) && w.list[w.head].seq < end {
		told = append(told, w.list[w.head])
		w.list[w.head] = waiting{}
		w.head++
	}
	if w.head == len(w.list) {
		w.list, w.head = w.list[:0], 0
	}
	return told
}

// tell tells them all, with no lock held, and keeps the memory for the next time.
func (j *Journal) tell(told []waiting, err error) {
	for _, t := range told {
		t.waiter.Stored(err)
	}
	clear(told)
	j.told = told[:0]
}

// Notify lets w be told when a record is stored. It returns true, and w is not told, if
// it is stored already; and an error, and w is not told, if it never will be:
// [ErrNotTaken] for record 0, [ErrClosed].
func (j *Journal) Notify(seq Seq, w Waiter) (stored bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case seq == 0 && !j.closing, seq >= j.next:
		return false, ErrNotTaken
	case seq == 0:
		return false, ErrClosed
	case seq < j.stored:
		return true, nil
	case j.gone || j.finished:
		return false, ErrClosed
	}
	j.waiters.add(waiting{seq, w})
	if j.asleep || !j.running {
		j.call()
	}
	return false, nil
}

// await is a Waiter for one goroutine.
type await struct{ result chan error }

func (a *await) Stored(err error) { a.result <- err }

// Wait returns nil when a record is stored: synced, or written with [SyncNever]. With
// ctx's error, or that of a write or sync, it may be stored later or not. Its other
// errors are those of Notify.
func (j *Journal) Wait(ctx context.Context, seq Seq) error {
	a, ok := j.waits.Get().(*await)
	if !ok {
		a = &await{make(chan error, 1)}
	}
	stored, err := j.Notify(seq, a)
	if !stored && err == nil {
		select {
		case err = <-a.result:
		case <-ctx.Done():
			return ctx.Err() // a is told later, and not used again
		}
	}
	j.waits.Put(a)
	return err
}

// Stored is the number below which all records are stored.
func (j *Journal) Stored() Seq {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.stored
}

// Last is a number that no record from now on has, and that is not below that of any
// record so far: who waits for it waits for all of these. It is zero before the first.
func (j *Journal) Last() Seq {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next - 1
}

// Full says whether so much is in memory that who can wait should, by Room. Append goes
// on nevertheless.
func (j *Journal) Full() bool { return j.full.Load() }

// Room returns nil when the journal is not full. Its errors are ctx's and [ErrClosed].
func (j *Journal) Room(ctx context.Context) error {
	for j.Full() {
		j.mu.Lock()
		if j.finished || j.gone {
			j.mu.Unlock()
			return ErrClosed
		}
		if !j.Full() {
			j.mu.Unlock()
			return nil
		}
		if j.room == nil {
			j.room = make(chan struct{})
		}
		room := j.room
		j.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
