package warren

import (
	"unsafe"

	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/route"
)

// transaction is what a channel in transaction mode holds until TxCommit: routed
// publishes, and settled deliveries, which TxRollback makes unsettled again.
type transaction struct {
	publishes []heldPublish
	settled   []heldSettle
	bytes     int64 // that it counts against the memory limit
}

type heldPublish struct {
	publishing
	heldSince int64 // when it was published; set if it has a deadline
	queues    []*route.Queue
	replies   []string
	gated     bool  // routed by the commit
	bytes     int64 // that it counts against the memory limit
}

type heldSettle struct {
	queue.Settling
	fate queue.Fate
}

// What is held in a transaction counts so many bytes beside the message.
const (
	heldPublishSize = int64(unsafe.Sizeof(heldPublish{}))
	heldSettleSize  = int64(unsafe.Sizeof(heldSettle{}))
	heldQueueSize   = int64(unsafe.Sizeof((*route.Queue)(nil)))
)

// heldSettlings returns the settled deliveries of the transaction.
func (t *transaction) heldSettlings() []queue.Settling {
	var list []queue.Settling
	for _, s := range t.settled {
		list = append(list, s.Settling)
	}
	return list
}
