package both_test

import (
	"strings"
	"testing"

	"github.com/warrenmq/warren"
)

// TestNamesInArgumentsAreNames: a name that nothing can have is a mistake of that
// argument, and closes the channel alone.
func TestNamesInArgumentsAreNames(t *testing.T) {
	long, bad := strings.Repeat("a", 256), "\xff"
	eachOnBothSides(t, map[string]struct{ name, problem string }{
		"too long": {long, "name of 256 bytes exceeds 255"},
		"no UTF-8": {bad, `Malformed UTF-8 in shortstr: name "\xff"`},
	}, func(t *side, c struct{ name, problem string }) {
		for _, arg := range []string{"alternate-exchange", "x-alternate-exchange"} {
			t.refuses(406, "PRECONDITION_FAILED - invalid arg 'alternate-exchange' for exchange 'x' in vhost '/': "+c.problem, func(ch sideChannel) error {
				return ch.ExchangeDeclare("x", warren.Fanout, warren.ExchangeOptions{Args: warren.Table{arg: c.name}})
			})
		}
		for _, arg := range []string{"x-dead-letter-exchange", "x-dead-letter-routing-key"} {
			t.refuses(406, "PRECONDITION_FAILED - invalid arg '"+arg+"' for queue 'q' in vhost '/': "+c.problem, func(ch sideChannel) error {
				_, err := ch.QueueDeclare("q", warren.QueueOptions{Args: warren.Table{"x-dead-letter-exchange": "", arg: c.name}})
				return err
			})
		}
	})
}
