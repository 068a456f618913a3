package remote

import (
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/internal/wire"
)

// tableThere returns a table as amqp091-go takes it.
func tableThere(t wire.Table) amqp091.Table {
	if t == nil {
		return nil
	}
	there := make(amqp091.Table, len(t))
	for k, v := range t {
		there[k] = valueThere(v)
	}
	return there
}

func valueThere(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v) // amqp091-go keeps 32 bits of an int
	case wire.Decimal:
		return amqp091.Decimal{Scale: v.Scale, Value: v.Value}
	case wire.Table:
		return tableThere(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = valueThere(v[i])
		}
		return list
	}
	return v
}

// tableHere returns a table of amqp091-go as the engine takes it. It may be the same.
func tableHere(t amqp091.Table) wire.Table {
	if !isDeep(t) {
		return wire.Table(t)
	}
	here := make(wire.Table, len(t))
	for k, v := range t {
		here[k] = valueHere(v)
	}
	return here
}

// isDeep reports whether there are values of types of amqp091-go in a table.
func isDeep(t amqp091.Table) bool {
	for _, v := range t {
		switch v.(type) {
		case amqp091.Decimal, amqp091.Table, []any:
			return true
		}
	}
	return false
}

func valueHere(v any) any {
	switch v := v.(type) {
	case amqp091.Decimal:
		return wire.Decimal{Scale: v.Scale, Value: v.Value}
	case amqp091.Table:
		return tableHere(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = valueHere(v[i])
		}
		return list
	}
	return v
}
