package message

import (
	"maps"
	"time"

	"github.com/warrenmq/warren/internal/table"
)

// Why a message is lost: reasons in the header x-death.
const (
	DiedRejected      = "rejected"
	DiedExpired       = "expired"
	DiedMaxLen        = "maxlen"
	DiedDeliveryLimit = "delivery_limit"
)

// CarbonKeys are the keys in the header CC, which a message keeps.
func CarbonKeys(h table.Table) (keys []any) {
	list, _ := h["CC"].([]any)
	for _, k := range list {
		if _, ok := k.(string); ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// Death is one entry of the header x-death to be.
type Death struct {
	Queue, Reason, Exchange string
	Expiration              string // the message's own, which ends with it
	Keys                    []any
	Time                    time.Time
}

// Headers are h with the death in x-death, and the first and the last death in
// headers of their own, as RabbitMQ does it: the first is that of a message
// without x-death. Deaths of one queue for one reason
// are counted in one entry, which keeps what was said of the first; the newest
// entry is the first.
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
			entry["count"] = count + 1
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

// Cycles reports whether a message with these deaths has been in the queue
// before, and died there and everywhere since without anybody having rejected
// it.
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
