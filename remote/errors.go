package remote

import (
	"context"
	"errors"
	"fmt"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// unconfirmedError is ErrConnectionLost of a publish whose channel was closed, perhaps
// because of another one.
type unconfirmedError struct{ reason error }

func (e *unconfirmedError) Error() string {
	return "remote: the channel was closed before the message was confirmed, which may be there or not: " + e.reason.Error()
}
func (e *unconfirmedError) Unwrap() []error { return []error{ErrConnectionLost, e.reason} }

// unknown is the error of a context that has ended before the confirm.
func unknown(ctx context.Context) error {
	return fmt.Errorf("%w: whether the broker has the message is not known yet", ctx.Err())
}

// refused returns the error of a method that the other broker has refused. It is nil if
// err is something else, such as the end of the connection.
func refused(m wire.MethodID, err error) *warren.Error {
	e, ok := errors.AsType[*amqp091.Error](err)
	if !ok || !e.Server || e.Code == wire.CodeConnectionForced {
		return nil
	}
	return &warren.Error{Code: uint16(e.Code), Class: uint16(m >> 16), Method: uint16(m), Text: e.Reason}
}
