package argument

import (
	"strconv"
	"time"
)

// maxAge is the longest age; a longer one counts as this. It is longer than any
// broker runs, and a time.Duration can hold it.
const maxAge = 100 * 365 * 24 * time.Hour

// parseAge reads an age in RabbitMQ's form: a positive number and a unit, such as
// 7D.
func parseAge(s string) (age time.Duration, ok bool) {
	if len(s) < 2 {
		return 0, false
	}
	var unit time.Duration
	switch s[len(s)-1] {
	case 's':
		unit = time.Second
	case 'm':
		unit = time.Minute
	case 'h':
		unit = time.Hour
	case 'D':
		unit = 24 * time.Hour
	case 'M':
		unit = 30 * 24 * time.Hour
	case 'Y':
		unit = 365 * 24 * time.Hour
	default:
		return 0, false
	}
	number := s[:len(s)-1]
	for i := range len(number) {
		if number[i] < '0' || number[i] > '9' {
			return 0, false
		}
	}
	n, _ := strconv.ParseUint(number, 10, 64) // the largest value, if it is too large
	if n == 0 {
		return 0, false
	}
	return time.Duration(min(n, uint64(maxAge/unit))) * unit, true
}

// FormatAge formats an age in seconds, rounded up, such as 90s.
func FormatAge(d time.Duration) string {
	n := int64(d / time.Second)
	if d%time.Second > 0 {
		n++
	}
	return strconv.FormatInt(n, 10) + "s"
}
