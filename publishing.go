package warren

import (
	"time"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// publishing is a checked message and the exchange that it goes to.
type publishing struct {
	message.Publishing
	to       *declaredExchange
	reserved int64 // bytes that admit has counted, until queues count the message
}

// checkProperties refuses properties that AMQP cannot carry. narrow says that the
// headers have integers which users see in another width.
func checkProperties(props *message.Properties) (narrow bool, err error) {
	if name, size := props.TooLong(); name != "" {
		return false, failure(wire.BasicPublishID, wire.CodeSyntaxError, "property %s of %d bytes exceeds %d", name, size, maxShortString)
	}
	if props.Headers == nil {
		return false, nil
	}
	return checkTable(wire.BasicPublishID, props.Headers)
}

// setProperties checks the properties, sets the message's deadline from its
// expiration, and takes more routing keys from the headers CC and BCC. It removes
// BCC from the headers. narrow is as in checkProperties.
func (p *publishing) setProperties(shared *queue.Shared, props *message.Properties) (narrow bool, err error) {
	if narrow, err = checkProperties(props); err != nil {
		return false, err
	}
	if err := p.setExpiration(shared, props.Expiration); err != nil || props.Headers == nil {
		return false, err
	}
	props.Headers, err = p.takeKeys(props.Headers)
	return narrow, err
}

// setExpiration checks an expiration and sets the deadline, counted from now on the
// clock of all queues.
func (p *publishing) setExpiration(shared *queue.Shared, expiration string) error {
	if expiration == "" {
		return nil
	}
	ms, problem := message.ParseExpiration(expiration)
	if problem != "" {
		return failure(wire.BasicPublishID, wire.CodePreconditionFailed, "invalid expiration '%s': %s", expiration, problem).
			withHint("it is a number of milliseconds, written as decimal digits")
	}
	p.Deadline = clock.Earlier(p.Deadline, shared.Clock.Now()+ms*int64(time.Millisecond))
	return nil
}

// takeKeys adds the routing keys in the headers CC and BCC to p, and returns the
// headers without BCC.
func (p *publishing) takeKeys(headers Table) (Table, error) {
	rest, bad, v := p.TakeKeys(headers)
	if bad != "" {
		return nil, failure(wire.BasicPublishID, wire.CodePreconditionFailed, "invalid message: {unacceptable_type_in_header,%q,%s}", bad, table.TypeName(v))
	}
	return rest, nil
}

// release gives back what admit has counted, because those who have the message now
// count it, or nobody has it.
func (p *publishing) release(shared *queue.Shared) {
	if p.reserved != 0 {
		shared.Memory.Add(-p.reserved)
		p.reserved = 0
	}
}
