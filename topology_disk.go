package warren

import (
	"context"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/topology"
	"github.com/warrenmq/warren/internal/wire"
)

// topologyDisk is the topology of an opened broker on disk. It implements topologyStore.
type topologyDisk struct {
	broker   *Broker
	log      *topology.Log
	messages *messages // of the queues; nil until they are opened

	// The last numbers that were given.
	lastID     atomic.Uint64 // to virtual hosts, users and bindings
	lastStored atomic.Uint32 // to durable exchanges and queues
}

func (d *topologyDisk) nextID() uint64 { return d.lastID.Add(1) }

func (d *topologyDisk) nextStoredID(m wire.MethodID) (uint32, error) {
	if id := d.lastStored.Add(1); id < firstTransientID { // two thousand million
		return id, nil
	}
	d.lastStored.Store(firstTransientID - 1)
	return 0, failure(m, wire.CodeResourceError, "the store has no numbers left for durable queues and exchanges").
		withHint("import the definitions into a broker with a new directory")
}

func (d *topologyDisk) openDelays(x *declaredExchange) *delay.Store {
	kept := x.delays()
	if d.messages == nil || kept == nil {
		return nil
	}
	kept.On(d.messages.store, x.id, d.messages.WhenDeclared)
	return kept
}

func (d *topologyDisk) wait(ctx context.Context) error {
	err := d.log.Wait(ctx)
	d.rewrite()
	return err
}

func (d *topologyDisk) close(ctx context.Context) error { return d.log.Close(ctx) }
