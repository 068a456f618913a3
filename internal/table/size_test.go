package table_test

import (
	"fmt"
	"math/bits"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// TestSizeIsAboutWhatATableTakes makes tables as they are decoded and compares their
// size with what the heap grows by. Sizes are those of 64 bits.
func TestSizeIsAboutWhatATableTakes(t *testing.T) {
	many := table.Table{}
	for i := range 1000 {
		many[fmt.Sprintf("key %d", i)] = int32(i + 1000)
	}
	nested := table.Table{"list": []any{"one", int64(2000), []byte("three")}, "table": table.Table{"a": table.Table{"b": "c"}}}
	for name, of := range map[string]table.Table{
		"empty": {}, "one": {"name": "value"}, "eight": {"a": "1", "b": "2", "c": "3", "d": "4", "e": "5", "f": "6", "g": "7", "h": "8"},
		"many": many, "nested": nested,
	} {
		octets := wire.AppendTable(nil, of)[4:]
		keep := make([]table.Table, 500)
		before := heap()
		for i := range keep {
			keep[i], _ = wire.ParseTable(octets)
		}
		took := int64(heap()-before) / int64(len(keep))
		size := table.Size(keep[0])
		runtime.KeepAlive(keep)
		require.Greater(t, size, took*2/3, "%s takes %d bytes", name, took)
		require.Less(t, size, 2*took*64/bits.UintSize+400, "%s takes %d bytes", name, took)
	}
	require.Zero(t, table.Size(nil))
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
