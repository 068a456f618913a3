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
// The directory belongs to one broker at a time. Open fails with a [*LockedError] if
// another one has it, with [ErrNotStore] if there are files in it that are no store,
// with a [*FormatError] if a newer version of this package wrote it, with a
// [*DamagedError] if a part of it cannot be read as it was written (see
// [Options].Salvage), and with the system's error, such as [io/fs.ErrPermission], if the
// directory cannot be written to. It fails with [errors.ErrUnsupported] on systems
// where a directory cannot be locked. After an error nothing was changed but what
// Salvage has set aside.
//
// Close the broker in the end: that writes what is left, and gives up the directory.
func Open(dir string, options *Options) (*Broker, error) {
	d, err := files.Open(dir)
	if err != nil {
		return nil, openError(dir, err)
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
		err = b.openTopology(dir)
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
			b.log.Warn("damage was set aside", "file", identity.Name, "offset", damaged.Offset, "aside", aside)
		}
		return err
	}
	return err
}

// openTopology opens the log of the topology and makes what it says.
func (b *Broker) openTopology(dir files.Dir) error {
	log, state, err := topology.Open(dir, b.journalOptions())
	if err != nil {
		return err
	}
	b.topology = &topologyDisk{log: log}
	b.topology.lastID.Store(state.LastID)
	b.topology.lastStored.Store(state.LastStoredID)
	if len(state.VirtualHosts) == 0 {
		b.begin()
	} else {
		err = b.restore(state)
	}
	if err == nil {
		err = b.stored(nil)
	}
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), b.options.CloseTimeout)
	defer cancel()
	b.state.Store(stateClosed)
	b.root.close(ErrClosed)
	return joined(err, log.Close(ctx))
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
	b.root.id = b.topology.nextID()
	b.recordChange(change{kind: vhostDeclared, vhost: b.root})
	guest := b.usersLocked()[Guest] // with its permissions
	b.recordChange(change{kind: userDeclared, user: Guest, account: guest})
}
