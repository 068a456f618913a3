package warren

import (
	"strings"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// What the parts of the topology hold in memory, in bytes, beside their arguments and
// what their names exceed an ordinary one by. TestTopologyCountsWhatItHolds compares
// it with the heap.
const (
	sessionHeld  = 1 << 10
	channelHeld  = 2 << 10 // with names that it remembers
	consumerHeld = 1 << 10
	queueHeld    = 1280 // with room for a few messages
	exchangeHeld = 1280 // with maps for its first bindings
	bindingHeld  = 512
	wordHeld     = 448 // of a pattern with wildcards
)

// maxArguments is how large the arguments of a declaration, a binding or a consumer
// may be, in bytes as AMQP encodes them.
const maxArguments = 16 << 10

// lightArguments is how much the arguments of a queue or an exchange may hold that a
// channel remembers as its last destination, in bytes. What it remembers stays in memory
// after it was deleted, and no longer counts then.
const lightArguments = 1 << 10

// checkArguments refuses arguments that AMQP cannot carry, and those that are larger
// than anybody needs.
func checkArguments(m wire.MethodID, args Table) error {
	if len(args) == 0 {
		return nil
	}
	if _, err := checkTable(m, args); err != nil {
		return err
	}
	if n := table.EncodedSize(args); n > maxArguments {
		return failure(m, wire.CodePreconditionFailed, "arguments of %d bytes exceed %d", n, maxArguments)
	}
	return nil
}

// argumentsHeld returns how many bytes a queue or an exchange holds for its arguments,
// with what these ask for from the beginning.
func argumentsHeld(args Table) int64 {
	n := table.Size(args)
	if o, ok := argument.Duplicates(args); ok {
		n += o.Held()
	}
	return n
}

// bindingSize returns how many bytes a binding with this key holds, whose arguments
// hold args bytes and have the canonical form given.
func bindingSize(source ExchangeType, key, canonical string, args int64) int64 {
	n := bindingHeld + int64(len(key)+len(canonical)) + args
	if source == Topic && strings.ContainsAny(key, "*#") {
		n += wordHeld * int64(strings.Count(key, ".")+1)
	}
	return n
}
