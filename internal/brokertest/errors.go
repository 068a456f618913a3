package brokertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// Fails requires an error of AMQP: its code, its method and its reply text.
func Fails(t testing.TB, err error, code, class, method uint16, text string) {
	t.Helper()
	var e *warren.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t,
		warren.Error{Code: code, Class: class, Method: method, Text: text},
		warren.Error{Code: e.Code, Class: e.Class, Method: e.Method, Text: e.Text})
}

// FailsWith is Fails where the method is not known: AMQP clients do not tell
// of it.
func FailsWith(t testing.TB, err error, code uint16, text string) {
	t.Helper()
	var e *warren.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code)
	require.Equal(t, text, e.Text)
}

// Returned requires that the error is a returned message, and gives it.
func Returned(t testing.TB, err error, code uint16, text string) *warren.Return {
	t.Helper()
	var r *warren.Return
	require.ErrorAs(t, err, &r)
	require.Equal(t, code, r.Code)
	require.Equal(t, text, r.Text)
	return r
}

// Overdue is what RabbitMQ says when it closes channel 1 because a delivery was
// not settled in time.
func Overdue(timeout time.Duration) string {
	return fmt.Sprintf("PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: %d ms. "+
		"This timeout value can be configured, see consumers doc guide to learn more", timeout.Milliseconds())
}
