package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// patience is how long a method without a context waits for a connection.
const patience = 30 * time.Second

// declared is what a Broker has declared elsewhere. It is declared again on each
// connection, since another broker may have answered, or have lost what is transient.
type declared struct {
	mu sync.Mutex
	// Guarded by mu.
	list  []declaration
	known map[string]int // by their keys, where they are in list
}

// declaration is an exchange, a queue or a binding.
type declaration struct {
	method wire.MethodID
	key    string
	bound  string // the queue of a binding of a queue
	f      func(ch *amqp091.Channel) error
}

// note keeps a declaration that has succeeded, in place of an earlier one of the same.
func (t *declared) note(d declaration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i, ok := t.known[d.key]; ok {
		t.list[i] = d
		return
	}
	if t.known == nil {
		t.known = make(map[string]int)
	}
	t.known[d.key] = len(t.list)
	t.list = append(t.list, d)
}

// noted returns all declarations, or the bindings of a queue.
func (t *declared) noted(bound string) (all []declaration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range t.list {
		if bound == "" || d.bound == bound {
			all = append(all, d)
		}
	}
	return all
}

// ExchangeDeclare is [warren.Channel.ExchangeDeclare] of an exchange elsewhere. What a
// Broker has declared, it declares again whenever it has a new connection.
func (b *Broker) ExchangeDeclare(name string, kind warren.ExchangeType, o warren.ExchangeOptions) error {
	args := tableThere(o.Arguments())
	return b.declare(declaration{method: wire.ExchangeDeclareID, key: fmt.Sprintf("exchange %q", name), f: func(ch *amqp091.Channel) error {
		return ch.ExchangeDeclare(name, string(kind), o.Durable, o.AutoDelete, o.Internal, false, args)
	}})
}

// ExchangeBind is [warren.Channel.ExchangeBind] of exchanges elsewhere. See
// [Broker.ExchangeDeclare].
func (b *Broker) ExchangeBind(destination, key, source string, args warren.Table) error {
	return b.declare(declaration{method: wire.ExchangeBindID, key: fmt.Sprintf("exchange %q: %q of %q %v", destination, key, source, args), f: func(ch *amqp091.Channel) error {
		return ch.ExchangeBind(destination, key, source, false, tableThere(args))
	}})
}

// QueueDeclare is [warren.Channel.QueueDeclare] of a queue elsewhere. See
// [Broker.ExchangeDeclare]. A queue without a name gets one here. An exclusive queue fails
// with 406: it would end with the connection.
func (b *Broker) QueueDeclare(name string, o warren.QueueOptions) (warren.Queue, error) {
	if o.Exclusive {
		return warren.Queue{}, &warren.Error{
			Code: amqp091.PreconditionFailed, Text: "PRECONDITION_FAILED - an exclusive queue ends with its connection",
			Hint: "let it be AutoDelete, or have Expires",
		}
	}
	name = named(name)
	state := make(chan warren.Queue, 1)
	args := tableThere(o.Arguments())
	err := b.declare(declaration{method: wire.QueueDeclareID, key: fmt.Sprintf("queue %q", name), f: func(ch *amqp091.Channel) error {
		q, err := ch.QueueDeclare(name, o.Durable, o.AutoDelete, false, false, args)
		select {
		case state <- warren.Queue{Name: q.Name, Messages: q.Messages, Consumers: q.Consumers}:
		default: // it is declared again, and nobody asks
		}
		return err
	}})
	if err != nil {
		return warren.Queue{}, err
	}
	return <-state, nil
}

// QueueBind is [warren.Channel.QueueBind] of a queue elsewhere, which may be one that a
// handler of this process serves. See [Broker.ExchangeDeclare].
func (b *Broker) QueueBind(name, key, exchange string, args warren.Table) error {
	return b.declare(declaration{method: wire.QueueBindID, key: fmt.Sprintf("queue %q: %q of %q %v", name, key, exchange, args), bound: name, f: func(ch *amqp091.Channel) error {
		return ch.QueueBind(name, key, exchange, false, tableThere(args))
	}})
}

// declare declares something elsewhere, and again on each new connection.
func (b *Broker) declare(d declaration) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := (*outgoing)(b).declare(ctx, d.method, d.f); err != nil {
		if b.ctx.Err() != nil {
			return warren.ErrClosed
		}
		return err
	}
	b.declared.note(d)
	return nil
}

// declareAgain declares on a new connection what was declared on those before. It returns
// the bindings whose queue or exchange is not there yet: perhaps its handler in another
// process has no new connection yet.
func (br *bridge) declareAgain(ctx context.Context, list []declaration) (missing []declaration) {
	for _, d := range list {
		err := br.declare(ctx, d.method, d.f)
		switch {
		case err == nil:
		case errors.Is(err, warren.ErrNotFound):
			missing = append(missing, d)
		default:
			br.broker.options.Logger.Warn("what was declared cannot be declared again", "what", d.key, "error", err)
		}
	}
	return missing
}

// declareMissing declares what is missing as soon as that is possible, or until ctx ends.
func (br *bridge) declareMissing(ctx context.Context) {
	o := &br.broker.options
	for delay := o.Delay; len(br.missing) > 0; delay = min(2*delay, o.MaxDelay) {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
		br.missing = br.declareAgain(ctx, br.missing)
	}
}
