package remote

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/warrenmq/warren"
)

// Errors of [Broker.CallMany] for what a broker elsewhere cannot do.
var (
	// ErrNoEnd: the loop would never end. Nobody tells how many queues an exchange
	// elsewhere has.
	ErrNoEnd = errors.New("remote: a request to many elsewhere needs CallManyOptions.Count or a context with a deadline, " +
		"since nobody tells how many queues the exchange has")
	// errRequireConsumer is an errors.ErrUnsupported.
	errRequireConsumer = fmt.Errorf("remote: a request to many elsewhere cannot have RequireConsumer, "+
		"since nobody tells which queues have no consumer: %w", errors.ErrUnsupported)
)

// CallMany is [warren.Broker.CallMany] of the queues of an exchange elsewhere. It differs
// in what nobody tells over AMQP:
//
//   - Answers and errors have no Queue, and a server that answers twice counts twice.
//   - How many queues there are is not known: the loop ends after
//     [warren.CallManyOptions].Count answers, and fails with [ErrNoEnd] if it has neither a
//     Count nor a context with a deadline. A queue whose request is lost is not told of,
//     so a loop whose servers may fail or die needs a deadline.
//   - When the context ends, one [*warren.AnswerError] tells of all that may be missing,
//     and so it does when the connection is lost, with [ErrConnectionLost].
//   - RequireConsumer fails with [errors.ErrUnsupported].
func (b *Broker) CallMany(ctx context.Context, exchange, key string, msg warren.Message, opts ...warren.CallManyOptions) iter.Seq2[warren.Answer, error] {
	if err := endless(ctx, opts); err != nil {
		return func(yield func(warren.Answer, error) bool) { yield(warren.Answer{}, err) }
	}
	return b.local.CallMany(ctx, exchange, key, msg, opts...)
}

// endless returns why a request to many cannot be sent.
func endless(ctx context.Context, opts []warren.CallManyOptions) error {
	count := 0
	for i := range opts {
		if opts[i].RequireConsumer {
			return errRequireConsumer
		}
		if opts[i].Count != 0 {
			count = opts[i].Count
		}
	}
	if _, ends := ctx.Deadline(); !ends && count <= 0 {
		return ErrNoEnd
	}
	return nil
}
