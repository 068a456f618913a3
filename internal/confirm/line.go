// Package confirm keeps the publishes whose confirms wait for the disk: those of a
// channel, in their order, answered in bulk.
package confirm

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// Disk is the store as a line uses it. Each record has a number; later records have
// higher ones. A record is stored once it is synced, or what the options ask for.
type Disk interface {
	// Notify lets w be told, once, when the record is stored, or when a write or a sync
	// has failed that might have stored it. It returns true, and w is not told, if the
	// record is stored already; and an error, and w is not told, if it never will be.
	Notify(seq uint64, w Waiter) (stored bool, err error)
	// Stored is the number below which all records are stored.
	Stored() uint64
}

// ErrClosed is told to a Waiter if the disk was closed before the record was stored.
var ErrClosed = errors.New("confirm: the disk is closed")

// Waiter is told what became of a record.
type Waiter interface {
	// Stored is called with no lock held. The record is stored if err is nil.
	Stored(err error)
}

// Answerer gets the answer to a publish: nil, or why it is not known to be stored. It
// is called with the line's lock held, so it must not block or use the line.
type Answerer interface{ Answer(err error) }

// Client gets the answers to publishes that have no Answerer, by their numbers:
// those with successive numbers at once. It is
// called as an Answerer is.
type Client interface {
	Answered(first, last uint64, err error)
}

// Most is how many publishes may wait in a line before Full says that it has enough.
const Most = 1 << 16

// Line has the publishes of a channel that wait, oldest first. However many they are,
// one of them waits at the disk: the first. When it is told, all that were stored
// meanwhile are answered.
type Line struct {
	disk    Disk
	client  Client
	explain func(err error) error
	full    atomic.Bool // there are Most, or were and half of them are left

	mu sync.Mutex
	// Guarded by mu, under which the disk and Answerers may be called.
	list  []waiting     // from head on
	head  int           // in list
	asked bool          // the first one waits at the disk, or a goroutine is about to see to it
	ended error         // why nothing more is answered; nil: the line goes on
	room  chan struct{} // closed when the line is not full any more; nil: nobody waits
}

type waiting struct {
	seq, number uint64
	to          Answerer // nil: the client, by number
}

// New makes a line. The client may be nil if each publish has an Answerer. Explain
// makes an error of the disk into one for a publisher.
func New(disk Disk, client Client, explain func(err error) error) *Line {
	return &Line{disk: disk, client: client, explain: explain}
}

// Add adds a publish that waits for a record. It may be answered at once.
func (l *Line) Add(seq, number uint64, to Answerer) {
	l.mu.Lock()
	if l.ended != nil {
		l.mu.Unlock()
		if to != nil {
			to.Answer(l.ended)
		}
		return
	}
	l.push(waiting{seq, number, to})
	if l.asked {
		l.mu.Unlock()
		return
	}
	l.asked = true
	l.ask()
}

func (l *Line) push(w waiting) {
	if len(l.list) == cap(l.list) && l.head > len(l.list)/2 {
		rest := copy(l.list, l.list[l.head:])
		clear(l.list[rest:])
		l.list, l.head = l.list[:rest], 0
	}
	l.list = append(l.list, w)
	if l.len() == Most {
		l.full.Store(true)
	}
}

func (l *Line) len() int { return len(l.list) - l.head }

// ask lets the first publish wait at the disk, after it has answered those that need
// not wait. Whoever has set asked calls it with mu held; it releases mu.
func (l *Line) ask() {
	for l.len() > 0 {
		seq := l.list[l.head].seq
		l.mu.Unlock() // the disk may have a lock of its own over its calls of Stored
		stored, err := l.disk.Notify(seq, l)
		if !stored && err == nil {
			return
		}
		l.mu.Lock()
		if l.len() == 0 {
			break // the line has ended meanwhile
		}
		if stored {
			l.answerStored()
		} else {
			l.answer(1, l.explain(err))
		}
	}
	l.asked = false
	l.mu.Unlock()
}

// Stored implements Waiter. A failure counts for all that wait: some of them may be
// stored later, but nobody knows.
func (l *Line) Stored(err error) {
	l.mu.Lock()
	l.answerStored()
	if err != nil {
		l.answer(l.len(), l.explain(err))
	}
	l.ask()
}

// answerStored answers the publishes that are stored, up to the first that is not. mu
// is held.
func (l *Line) answerStored() {
	end, n := l.disk.Stored(), 0
	for n < l.len() && l.list[l.head+n].seq < end {
		n++
	}
	l.answer(n, nil)
}

// answer answers the first n publishes. mu is held.
func (l *Line) answer(n int, err error) {
	list := l.list[l.head : l.head+n]
	for len(list) > 0 {
		w := &list[0]
		if w.to != nil {
			w.to.Answer(err)
			list = list[1:]
			continue
		}
		run := 1
		for run < len(list) && list[run].to == nil && list[run].number == w.number+uint64(run) {
			run++
		}
		if l.ended == nil {
			l.client.Answered(w.number, list[run-1].number, err)
		}
		list = list[run:]
	}
	clear(l.list[l.head : l.head+n])
	l.head += n
	if l.head == len(l.list) {
		l.list, l.head = l.list[:0], 0
		if cap(l.list) > keptRoom {
			l.list = nil
		}
	}
	if l.full.Load() && l.len() <= Most/2 {
		l.makeRoom()
	}
}

// keptRoom is for how many publishes an empty line keeps its memory.
const keptRoom = 4096

func (l *Line) makeRoom() {
	l.full.Store(false)
	if l.room != nil {
		close(l.room)
		l.room = nil
	}
}

// End ends the line: the client is told nothing any more, and Answerers get
// the reason. If wait is set, those that wait already get the disk's answer.
func (l *Line) End(reason error, wait bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended != nil {
		return
	}
	l.ended = reason
	if !wait {
		l.answer(l.len(), reason)
	}
	l.makeRoom()
}

// Len returns how many wait.
func (l *Line) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.len()
}

// Waits reports whether publishes wait. Who has added all of them knows, if it is
// false, that all of them were told.
func (l *Line) Waits() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.len() > 0
}

// Full reports whether so many wait that a publisher should, by Room.
func (l *Line) Full() bool { return l.full.Load() }

// Room waits until the line is not full or has ended. It returns ctx's error.
func (l *Line) Room(ctx context.Context) error {
	for l.full.Load() {
		l.mu.Lock()
		if !l.full.Load() {
			l.mu.Unlock()
			return nil
		}
		if l.room == nil {
			l.room = make(chan struct{})
		}
		room := l.room
		l.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
