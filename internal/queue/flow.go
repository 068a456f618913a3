package queue

import "sync/atomic"

// Flow is shared by consumers that belong together, such as those of a channel. It
// decides whether they get messages at all, and how many unsettled messages they
// may have together.
type Flow struct {
	held   atomic.Uint32 // reasons why messages are kept back; zero: they are not
	limit  atomic.Int64  // most unsettled messages; zero: no limit
	out    atomic.Int64  // unsettled messages of consumers that share the limit
	missed atomic.Bool   // consumers may have gone without messages since Owed
}

// Reasons why messages are kept back.
const (
	paused  = 1 << iota // by Pause
	stalled             // by Stall: who takes the messages has no room
)

// Pause keeps messages back, or no longer. It returns whether they were paused
// before.
func (f *Flow) Pause(on bool) (was bool) { return f.hold(paused, on) }

// Stall keeps messages back, or no longer, because whoever takes them has no room.
func (f *Flow) Stall(on bool) { f.hold(stalled, on) }

// hold sets or clears one reason. It returns whether it was set before.
func (f *Flow) hold(why uint32, on bool) (was bool) {
	if on {
		return f.held.Or(why)&why != 0
	}
	was = f.held.And(^why)&why != 0
	f.missed.Store(true)
	return was
}

// SetLimit sets how many unsettled messages all consumers may have together. Zero
// means no limit.
func (f *Flow) SetLimit(n int) { f.limit.Store(int64(n)) }

// Limited reports whether there is a limit.
func (f *Flow) Limited() bool { return f.limit.Load() > 0 }

// Missed notes that consumers may have gone without messages: see Owed.
func (f *Flow) Missed() { f.missed.Store(true) }

// Owed reports whether consumers may have gone without messages because of the flow
// since the last call. If so, the caller must revive them.
func (f *Flow) Owed() bool { return f.missed.Load() && f.missed.Swap(false) }

// reserve takes room for one message. It reports false if there is none.
func (f *Flow) reserve() bool {
	for {
		limit := f.limit.Load()
		if n := f.out.Add(1); limit <= 0 || n <= limit {
			return true
		}
		f.out.Add(-1)
		// Room that comes free from here on finds missed set and revives the
		// consumer; room that came free just before is seen now.
		f.missed.Store(true)
		if f.out.Load() >= f.limit.Load() {
			return false
		}
	}
}

// release gives room for n messages back.
func (f *Flow) release(n int) { f.out.Add(-int64(n)) }

// hasRoom reports whether reserve would succeed.
func (f *Flow) hasRoom() bool {
	limit := f.limit.Load()
	return limit <= 0 || f.out.Load() < limit
}
