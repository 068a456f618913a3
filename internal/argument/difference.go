package argument

import (
	"fmt"
	"slices"

	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/table"
)

// Difference is an argument in which a declaration differs from the existing queue
// or exchange. The values are in RabbitMQ's form.
type Difference struct{ Arg, Received, Current string }

// QueueDifference compares the arguments of a declaration with those of the
// existing queue. It returns nil if they do not differ. Only arguments that mean
// something to a queue of this type count.
func QueueDifference(r *like.Rules, received, current table.Table) *Difference {
	foreign, _ := Foreign(r, current)
	for i := range queueArgs {
		name := queueArgs[i].name
		was, had := current[name]
		is, has := received[name]
		if had == has && (!had || table.Equal(was, is)) || slices.Contains(foreign, name) {
			continue
		}
		if name == "x-queue-type" && (!had && is == "classic" || !has && was == "classic") {
			continue
		}
		return difference(name, is, has, was, had)
	}
	return nil
}

// ExchangeDifference is QueueDifference for exchanges. It does not compare the
// alternate exchange: see AlternateDifference.
func ExchangeDifference(received, current table.Table) *Difference {
	for i := range exchangeArgs {
		name := exchangeArgs[i].name
		was, had := current[name]
		is, has := received[name]
		if had != has || had && !table.Equal(was, is) {
			return difference(name, is, has, was, had)
		}
	}
	return nil
}

// AlternateDifference compares the names of the alternate exchanges. It returns nil
// if they are the same.
func AlternateDifference(received, current string) *Difference {
	if received == current {
		return nil
	}
	return difference(Alternate, received, received != "", current, current != "")
}

func difference(name string, received any, has bool, current any, had bool) *Difference {
	is, was := quote(received, has, current, had)
	return &Difference{name, is, was}
}

// quote formats two arguments that differ as RabbitMQ does. If one is missing, the
// type of the other is named.
func quote(received any, has bool, current any, had bool) (string, string) {
	if has && had {
		return fmt.Sprintf("'%v'", received), fmt.Sprintf("'%v'", current)
	}
	return quoteValue(received, has), quoteValue(current, had)
}

func quoteValue(v any, ok bool) string {
	if !ok {
		return "none"
	}
	return fmt.Sprintf("the value '%v' of type '%s'", v, table.TypeName(v))
}
