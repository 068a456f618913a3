package warrentest

import (
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/files"
)

// FailSync lets each sync of the broker's directory fail with err until undo is called,
// as a broken disk does. Nil stands for [syscall.EIO]. What a client waits to be confirmed
// is nacked; publishers of persistent messages to durable queues are then held back, with
// connection.blocked "storage has failed", until the broker has tried again with success,
// as it does each second. It fails the test without Options.Dir.
func (b *Broker) FailSync(err error) (undo func()) {
	b.t.Helper()
	return b.disk("FailSync").add(&diskFault{kind: diskSync, err: orEIO(err)})
}

// FailWrites lets each write to the broker's directory fail with err until undo is called.
// Nil stands for [syscall.EIO]; [syscall.ENOSPC] is a full disk, with the reason "low on
// disk". What follows is the same as with [Broker.FailSync]. It fails the test without
// Options.Dir.
func (b *Broker) FailWrites(err error) (undo func()) {
	b.t.Helper()
	return b.disk("FailWrites").add(&diskFault{kind: diskWrite, err: orEIO(err)})
}

// SlowSync lets each sync of the broker's directory last for d until undo is called, which
// also ends those that last. Confirms come so much later, and not at all if d is very
// long. It fails the test without Options.Dir.
func (b *Broker) SlowSync(d time.Duration) (undo func()) {
	b.t.Helper()
	return b.disk("SlowSync").add(&diskFault{kind: diskSync, delay: d})
}

func orEIO(err error) error {
	if err == nil {
		return syscall.EIO
	}
	return err
}

// open opens the broker's directory, with faults between the two.
func (b *Broker) open() (*warren.Broker, error) {
	var o warren.Options
	if b.options.Broker != nil {
		o = *b.options.Broker
	}
	if o.Link().Between == nil {
		o.Link().Between = new(disk)
		b.options.Broker = &o
	}
	return warren.Open(b.options.Dir, b.options.Broker)
}

// disk returns the disk of a broker with a directory.
func (b *Broker) disk(fault string) *disk {
	b.t.Helper()
	if b.options.Dir == "" {
		b.t.Fatalf("warrentest: %s needs a broker with a disk: set Options.Dir, for example to t.TempDir()", fault)
	}
	return b.options.Broker.Link().Between.(*disk)
}

// healDisk undoes all faults of the disk, so that the broker can end.
func (b *Broker) healDisk() {
	if b.options.Dir != "" {
		b.disk("").heal()
	}
}

// disk is what a broker with a directory has. It makes directories with faults, and
// implements files.Between.
type disk struct {
	outage outage

	mu     sync.Mutex
	faults []*diskFault // guarded by mu
}

// diskKind is an operation that a fault is for.
type diskKind int

const (
	diskSync  diskKind = iota // of a file or of the directory
	diskWrite                 // also the creation of a file
)

// diskFault is what happens to operations.
type diskFault struct {
	kind   diskKind
	delay  time.Duration
	err    error         // nil: none, after the delay
	undone chan struct{} // closed by undo
}

// Put implements files.Between.
func (d *disk) Put(dir files.Dir) files.Dir { return faultyDir{dir, d} }

// add adds a fault. It returns what takes it away.
func (d *disk) add(f *diskFault) (undo func()) {
	f.undone = make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, f)
	return func() { d.remove(f) }
}

func (d *disk) remove(f *diskFault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.Index(d.faults, f); i >= 0 {
		d.faults = slices.Delete(d.faults, i, i+1)
		close(f.undone)
	}
}

// heal takes all faults away.
func (d *disk) heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.faults {
		close(f.undone)
	}
	d.faults = nil
}

// meet lets an operation meet the faults that are for it, in the order in which they were
// set, until one fails.
func (d *disk) meet(kind diskKind) error {
	d.mu.Lock()
	faults := slices.Clone(d.faults)
	d.mu.Unlock()
	for _, f := range faults {
		if f.kind == kind {
			if err := f.meet(); err != nil {
				return err
			}
		}
	}
	return nil
}

// meet lets an operation meet the fault.
func (f *diskFault) meet() error {
	if f.delay > 0 {
		timer := time.NewTimer(f.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-f.undone:
		}
	}
	return f.err
}

// faultyDir is a directory with faults.
type faultyDir struct {
	files.Dir
	disk *disk
}

// Create implements files.Dir.
func (d faultyDir) Create(name string) (files.File, error) {
	if err := d.disk.meet(diskWrite); err != nil {
		return nil, err
	}
	return d.wrap(d.Dir.Create(name))
}

// Open implements files.Dir.
func (d faultyDir) Open(name string) (files.File, error) { return d.wrap(d.Dir.Open(name)) }

func (d faultyDir) wrap(f files.File, err error) (files.File, error) {
	if err != nil {
		return nil, err
	}
	return faultyFile{f, d.disk}, nil
}

// Sync implements files.Dir.
func (d faultyDir) Sync() error {
	if err := d.disk.meet(diskSync); err != nil {
		return err
	}
	return d.Dir.Sync()
}

// faultyFile is a file with faults.
type faultyFile struct {
	files.File
	disk *disk
}

// Write implements files.File.
func (f faultyFile) Write(p []byte) (int, error) {
	if err := f.disk.meet(diskWrite); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

// Sync implements files.File.
func (f faultyFile) Sync() error {
	if err := f.disk.meet(diskSync); err != nil {
		return err
	}
	return f.File.Sync()
}
