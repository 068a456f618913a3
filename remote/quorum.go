package remote

import (
	"maps"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// queueArguments returns the arguments that a queue is declared with. A queue that is to be
// a quorum queue, and can be one, has its type among them.
func (o *Options) queueArguments(q *link.QueueDeclare) wire.Table {
	has := func(name string) bool { _, ok := q.Arguments[name]; return ok }
	if !o.QuorumQueues || !q.Durable || q.Exclusive || q.AutoDelete || has(amqp091.QueueTypeArg) || has("x-max-priority") {
		return q.Arguments
	}
	args := make(wire.Table, len(q.Arguments)+1)
	maps.Copy(args, q.Arguments)
	args[amqp091.QueueTypeArg] = amqp091.QueueTypeQuorum
	return args
}
