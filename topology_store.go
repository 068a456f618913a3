package warren

import (
	"context"
	"errors"
	"fmt"

	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/wire"
)

// topologyStore keeps the topology of an opened broker. It is an interface, so that a
// program that opens no broker is linked without what does so.
type topologyStore interface {
	// nextID gives a number to a virtual host, a user or a binding.
	nextID() uint64
	// nextStoredID gives a number to a durable exchange or queue. It fails with 506 when
	// all are used up.
	nextStoredID(m wire.MethodID) (uint32, error)
	// record stores a change if something durable has changed. The lock that guards the
	// changed object is held.
	record(c change)
	// putPermission stores what a user may do in v. The broker's lock is held.
	putPermission(u *account, v *VirtualHost)
	// openDelays lets an exchange that is durable and delays messages keep them on disk,
	// and returns what does so. Nil: the exchange does not.
	openDelays(x *declaredExchange) *delay.Store
	// wait waits until what was recorded before is on disk.
	wait(ctx context.Context) error
	// close stores what there is, as long as ctx lasts.
	close(ctx context.Context) error
}

// nextID gives a number to a virtual host, a user or a binding: zero if all is in memory.
func (b *Broker) nextID() uint64 {
	if b.topology == nil {
		return 0
	}
	return b.topology.nextID()
}

// nextStoredID gives a number to an exchange or queue that is on disk: zero if it is not.
func (b *Broker) nextStoredID(m wire.MethodID, durable bool) (uint32, error) {
	if b.topology == nil || !durable {
		return 0, nil
	}
	return b.topology.nextStoredID(m)
}

// stored returns err if there is one. Otherwise it waits until the changes of the
// topology that were recorded before are on disk. The caller holds no lock.
func (b *Broker) stored(err error) error {
	if err != nil || b.topology == nil {
		return err
	}
	return storedError(b.topology.wait(b.handlersCtx))
}

// storedError is the error of a call for that of a wait.
func storedError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrClosed), errors.Is(err, context.Canceled):
		return ErrClosed
	}
	return fmt.Errorf("%w: what was asked for exists, but perhaps not after a restart: %w", ErrStorage, err)
}
