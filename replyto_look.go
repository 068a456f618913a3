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
		case s.caller == nil:
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

// rest is called when somebody has looked at the calls.
func (t *replyTable) rest(now int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := &t.begins
	g.before, g.calls = g.calls, 0
	g.now, g.left = now, min(g.before/timedBegins, maxLeft)
}
