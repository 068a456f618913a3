package argument

import (
	"fmt"
	"slices"
	"time"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/table"
)

// milliseconds converts an integer to a duration. It bounds it, because numbers in
// policies are not bounded.
func milliseconds(v any) time.Duration {
	n, _ := table.Integer(v)
	return time.Duration(min(n, message.MaxExpiration)) * time.Millisecond
}

// Unacceptable returns RabbitMQ's term for a value of a wrong type.
func Unacceptable(v any) string { return "{unacceptable_type," + table.TypeName(v) + "}" }

// NoInteger returns RabbitMQ 3's text for a value that should be an integer, with
// quotes.
func NoInteger(v any) string { return `"expected integer, got ` + table.TypeName(v) + `"` }

func isString(v any, _ table.Table) string {
	if _, ok := v.(string); ok {
		return ""
	}
	return Unacceptable(v)
}

// isName checks for a text that can be a name or a routing key.
func isName(v any, args table.Table) string {
	if problem := isString(v, args); problem != "" {
		return problem
	}
	if _, problem := names.Check("name", v.(string)); problem != "" {
		return problem
	}
	return ""
}

func isBool(v any, _ table.Table) string {
	if _, ok := v.(bool); ok {
		return ""
	}
	return Unacceptable(v)
}

func isCount(v any, _ table.Table) string {
	n, ok := table.Integer(v)
	switch {
	case !ok:
		return NoInteger(v)
	case n < 0:
		return fmt.Sprintf("{value_negative,%d}", n)
	}
	return ""
}

func isTime(v any, args table.Table) string {
	if problem := isCount(v, args); problem != "" {
		return problem
	}
	if n, _ := table.Integer(v); n > message.MaxExpiration {
		return fmt.Sprintf("{value_too_large,%d}", n)
	}
	return ""
}

func isPositive(v any, args table.Table) string {
	if n, ok := table.Integer(v); ok && n == 0 {
		return "{value_zero,0}"
	}
	return isCount(v, args)
}

func isPositiveTime(v any, args table.Table) string {
	if problem := isPositive(v, args); problem != "" {
		return problem
	}
	return isTime(v, args)
}

func isPriority(v any, args table.Table) string {
	if problem := isCount(v, args); problem != "" {
		return problem
	}
	if n, _ := table.Integer(v); n > 255 {
		return fmt.Sprintf("{max_value_exceeded,%d}", n)
	}
	return ""
}

func isDeadLetterKey(v any, args table.Table) string {
	if problem := isName(v, args); problem != "" {
		return problem
	}
	if _, ok := args["x-dead-letter-exchange"]; !ok {
		return "routing_key_but_no_dlx_defined"
	}
	return ""
}

// oneOf makes a check for the strings of a list. Another string is reported as
// the given problem.
func oneOf(problem string, list ...string) func(any, table.Table) string {
	return func(v any, args table.Table) string {
		if problem := isString(v, args); problem != "" {
			return problem
		}
		if !slices.Contains(list, v.(string)) {
			return problem
		}
		return ""
	}
}

func isOverflow(v any, args table.Table) string {
	return oneOf("invalid_overflow", "drop-head", "reject-publish", "reject-publish-dlx")(v, args)
}

func isQueueMode(v any, args table.Table) string {
	return oneOf(fmt.Sprintf(`"unsupported queue mode '%v'"`, v), "default", "lazy")(v, args)
}

func isQueueType(v any, args table.Table) string {
	return oneOf(fmt.Sprintf(`"unsupported queue type '%v'"`, v), "classic", "quorum", "stream")(v, args)
}

func isAge(v any, args table.Table) string {
	if problem := isString(v, args); problem != "" {
		return problem
	}
	if _, ok := parseAge(v.(string)); !ok {
		return "invalid_max_age"
	}
	return ""
}

func isQueueVersion(v any, _ table.Table) string {
	if n, ok := table.Integer(v); ok && (n == 1 || n == 2) {
		return ""
	}
	return unsupportedVersion(v)
}

func unsupportedVersion(v any) string { return fmt.Sprintf(`"unsupported queue version '%v'"`, v) }
