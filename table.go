package warren

import (
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Table is an AMQP field table: headers of a message, or arguments of a queue,
// exchange, binding or consumer. Its values may be
//
//	nil, bool, string, []byte, time.Time, [Decimal], Table, []any (of these),
//	int8, int16, int32, int64, int, uint8, uint16, uint32, float32, float64
//
// It is an ordinary map, so a JSON object can be decoded into a table. Keys are at
// most 255 bytes of UTF-8. Tables and arrays may be nested 32 deep.
type Table = map[string]any

// Decimal is AMQP's decimal: Value, an int32, divided by 10 to the power of Scale, a
// uint8.
type Decimal = wire.Decimal

// checkTable refuses a table that AMQP cannot carry, with an error of the method m.
func checkTable(m wire.MethodID, t Table) (table.Checked, error) {
	checked, p := table.Check(t)
	if p != nil {
		return checked, failure(m, p.Code, "%s", p.Text).withHint(p.Hint)
	}
	return checked, nil
}
