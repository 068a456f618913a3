package fuzz_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/warrenmq/warren"
)

// All clients use the same few names, so that they meet.
var (
	queueNames    = []string{"q0", "q1", "q2", "q3", "q4", "q5", "s0", "s1", "handled"}
	exchangeNames = []string{"x0", "x1", "x2", "x3", "x4"}
	keys          = []string{"q0", "q1", "a.b", "a.b.c", "a.*", "#", "*.b.#", "1", "7", ""}
	kinds         = []warren.ExchangeType{warren.Direct, warren.Fanout, warren.Topic, warren.Headers, warren.ConsistentHash, warren.DelayedMessage}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// some is zero as often as not.
func some(r *rand.Rand, n int) int64 { return max(0, r.Int64N(int64(2*n))-int64(n)) }

// exchangeName may be that of a predeclared exchange.
func exchangeName(r *rand.Rand) string {
	if r.IntN(4) == 0 {
		return pick(r, []string{"", "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "nowhere"})
	}
	return pick(r, exchangeNames)
}

func queueOptions(r *rand.Rand, name string) warren.QueueOptions {
	o := warren.QueueOptions{Durable: r.IntN(2) == 0, MaxLength: some(r, 30), MaxLengthBytes: some(r, 3000)}
	if name[0] == 's' {
		o.Type, o.Durable = warren.Stream, true
		o.MaxAge = time.Duration(some(r, 2)) * time.Second
		return o
	}
	o.Exclusive, o.AutoDelete = r.IntN(12) == 0, r.IntN(12) == 0
	o.MessageTTL = time.Duration(some(r, 5)) * time.Millisecond
	o.Expires = time.Duration(some(r, 20)) * time.Millisecond
	o.Overflow = pick(r, []warren.Overflow{"", "", warren.RejectPublish, warren.RejectPublishDLX})
	if r.IntN(2) == 0 {
		o.DeadLetter = &warren.DeadLetter{Exchange: exchangeName(r), RoutingKey: pick(r, keys)}
	}
	if r.IntN(4) == 0 {
		o.MaxPriority = uint8(r.IntN(12))
	}
	o.SingleActiveConsumer = r.IntN(6) == 0
	o.DeliveryLimit = some(r, 3)
	if r.IntN(6) == 0 {
		o.ConsumerTimeout = time.Duration(1+r.IntN(20)) * time.Millisecond
	}
	if r.IntN(6) == 0 {
		o.Deduplicate = &warren.Deduplication{CacheSize: 1 + r.Int64N(20), CacheTTL: time.Duration(some(r, 5)) * time.Millisecond}
	}
	if r.IntN(6) == 0 {
		o.Type = warren.Quorum
	}
	return o
}

func exchangeOptions(r *rand.Rand, kind warren.ExchangeType) warren.ExchangeOptions {
	o := warren.ExchangeOptions{Durable: r.IntN(2) == 0, AutoDelete: r.IntN(8) == 0, Internal: r.IntN(8) == 0}
	if r.IntN(4) == 0 {
		o.Alternate = exchangeName(r)
	}
	if kind == warren.DelayedMessage {
		o.DelayedType = pick(r, kinds[:4])
	}
	if kind == warren.ConsistentHash && r.IntN(2) == 0 {
		o.HashHeader = "hash"
	}
	if r.IntN(8) == 0 {
		o.Deduplicate = &warren.Deduplication{CacheSize: 1 + r.Int64N(20)}
	}
	return o
}

func bindingArguments(r *rand.Rand) warren.Table {
	if r.IntN(2) == 0 {
		return nil
	}
	return warren.Table{"x-match": pick(r, []string{"all", "any", "all-with-x"}), "kind": r.Int32N(3)}
}

func headers(r *rand.Rand) warren.Table {
	h := warren.Table{}
	for range r.IntN(4) {
		switch r.IntN(8) {
		case 0:
			h["kind"] = r.Int32N(3)
		case 1:
			h["x-delay"] = r.Int32N(20)
		case 2:
			h["x-deduplication-header"] = fmt.Sprint(r.IntN(30))
		case 3:
			h["CC"] = []any{pick(r, keys), pick(r, queueNames)}
		case 4:
			h["BCC"] = []any{pick(r, queueNames)}
		case 5:
			h["hash"] = fmt.Sprint(r.IntN(30))
		case 6:
			h["x-stream-filter-value"] = pick(r, keys)
		case 7:
			h["list"] = []any{"a", int64(1), true, nil}
		}
	}
	return h
}

func consumeOptions(r *rand.Rand, queue string) warren.ConsumeOptions {
	o := warren.ConsumeOptions{NoAck: r.IntN(4) == 0, Exclusive: r.IntN(12) == 0, Prefetch: int(some(r, 30)), Priority: int(some(r, 3))}
	if queue[0] == 's' {
		o.NoAck, o.Prefetch, o.Priority = false, 1+r.IntN(10), 0
		o.Offset = pick(r, []warren.StreamStart{warren.StreamFirst(), warren.StreamLast(), warren.StreamNext(), warren.StreamOffset(r.Int64N(50)), warren.StreamOffset(-r.Int64N(50))})
		if r.IntN(3) == 0 {
			o.Filter, o.MatchUnfiltered = []string{pick(r, keys)}, r.IntN(2) == 0
		}
	}
	return o
}

func policy(r *rand.Rand) warren.Policy {
	p := warren.Policy{Name: fmt.Sprint("p", r.IntN(3)), Pattern: pick(r, []string{"^q", "^s", "0$", "", "^q1$"}), Priority: r.IntN(3)}
	p.Definition = warren.Table{}
	for range 1 + r.IntN(3) {
		switch r.IntN(7) {
		case 0:
			p.Definition["max-length"] = 1 + r.Int64N(30)
		case 1:
			p.Definition["max-length-bytes"] = r.Int64N(3000)
		case 2:
			p.Definition["message-ttl"] = r.Int64N(10)
		case 3:
			p.Definition["expires"] = 1 + r.Int64N(20)
		case 4:
			p.Definition["delivery-limit"] = r.Int64N(4)
		case 5:
			p.Definition["overflow"] = pick(r, []string{"drop-head", "reject-publish"})
		case 6:
			if p.Definition["dead-letter-exchange"] == nil {
				p.Definition["dead-letter-exchange"] = exchangeName(r)
			}
		}
	}
	return p
}
