package warren

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/confirm"
	"github.com/warrenmq/warren/internal/files"
)

// diskGate holds publishers back while the disk may not take more: a write has failed,
// or there is too little free space. It also lets them wait while too much is unwritten.
// Whoever does not publish to the disk need not pass it.
type diskGate struct {
	alarmed diskAlarmed
	disk    storage
	shut    atomic.Bool // follows reason

	mu sync.Mutex
	// Guarded by mu, under which nothing is locked but the list of changes.
	failed  error         // the last write has failed; nil: it has not
	full    error         // there is too little free space; nil: there is enough
	opened  chan struct{} // closed when the gate opens; nil: nobody waits for that
	waiters map[*diskWaiter]struct{}
	closed  bool
}

// diskAlarmed is told when a gate is shut or opened.
type diskAlarmed interface {
	// recordDiskAlarm records why publishers are held back from now on; nil: they may
	// continue. The gate's lock is held.
	recordDiskAlarm(reason error)
	// notifyDiskAlarm tells others of what was recorded. No lock is held.
	notifyDiskAlarm()
}

// diskWaiter is a publisher that waits.
type diskWaiter struct {
	gone   *atomic.Bool // its channel is closed; nil: never
	cancel context.CancelCauseFunc
}

// setFailed notes why the last write has failed, and that one has succeeded since, by
// nil.
func (g *diskGate) setFailed(err error) {
	if err != nil {
		sentinel := ErrStorage
		if files.IsFull(err) {
			sentinel = ErrDiskFull
		}
		err = fmt.Errorf("%w: %w", sentinel, err)
	}
	g.set(&g.failed, err)
}

// setFull notes that there is too little free space, by an [ErrDiskFull], or enough, by
// nil.
func (g *diskGate) setFull(err error) { g.set(&g.full, err) }

// set sets one of the reasons to be shut, and tells whoever wants to know.
func (g *diskGate) set(reason *error, err error) {
	g.mu.Lock()
	*reason = err
	now := g.reason()
	changed := g.shut.Swap(now != nil) != (now != nil)
	if changed {
		g.alarmed.recordDiskAlarm(now)
	}
	if changed && now == nil && g.opened != nil {
		close(g.opened)
		g.opened = nil
	}
	g.mu.Unlock()
	if changed {
		g.alarmed.notifyDiskAlarm()
	}
}

// reason returns why the gate is shut, or nil. mu is held.
func (g *diskGate) reason() error {
	if g.full != nil {
		return g.full
	}
	return g.failed
}

// state returns why the gate is shut, or nil, and how many wait at it.
func (g *diskGate) state() (waiting int, reason error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiters), g.reason()
}

// isFree reports whether a publisher may pass without a wait.
func (g *diskGate) isFree() bool { return !g.shut.Load() && !g.disk.Full() }

// wake makes those waiters fail whose channels are closed.
func (g *diskGate) wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for w := range g.waiters {
		if w.gone != nil && w.gone.Load() {
			w.cancel(ErrClosed)
		}
	}
}

// close makes all waiters fail, and those that come later.
func (g *diskGate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for w := range g.waiters {
		w.cancel(ErrClosed)
	}
}

// diskPatience is how long publishers wait in silence for what is unwritten. They wait
// so whenever they are faster than the disk.
const diskPatience = 500 * time.Millisecond

// errDiskSlow is the reason for a wait that has lasted longer than that.
var errDiskSlow = fmt.Errorf("%w: the disk is too slow", ErrStorage)

// blockedReason is what clients are told of a reason to wait.
func blockedReason(why error) string {
	switch {
	case errors.Is(why, ErrDiskFull):
		return "low on disk"
	case why == ErrMemoryLimit:
		return "low on memory"
	case why == errDiskSlow:
		return "the disk is slow"
	}
	return "storage has failed"
}

// wish is how a publisher passes the gate.
type wish struct {
	line    *confirm.Line   // of its confirms, which must have room, too; nil: it has none
	gone    *atomic.Bool    // its channel is closed: whoever sets it calls wake; nil: never
	refuses bool            // it fails instead of waiting for long
	waits   func(why error) // is called once, before it waits for long; nil: nobody is told
}

// pass waits until the disk may take more. If the publisher refuses to wait, it fails
// with the reason. It fails with ErrClosed if the channel is gone or the gate is closed.
func (g *diskGate) pass(ctx context.Context, w *wish) error {
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	place := &diskWaiter{w.gone, cancel}
	g.mu.Lock()
	if g.closed || w.gone != nil && w.gone.Load() {
		g.mu.Unlock()
		return ErrClosed
	}
	if g.waiters == nil {
		g.waiters = make(map[*diskWaiter]struct{})
	}
	g.waiters[place] = struct{}{}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		delete(g.waiters, place)
		g.mu.Unlock()
	}()
	reason, err := g.await(inner, w)
	switch {
	case err == nil || err == reason:
		return err
	case context.Cause(inner) == ErrClosed || ctx.Err() == nil:
		return ErrClosed // the latter if the disk is
	}
	return fmt.Errorf("%w (gave up waiting: %w)", reason, ctx.Err())
}

// await waits until the disk may take more. If it fails, reason is what it was waiting
// for; err is the same if the publisher refuses to wait.
func (g *diskGate) await(ctx context.Context, w *wish) (reason, err error) {
	for err == nil {
		var opened <-chan struct{}
		opened, reason = g.obstacle()
		switch {
		case reason != nil && w.refuses:
			err = reason
		case reason != nil:
			w.tell(reason)
			select {
			case <-opened:
			case <-ctx.Done():
				err = ctx.Err()
			}
		case g.disk.Full():
			reason, err = g.waitForRoom(ctx, w, g.disk.WaitRoom)
		case w.line != nil && w.line.Full():
			reason, err = g.waitForRoom(ctx, w, w.line.Room)
		default:
			return nil, nil
		}
	}
	return reason, err
}

// waitForRoom waits for something that mostly takes little time, and goes on to do so if
// it takes long, unless the publisher refuses that. The results are as those of await.
func (g *diskGate) waitForRoom(ctx context.Context, w *wish, room func(ctx context.Context) error) (reason, err error) {
	short, cancel := context.WithTimeout(ctx, diskPatience)
	defer cancel()
	err = room(short)
	if err == nil || ctx.Err() != nil || short.Err() == nil {
		return errDiskSlow, err
	}
	reason = errDiskSlow
	if _, why := g.obstacle(); why != nil {
		reason = why // there is no room because of that
	}
	if w.refuses {
		return reason, reason
	}
	w.tell(reason)
	return reason, room(ctx)
}

// tell says that a long wait begins.
func (w *wish) tell(why error) {
	if w.waits != nil {
		w.waits(why)
		w.waits = nil
	}
}

// obstacle returns a channel that is closed when the gate opens, and why it is shut.
// Both are nil if it is not.
func (g *diskGate) obstacle() (opened <-chan struct{}, reason error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if reason = g.reason(); reason == nil {
		return nil, nil
	}
	if g.opened == nil {
		g.opened = make(chan struct{})
	}
	return g.opened, reason
}
