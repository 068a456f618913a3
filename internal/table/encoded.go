package table

import (
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// EncodedSize returns how many bytes a table that Check has passed has on the wire.
func EncodedSize(t Table) int64 {
	n := int64(4)
	for k, v := range t {
		n += 1 + int64(len(k)) + encodedValue(v)
	}
	return n
}

// encodedValue returns how many bytes a value has, with its tag.
func encodedValue(v any) int64 {
	switch v := v.(type) {
	case bool, int8, uint8:
		return 2
	case int16, uint16:
		return 3
	case int32, uint32, float32:
		return 5
	case wire.Decimal:
		return 6
	case int64, int, float64, time.Time:
		return 9
	case string:
		return 5 + int64(len(v))
	case []byte:
		return 5 + int64(len(v))
	case []any:
		n := int64(5)
		for _, e := range v {
			n += encodedValue(e)
		}
		return n
	case Table:
		return 1 + EncodedSize(v)
	}
	return 1
}
