package queue

import "sync/atomic"

// Flow is what consumers share that belong together: whether they may have
// messages at all, and how many they may have unsettled together.
type Flow struct {
	held   atomic.Uint32 // messages are kept back: paused or stalled, or both
	limit  atomic.Int64
	out    atomic.Int64
	missed atomic.Bool // a queue found no room since consumers were revived
}

// Why messages are kept back.
const (
	paused  = 1 << iota // until the user of the flow says otherwise
	stalled             // who takes the messages has no room
)

// Pause keeps messages back, or lets them go on. It gives what was so before.
func (f *Flow) Pause(on bool) (was bool) { return f.hold(paused, on) }

// Stall keeps messages back while there is no room for them.
func (f *Flow) Stall(on bool) { f.hold(stalled, on) }

func (f *Flow) hold(why uint32, on bool) (was bool) {
	if on {
		return f.held.Or(why)&why != 0
	}
	was = f.held.And(^why)&why != 0
	f.missed.Store(true)
	return was
}

// SetLimit bounds the unsettled messages of all consumers together; zero: no
// limit.
func (f *Flow) SetLimit(n int) { f.limit.Store(int64(n)) }

// Limited reports whether there is a limit.
func (f *Flow) Limited() bool { return f.limit.Load() > 0 }

// Missed notes that consumers may have gone without messages.
func (f *Flow) Missed() { f.missed.Store(true) }

// Owed reports whether consumers went without messages because of the flow: they
// are to be revived now.
func (f *Flow) Owed() bool { return f.missed.Load() && f.missed.Swap(false) }

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

func (f *Flow) release(n int) { f.out.Add(-int64(n)) }

// hasRoom reports whether reserve would succeed.
func (f *Flow) hasRoom() bool {
	limit := f.limit.Load()
	return limit <= 0 || f.out.Load() < limit
}
