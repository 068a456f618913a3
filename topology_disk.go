package warren

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/topology"
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

// nextStoredID gives a number to a durable exchange or queue.
func (d *topologyDisk) nextStoredID() uint32 {
	if d == nil {
		return 0
	}
	return d.lastStored.Add(1)
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
