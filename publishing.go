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
	passed   *passed // counts the message; nil: nobody watches
	reserved int64   // bytes that admit has counted, until queues count the message
}

// checkProperties refuses properties that AMQP cannot carry. The result is about the
// headers.
func checkProperties(props *message.Properties) (table.Checked, error) {
	if name, size := props.TooLong(); name != "" {
		return table.Checked{}, failure(wire.BasicPublishID, wire.CodeSyntaxError, "property %s of %d bytes exceeds %d", name, size, maxShortString)
	}
	if props.Headers == nil {
		return table.Checked{}, nil
	}
	return checkTable(wire.BasicPublishID, props.Headers)
}

// setProperties checks the properties, sets the message's deadline from its
// expiration, and takes more routing keys from the headers CC and BCC. It removes
// BCC from the headers. The result is about the headers that are left.
func (p *publishing) setProperties(shared *queue.Shared, props *message.Properties) (table.Checked, error) {
	checked, err := checkProperties(props)
	if err != nil {
		return checked, err
	}
	if err := p.setExpiration(shared, props.Expiration); err != nil || props.Headers == nil {
		return checked, err
	}
	n := len(props.Headers)
	if props.Headers, err = p.takeKeys(props.Headers); len(props.Headers) < n {
		checked.Size = table.Size(props.Headers)
	}
	return checked, err
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

// countPassed counts a message that so many queues and requesters have taken. It does
// nothing if nobody watched when the message was prepared.
func (p *publishing) countPassed(taken int) {
	if p.passed != nil {
		p.passed.count(len(p.Body), taken)
	}
}

// countUnrouted counts a message that nothing took, and that is returned or dropped.
func (p *publishing) countUnrouted() {
	c := p.passed
	if c == nil {
		return
	}
	c.count(len(p.Body), 0)
	if p.Mandatory || p.Immediate {
		c.returned.Add(1)
	} else {
		c.unroutable.Add(1)
	}
}

// release gives back what admit has counted, because those who have the message now
// count it, or nobody has it.
func (p *publishing) release(shared *queue.Shared) {
	if p.reserved != 0 {
		shared.Memory.Add(-p.reserved)
		p.reserved = 0
	}
}
