package argument

import (
	"fmt"
	"math"

	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/table"
)

// Names of arguments of deduplication. DeduplicationHeader is also the name of the
// header that tells messages apart, unless the argument names another header.
const (
	DeduplicationHeader = "x-deduplication-header"
	Deduplicate         = "x-message-deduplication"
	CacheSize           = "x-cache-size"
)

const defaultCacheSize = 128

// Duplicates returns what an exchange or a queue with these checked arguments
// remembers. Ok is false if the arguments do not ask for deduplication.
func Duplicates(args table.Table) (o duplicates.Options, ok bool) {
	if args[Deduplicate] != any(true) {
		return o, false
	}
	o = duplicates.Options{Header: DeduplicationHeader, Size: defaultCacheSize, TTL: -1}
	if name, ok := args[DeduplicationHeader].(string); ok {
		o.Header = name
	}
	if n, ok := table.Integer(args[CacheSize]); ok {
		o.Size = n
	}
	if n, ok := table.Integer(args[duplicates.TTLHeader]); ok {
		o.TTL = n
	}
	return o, true
}

func isCacheSize(v any, args table.Table) string {
	if n, ok := table.Integer(v); ok && n == 0 {
		return "{value_zero,0}"
	}
	if problem := isCount(v, args); problem != "" {
		return problem
	}
	if n, _ := table.Integer(v); n > math.MaxUint32 {
		return fmt.Sprintf("{value_too_large,%d}", n)
	}
	return ""
}
