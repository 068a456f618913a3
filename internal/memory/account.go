package memory

// Account is what one holder has of a budget. It reports changes in steps, because
// all holders share the budget's count, so that a change of it costs more. The zero
// value has nothing and belongs to no budget. Whatever guards the holder guards it.
type Account struct {
	budget   *Budget
	bytes    int64 // that the holder has
	reported int64 // value of bytes that was last reported
}

// Open makes the account one of b's.
func (a *Account) Open(b *Budget) {
	a.budget = b
	b.Join()
}

// Bytes returns how many bytes the holder has.
func (a *Account) Bytes() int64 { return a.bytes }

// Add adds n bytes; n may be negative.
func (a *Account) Add(n int64) {
	a.bytes += n
	if a.due() {
		a.flush()
	}
}

// due is Due, but perhaps without a limit.
func (a *Account) due() bool {
	delta, step := a.bytes-a.reported, a.budget.step.Load()
	return delta >= step || delta <= -step || a.bytes == 0 && delta != 0
}

// Take adds n bytes if they fit: see Budget.Fits. It reports whether they did.
func (a *Account) Take(n int64) bool {
	b := a.budget
	if !b.FitsAny() && !b.Fits(n) {
		return false
	}
	a.bytes += n
	if a.due() {
		a.flush()
	}
	return true
}

// Took adds n bytes that the budget has counted already.
func (a *Account) Took(n int64) {
	a.bytes += n
	a.reported += n
}

// End gives everything back, and closes the account.
func (a *Account) End() {
	a.bytes = 0
	a.Close()
}

// Close ends the account's steps: from now on it reports every change.
func (a *Account) Close() {
	a.budget.Leave()
	a.flush()
}

// flush reports what is unreported.
func (a *Account) flush() {
	d := a.bytes - a.reported
	a.reported = a.bytes
	a.budget.Add(d)
}
