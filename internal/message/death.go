package message

import (
	"maps"
	"time"

	"github.com/warrenmq/warren/internal/table"
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

// Headers returns a copy of h with the death, as RabbitMQ adds it. The header
// x-death gets an entry in front of the others. If it has an entry for the same
// queue and reason, that one is moved to the front and its count raised; the rest
// of it stays as the first death set it. The headers x-first-death-* are set if
// there was no x-death, the headers x-last-death-* always.
func (d *Death) Headers(h table.Table) table.Table {
	out := make(table.Table, len(h)+7)
	maps.Copy(out, h)
	old, _ := h["x-death"].([]any)
	list := make([]any, 1, len(old)+1)
	var entry table.Table
	for _, v := range old {
		if t, ok := v.(table.Table); ok && entry == nil && t["queue"] == any(d.Queue) && t["reason"] == any(d.Reason) {
			entry = table.Clone(t)
			count, _ := table.Integer(t["count"])
			entry["count"] = max(count, count+1) // the largest count stays
		} else {
			list = append(list, v)
		}
	}
	if entry == nil {
		entry = table.Table{
			"count": int64(1), "reason": d.Reason, "queue": d.Queue, "time": d.Time.Truncate(time.Second),
			"exchange": d.Exchange, "routing-keys": d.Keys,
		}
		if d.Expiration != "" {
			entry["original-expiration"] = d.Expiration
		}
	}
	list[0] = entry
	out["x-death"] = list
	if _, ok := h["x-death"]; !ok {
		out["x-first-death-reason"], out["x-first-death-queue"], out["x-first-death-exchange"] = d.Reason, d.Queue, d.Exchange
	}
	out["x-last-death-reason"], out["x-last-death-queue"], out["x-last-death-exchange"] = d.Reason, d.Queue, d.Exchange
	return out
}

// Cycles reports whether a message with these deaths, the newest first, has died
// in the queue before and was rejected neither there nor anywhere since.
func Cycles(history []any, queue string) bool {
	for _, v := range history {
		t, _ := v.(table.Table)
		if t["reason"] == any(DiedRejected) {
			return false
		}
		if t["queue"] == any(queue) {
			return true
		}
	}
	return false
}
