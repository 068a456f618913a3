package warren

import (
	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/wire"
)

// Like says which broker a [Broker] is like where brokers differ. Tests that are to
// pass with RabbitMQ or LavinMQ, too, choose it, so that they fail here where they
// would fail there. The tables in docs/compatibility.md say what each changes. It
// holds for the process as for clients, who are told the other's product and version
// in the server properties.
type Like int

const (
	// LikeWarren takes what either of the others takes.
	LikeWarren Like = iota
	// LikeRabbitMQ refuses what RabbitMQ 4.2 refuses: Immediate, Flow(false) and
	// Recover(false) with 540, properties and arguments that RabbitMQ's queue types do
	// not have, names that LavinMQ alone knows, bodies of more than 16 MiB, an empty
	// name for the virtual host "/". A prefetch of [Channel.Qos] is for consumers that
	// start later.
	LikeRabbitMQ
	// LikeLavinMQ refuses what LavinMQ 2 refuses: names that are not printable ASCII or
	// begin with "mqtt.", x-match with "-with-x", Get beside an exclusive consumer,
	// deleting an exchange with IfUnused that is the destination of a binding.
	LikeLavinMQ
)

// rules returns the rules that l stands for.
func (l Like) rules() *like.Rules {
	switch l {
	case LikeRabbitMQ:
		return like.RabbitMQ()
	case LikeLavinMQ:
		return like.LavinMQ()
	}
	return like.Warren()
}

// errNotLike says that the broker which this one is like does not implement what a
// method asks for.
func errNotLike(m wire.MethodID, what string) error {
	return failure(m, wire.CodeNotImplemented, "%s", what).withHint("Options.Like says which broker this one is like")
}
