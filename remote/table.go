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

// tableHere returns a table of amqp091-go as the engine takes it.
func tableHere(t amqp091.Table) wire.Table {
	if t == nil {
		return nil
	}
	here := make(wire.Table, len(t))
	for k, v := range t {
		here[k] = valueHere(v)
	}
	return here
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
