package warren

import (
	"context"
	"errors"

	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/identity"
	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/topology"
)

// Open makes a broker that keeps in a directory what AMQP calls durable: virtual hosts
// with their limits, users, permissions and policies, durable exchanges and queues, and
// the bindings between these. It makes the directory if there is none. When it has been
// opened before, all is there again. Nil options mean the zero [Options]. Otherwise the
// broker is one from [New].
//
// A call that declares, deletes or changes something durable returns when the change is
// on disk, so that it survives a power cut; with [SyncNever], when it is written. If
// that is not possible, the call fails with [ErrStorage]. Exclusive and transient queues
// and exchanges end with the broker. An auto-delete queue that is durable stays until a
// consumer has come and gone. Times such as [QueueOptions].Expires begin anew.
//
// Durable queues keep persistent messages, in their order and with all properties; a time
// to live goes on while there is no broker. A message is on disk when its confirm, its
// [Confirmation] or [Channel.TxCommit] has come back. What nobody waits for, such as an
// ack, is written within 10 milliseconds and on disk within a second, see [SyncMode]. After
// Close those messages are redelivered that were before; after a crash all are. A stream
// keeps all its messages, persistent or not, with their offsets and times, and a durable
// [DelayedMessage] exchange keeps persistent ones, see [DelayHeader]. What a queue or an
// exchange remembers to tell duplicates ends with the broker.
//
// A call that waits for the disk ends with [ErrClosed] when its channel is closed. If the
// clock of the system was set back while there was no broker, times go on from the last
// one that the broker has noted on disk.
//
// The directory belongs to one broker at a time. Open fails with a [*LockedError] if
// another one has it, with [ErrNotStore] if there are files in it that are no store,
// with a [*FormatError] if a newer version of this package wrote it, with a
// [*DamagedError] if a part of it cannot be read as it was written (see
// [Options].Salvage), and with the system's error, such as [io/fs.ErrPermission], if the
// directory cannot be written to. It fails with [errors.ErrUnsupported] on systems
// where a directory cannot be locked. After an error the directory is as good as before.
//
// Close the broker in the end: that writes what is left, and gives up the directory.
func Open(dir string, options *Options) (*Broker, error) {
	d, err := files.Open(dir)
	if err != nil {
		return nil, openError(dir, err)
	}
	if options != nil && options.Link().Between != nil {
		d = options.Link().Between.Put(d)
	}
	return open(d, dir, options)
}

// open opens a directory, whose name is for texts.
func open(dir files.Dir, name string, options *Options) (*Broker, error) {
	b, err := openDir(dir, options)
	if err != nil {
		return nil, openError(name, err)
	}
	return b, nil
}

func openDir(dir files.Dir, options *Options) (*Broker, error) {
	b := New(options)
	if err := b.options.checkStored(); err != nil {
		return nil, err
	}
	if err := identity.Look(dir); err != nil { // before anything is made in a strange directory
		return nil, err
	}
	lock, err := dir.Lock()
	if err != nil {
		return nil, err
	}
	err = b.checkIdentity(dir)
	if err == nil {
		err = b.openLogs(dir)
	}
	if err != nil {
		return nil, joined(err, lock.Close())
	}
	b.lock = lock
	return b, nil
}

// checkIdentity makes sure that the directory is a store that this program knows.
func (b *Broker) checkIdentity(dir files.Dir) error {
	err := identity.Check(dir)
	if damaged, ok := errors.AsType[*identity.DamagedError](err); ok && b.options.Salvage {
		aside, err := identity.Repair(dir)
		if err == nil {
			b.log.Error("damage was set aside", "file", identity.Name, "offset", damaged.Offset, "aside", aside)
		}
		return err
	}
	return err
}

// openLogs opens the logs of the topology and of messages, and makes what they say.
func (b *Broker) openLogs(dir files.Dir) error {
	m := &messages{broker: b}
	o := b.journalOptions()
	o.State = m.look
	log, state, err := topology.Open(dir, o)
	if err != nil {
		return err
	}
	b.reportRecovery(log.Recovery())
	d := &topologyDisk{broker: b, log: log}
	d.lastID.Store(state.LastID)
	d.lastStored.Store(state.LastStoredID)
	b.topology = d
	err = m.open(dir, d, func(id uint32) bool { return state.Queues[id] != nil || state.Exchanges[id] != nil })
	if err == nil {
		d.messages, b.queues.Relief.Begin = m, m.relieve
		if err = b.restore(state); err == nil {
			m.store.Start()
			err = b.stored(nil)
		}
	}
	if err == nil {
		b.recoverDelayed()
		return nil
	}
	b.state.Store(stateClosed)
	for _, v := range b.vhosts {
		v.close(ErrClosed)
	}
	b.cancelHandlers()
	return joined(err, b.closeDisk(context.Background()))
}

// reportRecovery logs what Open has found in the log of the topology.
func (b *Broker) reportRecovery(r journal.Recovery) {
	if t := r.Torn; t != nil {
		b.log.Warn("what was being written when the last broker ended without Close is cut off", "file", t.File, "offset", t.Offset, "bytes", t.Bytes)
	}
	for _, d := range r.Damaged {
		b.log.Error("damage was set aside", "file", d.File, "offset", d.Offset, "bytes", d.Bytes, "reason", d.Reason, "aside", d.Aside)
	}
}

// journalOptions are for all logs of the broker.
func (b *Broker) journalOptions() journal.Options {
	o := journal.Options{Salvage: b.options.Salvage}
	switch b.options.Sync {
	case SyncNever:
		o.Sync = journal.SyncNever
	case SyncAll:
		o.Sync = journal.SyncAll
	}
	return o
}

// begin puts on disk what a new broker has.
func (b *Broker) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.root.id = b.nextID()
	b.recordChange(change{kind: vhostDeclared, vhost: b.root})
	guest := b.usersLocked()[Guest] // with its permissions
	b.recordChange(change{kind: userDeclared, user: Guest, account: guest})
}
