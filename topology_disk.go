package warren

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/topology"
	"github.com/warrenmq/warren/internal/wire"
)

// topologyDisk is the topology of an opened broker on disk. It is nil in a broker from
// New; the methods that give numbers then give zero.
type topologyDisk struct {
	log      *topology.Log
	messages *messages // of the queues

	// The last numbers that were given.
	lastID     atomic.Uint64 // to virtual hosts, users and bindings
	lastStored atomic.Uint32 // to durable exchanges and queues
}

// nextID gives a number to a virtual host, a user or a binding.
func (d *topologyDisk) nextID() uint64 {
	if d == nil {
		return 0
	}
	return d.lastID.Add(1)
}

// nextStoredID gives a number to an exchange or queue if it is durable. It fails with 506
// when all are used up, which are two thousand million.
func (d *topologyDisk) nextStoredID(m wire.MethodID, durable bool) (uint32, error) {
	if d == nil || !durable {
		return 0, nil
	}
	if id := d.lastStored.Add(1); id < firstTransientID {
		return id, nil
	}
	d.lastStored.Store(firstTransientID - 1)
	return 0, failure(m, wire.CodeResourceError, "the store has no numbers left for durable queues and exchanges").
		withHint("import the definitions into a broker with a new directory")
}

// openDelays lets an exchange that is durable and delays messages keep them on disk, and
// returns what does so. Nil: the exchange does not, or all is in memory.
func (d *topologyDisk) openDelays(x *declaredExchange) *delay.Store {
	kept := x.delays()
	if d == nil || d.messages == nil || kept == nil {
		return nil
	}
	kept.On(d.messages.store, x.id)
	return kept
}

// stored returns err if there is one. Otherwise it waits until the changes of the
// topology that were recorded before are on disk. The caller holds no lock.
func (b *Broker) stored(err error) error {
	if err != nil || b.topology == nil {
		return err
	}
	err = b.topology.log.Wait(b.handlersCtx)
	b.rewriteTopology()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrClosed), errors.Is(err, context.Canceled):
		return ErrClosed
	}
	return fmt.Errorf("%w: what was asked for exists, but perhaps not after a restart: %w", ErrStorage, err)
}

// storedIf is stored if something durable may have changed.
func (b *Broker) storedIf(durable bool, err error) error {
	if !durable {
		return err
	}
	return b.stored(err)
}
