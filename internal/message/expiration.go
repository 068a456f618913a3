package message

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxExpiration is RabbitMQ's bound of an expiration, in milliseconds: ten years
// of 365 days.
const MaxExpiration = 10 * 365 * 24 * 3600 * 1000

// ParseExpiration returns the milliseconds of an expiration, or RabbitMQ's term for
// what is wrong with it. The text must not be empty.
func ParseExpiration(s string) (ms int64, problem string) {
	sign := 0
	if s[0] == '-' || s[0] == '+' {
		sign = 1
	}
	rest := strings.TrimLeft(s[sign:], "0123456789")
	digits := len(s) - sign - len(rest)
	if digits == 0 {
		return 0, "no_integer"
	}
	if rest != "" {
		return 0, fmt.Sprintf("{leftover_string,%q}", rest)
	}
	n, _ := strconv.ParseInt(s, 10, 64) // the nearest value, if it is out of range
	switch {
	case n < 0:
		return 0, "{value_negative," + s + "}"
	case n > MaxExpiration:
		return 0, "{value_too_large," + strings.TrimPrefix(s, "+") + "}"
	}
	return n, ""
}
