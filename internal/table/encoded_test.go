package table_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

func TestEncodedSizeIsThatOnTheWire(t *testing.T) {
	for name, of := range map[string]table.Table{
		"none":  nil,
		"empty": {},
		"all types": {
			"nil": nil, "bool": true, "string": "text", "bytes": []byte("bytes"), "time": time.Unix(1, 0),
			"decimal": wire.Decimal{Scale: 1, Value: 2}, "int8": int8(1), "int16": int16(1), "int32": int32(1), "int64": int64(1), "int": 1,
			"uint8": uint8(1), "uint16": uint16(1), "uint32": uint32(1), "float32": float32(1), "float64": float64(1),
			"table": table.Table{"a": table.Table{}, "b": "c"}, "array": []any{nil, "x", int64(7), []any{}, table.Table{"k": true}},
		},
	} {
		require.EqualValues(t, len(wire.AppendTable(nil, of)), table.EncodedSize(of), name)
	}
}
