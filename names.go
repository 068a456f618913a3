package warren

import (
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/wire"
)

const maxShortString = names.MaxLen

// checkName refuses a name that does not fit AMQP's short string. what tells
// the user which one.
func checkName(m wire.MethodID, what, text string) error {
	if code, problem := names.Check(what, text); problem != "" {
		return failure(m, code, "%s", problem)
	}
	return nil
}
