package warren

import (
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/wire"
)

const maxShortString = names.MaxLen

// checkNewName refuses a name that a new exchange or queue may not have. what is
// "exchange" or "queue".
func (v *VirtualHost) checkNewName(m wire.MethodID, what, name string) error {
	r := v.broker.like
	if p := r.ReservedPrefix(name); p != "" {
		return failure(m, wire.CodeAccessRefused, "%s name '%s' contains reserved prefix '%s*'", what, name, p)
	}
	if !r.IsPrintable(name) {
		return failure(m, wire.CodePreconditionFailed, "%s name %q isn't valid: only printable ASCII is", what, name)
	}
	return nil
}

// checkName refuses a name that is too long for AMQP's short string or is not UTF-8.
// what describes the name in the error, for example "queue name".
func checkName(m wire.MethodID, what, text string) error {
	if code, problem := names.Check(what, text); problem != "" {
		return failure(m, code, "%s", problem)
	}
	return nil
}
