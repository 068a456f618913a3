package argument

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/table"
)

// maxWeight is the largest weight of a binding. It is LavinMQ's bound.
const maxWeight = math.MaxUint32

// CheckWeight returns why the key of a binding of an exchange that hashes is no
// weight. The text is empty if it is one.
func CheckWeight(key string) string {
	n, err := strconv.ParseInt(key, 10, 64) // the nearest value, if it is out of range
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return "The binding key must be an integer: " + table.Term(key)
	case n < 1:
		return "The binding key must be greater than 0"
	case n > maxWeight:
		return fmt.Sprintf("The binding key must not exceed %d", int64(maxWeight))
	}
	return ""
}

// CheckHeaders returns what is wrong with the arguments of a binding of a headers
// exchange. The text is empty if nothing is.
func CheckHeaders(r *like.Rules, args table.Table) string {
	v, ok := args["x-match"]
	if !ok {
		return ""
	}
	switch v {
	case "all", "any":
		return ""
	case "all-with-x", "any-with-x":
		if r.NoMatchWithX {
			return "x-match must be 'any' or 'all'"
		}
		return ""
	}
	if _, ok := v.(string); ok {
		return "Invalid x-match field value " + table.Term(v) + "; expected all, any, all-with-x, or any-with-x"
	}
	return fmt.Sprintf("Invalid x-match field type %s (value %s); expected longstr", table.TypeName(v), table.Term(v))
}
