package warren

import (
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/wire"
)

const maxShortString = names.MaxLen

// checkName refuses a name that is too long for AMQP's short string or is not UTF-8.
// what describes the name in the error, for example "queue name".
func checkName(m wire.MethodID, what, text string) error {
	if code, problem := names.Check(what, text); problem != "" {
		return failure(m, code, "%s", problem)
	}
	return nil
}
