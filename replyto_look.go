package warren

// slotsAtOnce is how many slots are looked at before others get the table's mu.
const slotsAtOnce = 512

// look counts the requesters in some slots, the first of which is from. It returns the
// time at which the oldest call began, if it is before oldest. more says that there are
// further slots.
func (t *replyTable) look(from int, oldest int64, info *RPCInfo) (began int64, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	from = min(from, len(t.slots))
	to := min(from+slotsAtOnce, len(t.slots))
	for _, s := range t.slots[from:to] {
		switch {
		case s.round.Load()%2 == 0:
		case s.consumer != nil:
			info.ReplyConsumers++
		default:
			info.Calls++
			if s.began != 0 {
				oldest = min(oldest, s.began)
			}
		}
	}
	return oldest, to < len(t.slots)
}

// begins tells when calls begin, while somebody watches. When calls are many, some of
// them look at the clock, and others take what it showed last. The lock of the table
// guards it.
type begins struct {
	now     int64  // what the clock showed
	left    uint64 // calls that take now
	calls   uint64 // since rest was called
	before  uint64 // calls between the last two calls of rest
	watches uint32 // Broker.watches when the clock was looked at
}

const (
	timedBegins = 1000 // about how many calls look at the clock between two calls of rest
	maxLeft     = 64   // then the clock costs a call nearly nothing
)

// next returns the time at which a call begins, or zero if nobody watches.
func (g *begins) next(b *Broker) int64 {
	if !b.watched() {
		return 0
	}
	g.calls++
	if w := b.watches.Load(); g.left == 0 || g.watches != w {
		g.now, g.watches = b.queues.Clock.Now(), w
		g.left = min(max(g.calls, g.before)/timedBegins, maxLeft)
	} else {
		g.left--
	}
	return g.now
}

// rest is called when somebody has looked at the calls.
func (t *replyTable) rest(now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := &t.begins
	g.before, g.calls = g.calls, 0
	g.now, g.left = now, min(g.before/timedBegins, maxLeft)
}
