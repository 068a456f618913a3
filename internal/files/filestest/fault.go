package filestest

import (
	"fmt"
	"time"
)

// Kind is what an operation does.
type Kind uint8

// The operations that change something on the disk.
const (
	Create Kind = iota + 1
	Write
	Sync // of a file
	Rename
	Remove
	SyncDir
)

func (k Kind) String() string {
	names := [...]string{"?", "create", "write", "sync", "rename", "remove", "sync of the directory"}
	if int(k) >= len(names) {
		return names[0]
	}
	return names[k]
}

// Op is an operation that changes something.
type Op struct {
	N     int // its number, from 1
	Kind  Kind
	Name  string // that the file was created or opened by; empty for SyncDir
	To    string // the new name, for Rename
	Bytes int    // for Write
}

func (o Op) String() string {
	text := fmt.Sprintf("%d: %s", o.N, o.Kind)
	if o.Name != "" {
		text += " " + o.Name
	}
	switch o.Kind {
	case Rename:
		text += " to " + o.To
	case Write:
		text += fmt.Sprintf(", %d bytes", o.Bytes)
	}
	return text
}

// faults are a directory's, guarded by its lock.
type faults struct {
	ops     int // so far
	cutAt   int
	cut     bool
	failAt  map[int]error
	from    int // fails for ever with fromErr, if not 0
	fromErr error
	reads   error
	before  func(Op) error

	beforeReads func(name string)
}

// begin starts an operation: it counts it, asks the hook and says whether it fails.
// d.mu is held when it returns, and end releases it.
func (d *Dir) begin(op Op) (end func(), err error) {
	d.mu.Lock()
	end = d.mu.Unlock
	f := &d.faults
	if f.cut {
		return end, ErrPowerCut
	}
	f.ops++
	op.N = f.ops
	if f.cutAt != 0 && op.N >= f.cutAt {
		f.cut = true
		return end, ErrPowerCut
	}
	err = f.failAt[op.N]
	if f.from != 0 && op.N >= f.from {
		err = f.fromErr
	}
	if hook := f.before; hook != nil {
		d.mu.Unlock()
		if e := hook(op); e != nil {
			err = e
		}
		d.mu.Lock()
	}
	if f.cut {
		return end, ErrPowerCut
	}
	return end, err
}

// Ops is the number of operations so far.
func (d *Dir) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.faults.ops
}

// FailAt lets the operation with number n fail with err. A Write that fails has
// written the first half; a Sync that fails has dropped what it should have written;
// the others have done nothing. It may be called for several operations.
func (d *Dir) FailAt(n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.faults.failAt == nil {
		d.faults.failAt = make(map[int]error)
	}
	d.faults.failAt[n] = err
}

// FailFrom lets all operations from number n on fail with err, until [Dir.Heal].
func (d *Dir) FailFrom(n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.from, d.faults.fromErr = n, err
}

// FailReads lets each ReadAt fail with err, until it is called with nil.
func (d *Dir) FailReads(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.reads = err
}

// Heal ends what FailAt, FailFrom and FailReads have ordered. It does not bring the
// power back.
func (d *Dir) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.failAt, d.faults.from, d.faults.reads = nil, 0, nil
}

// CutAt cuts the power before the operation with number n. From then on everything
// fails with [ErrPowerCut].
func (d *Dir) CutAt(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.cutAt = n
}

// Cut cuts the power now.
func (d *Dir) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.cut = true
}

// Before sets what is called before each operation, with no lock held: it may look
// at the directory, wait, or let the operation fail by an error. nil sets none.
func (d *Dir) Before(hook func(op Op) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.before = hook
}

// BeforeReads sets what is called before each ReadAt of a file, with no lock held: it may
// wait. nil sets none.
func (d *Dir) BeforeReads(hook func(name string)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.beforeReads = hook
}

// Delay lets each Sync of a file take a while, and no lock is held meanwhile. What
// is written in this time is not synced by it.
func (d *Dir) Delay(delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delay = delay
}

// Space bounds what can be written from now on, in bytes: then a Write fails with
// [ErrNoSpace], after what had room. A file that is removed gives its bytes back.
// Free tells what is left. Less than 0 means no bound.
func (d *Dir) Space(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.space, d.bound = bytes, bytes >= 0
}
