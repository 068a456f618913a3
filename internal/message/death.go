package message

import (
	"time"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Reasons why a message is dead-lettered, as in the header x-death.
const (
	DiedRejected      = "rejected"
	DiedExpired       = "expired"
	DiedMaxLen        = "maxlen"
	DiedDeliveryLimit = "delivery_limit"
)

// CarbonKeys returns the routing keys in the header CC. Entries that are no texts
// are left out.
func CarbonKeys(h table.Table) (keys []any) {
	list, _ := h["CC"].([]any)
	for _, k := range list {
		if _, ok := k.(string); ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// Death describes how a message died, for an entry of the header x-death.
type Death struct {
	Queue, Reason, Exchange string
	Expiration              string // the message's property expiration, which it loses
	Keys                    []any  // routing keys
	Time                    time.Time
}

// Edit sets e to what the death changes of a message with the headers h, as RabbitMQ
// does, and returns the new x-death. That gets an entry in front of the others. If it
// has an entry for the same queue and reason, that one is moved to the front and its
// count raised; the rest of it stays as the first death set it. The headers
// x-first-death-* are set if there was no x-death, the headers x-last-death-* always.
// The expiration goes.
func (d *Death) Edit(e *Edit, h table.Table) (history []any) {
	queue, reason, exchange := any(d.Queue), any(d.Reason), any(d.Exchange)
	old, _ := h["x-death"].([]any)
	list := make([]any, 1, len(old)+1)
	var entry table.Table
	for _, v := range old {
		if t, ok := v.(table.Table); ok && entry == nil && t["queue"] == queue && t["reason"] == reason {
			entry = table.Clone(t)
			count, _ := table.Integer(t["count"])
			entry["count"] = max(count, count+1) // the largest count stays
		} else {
			list = append(list, v)
		}
	}
	e.Reset()
	if entry == nil {
		fields := [...]wire.Header{
			{Name: "count", Value: int64(1)}, {Name: "reason", Value: reason}, {Name: "queue", Value: queue},
			{Name: "time", Value: d.Time.Truncate(time.Second)}, {Name: "exchange", Value: exchange}, {Name: "routing-keys", Value: d.Keys},
			{}, // original-expiration, if there is one
		}
		n := len(fields) - 1
		if d.Expiration != "" {
			fields[n] = wire.Header{Name: "original-expiration", Value: d.Expiration}
			n++
		}
		entry = make(table.Table, n)
		size := table.SizeOfList(1) + table.SizeOfMap(n)
		for i := range fields[:n] {
			h := &fields[i]
			entry[h.Name] = h.Value
			size += int64(len(h.Name)) + table.SizeOf(h.Value)
		}
		if len(old) == 0 {
			e.First = size
		}
	}
	list[0] = entry
	e.WithoutExpiration = true
	e.Set = append(e.Set, wire.Header{Name: "x-death", Value: list})
	if _, ok := h["x-death"]; !ok {
		e.Set = append(e.Set, wire.Header{Name: "x-first-death-reason", Value: reason},
			wire.Header{Name: "x-first-death-queue", Value: queue}, wire.Header{Name: "x-first-death-exchange", Value: exchange})
	}
	e.Set = append(e.Set, wire.Header{Name: "x-last-death-reason", Value: reason},
		wire.Header{Name: "x-last-death-queue", Value: queue}, wire.Header{Name: "x-last-death-exchange", Value: exchange})
	return list
}

// Visited returns the queues that a message with these deaths, the newest first, does
// not go to again: it has died there, and was rejected neither there nor anywhere
// since.
func Visited(history []any) (queues []string) {
	for _, v := range history {
		t, _ := v.(table.Table)
		if t["reason"] == any(DiedRejected) {
			break
		}
		if name, ok := t["queue"].(string); ok {
			queues = append(queues, name)
		}
	}
	return queues
}
