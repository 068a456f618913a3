package management

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/warrenmq/warren"
)

// apiError is a failure as the API reports it: {"error":kind,"reason":reason}.
type apiError struct {
	status int
	kind   string
	reason string
	asks   bool // for a login
}

func (e *apiError) Error() string { return e.kind + ": " + e.reason }

func newError(status int, kind, reason string) *apiError {
	return &apiError{status: status, kind: kind, reason: reason}
}

func badRequest(format string, args ...any) error {
	return newError(http.StatusBadRequest, "bad_request", fmt.Sprintf(format, args...))
}

var (
	errNotFound      = newError(http.StatusNotFound, "Object Not Found", "Not Found")
	errVHostNotFound = newError(http.StatusNotFound, "not_found", "vhost_not_found")
	errNotJSON       = newError(http.StatusBadRequest, "bad_request", "not_json")
)

// notAuthorised refuses something that the user may not do. RabbitMQ answers it with
// 401, too, which browsers take for a question for another password.
func notAuthorised(reason string) error {
	return newError(http.StatusUnauthorized, "not_authorised", reason)
}

// fromBroker turns an error of the broker into one of the API.
func fromBroker(err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*warren.Error](err); ok {
		text := e.Text
		if _, after, ok := strings.Cut(text, " - "); ok {
			text = after
		}
		switch e.Code {
		case 404:
			return newError(http.StatusNotFound, "not_found", text)
		case 403:
			return newError(http.StatusUnauthorized, "not_authorised", e.Text)
		case 530:
			return newError(http.StatusBadRequest, "not_allowed", text)
		}
		return newError(http.StatusBadRequest, "bad_request", text)
	}
	text := strings.TrimPrefix(err.Error(), "warren: ")
	if errors.Is(err, warren.ErrClosed) {
		return newError(http.StatusServiceUnavailable, "service_unavailable", "the broker is closed")
	}
	if errors.Is(err, warren.ErrStorage) {
		return newError(http.StatusServiceUnavailable, "storage", text)
	}
	return newError(http.StatusBadRequest, "bad_request", text)
}
