package wire

// Reply codes of AMQP 0-9-1.
const (
	CodeContentTooLarge    = 311
	CodeNoRoute            = 312
	CodeNoConsumers        = 313
	CodeConnectionForced   = 320
	CodeInvalidPath        = 402
	CodeAccessRefused      = 403
	CodeNotFound           = 404
	CodeResourceLocked     = 405
	CodePreconditionFailed = 406
	CodeFrameError         = 501
	CodeSyntaxError        = 502
	CodeCommandInvalid     = 503
	CodeChannelError       = 504
	CodeUnexpectedFrame    = 505
	CodeResourceError      = 506
	CodeNotAllowed         = 530
	CodeNotImplemented     = 540
	CodeInternalError      = 541
)

// CodeName is the name of a reply code: what stands before reply texts. An
// unknown code counts as an internal error.
func CodeName(code uint16) string {
	switch code {
	case CodeContentTooLarge:
		return "CONTENT_TOO_LARGE"
	case CodeNoRoute:
		return "NO_ROUTE"
	case CodeNoConsumers:
		return "NO_CONSUMERS"
	case CodeConnectionForced:
		return "CONNECTION_FORCED"
	case CodeInvalidPath:
		return "INVALID_PATH"
	case CodeAccessRefused:
		return "ACCESS_REFUSED"
	case CodeNotFound:
		return "NOT_FOUND"
	case CodeResourceLocked:
		return "RESOURCE_LOCKED"
	case CodePreconditionFailed:
		return "PRECONDITION_FAILED"
	case CodeFrameError:
		return "FRAME_ERROR"
	case CodeSyntaxError:
		return "SYNTAX_ERROR"
	case CodeCommandInvalid:
		return "COMMAND_INVALID"
	case CodeChannelError:
		return "CHANNEL_ERROR"
	case CodeUnexpectedFrame:
		return "UNEXPECTED_FRAME"
	case CodeResourceError:
		return "RESOURCE_ERROR"
	case CodeNotAllowed:
		return "NOT_ALLOWED"
	case CodeNotImplemented:
		return "NOT_IMPLEMENTED"
	}
	return "INTERNAL_ERROR"
}

// ClosesConnection reports whether RabbitMQ closes the whole connection for a
// reply code, and not just the channel.
func ClosesConnection(code uint16) bool {
	switch code {
	case CodeContentTooLarge, CodeNoRoute, CodeNoConsumers, CodeAccessRefused, CodeNotFound, CodeResourceLocked, CodePreconditionFailed:
		return false
	}
	return true
}
