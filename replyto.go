package warren

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/table"
)

// DirectReplyTo is the name of the direct reply-to pseudo-queue. To use it, consume
// from it with NoAck, then publish requests on the same channel with this name as
// ReplyTo. The server gets a reply address instead of the name, and publishes the
// reply to the default exchange with that address as routing key. No queue is
// involved.
//
// The names "amq.rabbitmq.reply-to" and "amq.lavinmq.reply-to" mean the same. With
// [LikeRabbitMQ] and [LikeLavinMQ] those that the other broker does not know mean
// nothing: "amq.rabbitmq.reply-to" is known by all.
// [Broker.Call] does not need them.
const DirectReplyTo = like.ReplyTo

// isReplyName reports whether name is a name of the pseudo-queue.
func (v *VirtualHost) isReplyName(name string) bool { return v.broker.like.IsReplyName(name) }

// isReplyAddress reports whether name has the form of a reply address. The requester
// may have gone.
func isReplyAddress(name string) bool {
	if !strings.HasPrefix(name, names.ReservedPrefix) {
		return false
	}
	for _, base := range [...]string{like.ReplyTo, like.ReplyToRabbitMQ, like.ReplyToLavinMQ} {
		if len(name) > len(base) && name[len(base)] == '.' && name[:len(base)] == base {
			return true
		}
	}
	return false
}

// replyTable finds the requester of a reply address. Each virtual host has one.
type replyTable struct {
	vhost *VirtualHost

	delivered   atomic.Uint64
	droppedGone atomic.Uint64
	droppedSlow atomic.Uint64

	mu sync.Mutex
	// Guarded by mu.
	slots      []*replySlot
	free       []*replySlot // slots without a requester
	closed     bool
	random     *rand.ChaCha8
	untilRekey int // number of addresses until random gets a new key
	begins     begins
}

// replySlot is the place of a requester: a Call, an end of a stream of items, or a
// channel's reply consumer. It is used again for later requesters, each of which has a
// round of its own.
type replySlot struct {
	number int
	signal chan struct{} // has room for one: the call's answer is complete

	// round is odd while a requester waits. Whoever makes it even, by adding one
	// with claim, may answer the call or give it up. Nobody else may.
	round atomic.Uint64

	// Guarded by replyTable.mu.
	address string // in use, or the last one
	holder
	began  int64  // when a Call began, on the clock; zero: it is not known
	unused string // addresses made in advance, all of the same length

	// Owned by whoever claimed the slot, and after the signal by the caller.
	answer      answer
	recentQueue *declaredQueue // the queue of an earlier call
}

// holder is who holds a slot and its address.
type holder struct {
	consumer addressee       // takes all that comes to the address; nil for a Call
	caller   context.Context // of a call; nil: the holder waits for no answer
	waiter   waiter          // is told of the answer; nil: signal is sent
}

// addressee takes what comes to an address, any number of messages.
type addressee interface {
	// deliver takes a message. It reports false if the addressee has gone. The entry is a
	// copy, so that the publisher's need not be on the heap.
	deliver(e message.Entry) bool
	// context returns a context that ends when the addressee goes away.
	context() context.Context
}

// waiter waits for an answer otherwise than by a slot's signal.
type waiter interface {
	// answered is called once, when the slot has been claimed and has its answer.
	answered(s *replySlot)
}

// takeSlot gives a requester a slot and an address that begins with base.
func (t *replyTable) takeSlot(base string, h holder) (s *replySlot, round uint64, address string, err error) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil, 0, "", ErrClosed
	}
	if n := len(t.free); n > 0 {
		s = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		s = &replySlot{number: len(t.slots), signal: make(chan struct{}, 1)}
		t.slots = append(t.slots, s)
	}
	if h.caller == nil {
		s.address = t.newAddresses(s.number, base, 1)
	} else {
		if s.unused == "" {
			s.unused = t.newAddresses(s.number, base, addressesAhead)
		}
		n := len(base) + 1 + secretLen + numberLen
		s.address, s.unused = s.unused[:n], s.unused[n:]
		s.began = t.begins.next(&t.vhost.broker.watchers, &t.vhost.broker.queues.Clock)
	}
	s.caller = h.caller
	if h.consumer != nil || h.waiter != nil { // a Call has neither
		s.consumer, s.waiter = h.consumer, h.waiter
	}
	address, round = s.address, s.round.Add(1)
	t.mu.Unlock()
	return s, round, address, nil
}

// freeSlot takes the slot back. The round of its requester is over.
func (t *replyTable) freeSlot(s *replySlot) {
	t.mu.Lock()
	s.caller = nil
	if s.consumer != nil || s.waiter != nil {
		s.consumer, s.waiter = nil, nil
	}
	t.free = append(t.free, s)
	t.mu.Unlock()
}

// requester is the holder of an address.
type requester struct {
	slot     *replySlot // nil: there is no requester
	round    uint64
	consumer addressee       // nil for a Call
	caller   context.Context // of a Call, or of a stream of answers
}

// find returns the requester that holds the address.
func (t *replyTable) find(address string) requester {
	at := len(address) - numberLen
	if at <= secretLen || address[at-secretLen-1] != '.' {
		return requester{}
	}
	number, err := strconv.ParseUint(address[at:], 36, 31)
	if err != nil {
		return requester{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if number >= uint64(len(t.slots)) {
		return requester{}
	}
	s := t.slots[number]
	round := s.round.Load()
	if s.address != address || round%2 == 0 {
		return requester{}
	}
	return requester{s, round, s.consumer, s.caller}
}

// isWaiting reports whether an address has a requester.
func (t *replyTable) isWaiting(address string) bool {
	return t.find(address).slot != nil
}

// deliver gives a reply to the requester of an address. It reports false if there is
// none, or if it does not take the reply.
func (t *replyTable) deliver(address string, e *message.Entry) bool {
	r := t.find(address)
	if r.consumer != nil {
		return r.consumer.deliver(*e)
	}
	s := r.slot
	if s == nil || !s.claim(r.round) {
		t.droppedGone.Add(1)
		return false
	}
	reply := Message(e.Shown())
	s.answer.set(&reply, remoteError(reply.Headers))
	s.tell()
	t.delivered.Add(1)
	return true
}

// answerCall gives a reply, or err instead of it, to the Call that holds an address.
// It reports false if the address is none of a Call that waits.
func (t *replyTable) answerCall(address string, reply *Message, err error) bool {
	return t.answer(t.find(address), reply, err)
}

// answerOne is answerCall for a Call that waits for one answer.
func (t *replyTable) answerOne(address string, reply *Message, err error) bool {
	r := t.find(address)
	return r.consumer == nil && t.answer(r, reply, err)
}

// answer ends the round of a requester with a reply, or with err instead of it.
func (t *replyTable) answer(r requester, reply *Message, err error) bool {
	if r.slot == nil || r.caller == nil || !r.slot.claim(r.round) {
		return false
	}
	reply.Headers = table.Widen(reply.Headers)
	r.slot.answer.set(reply, err)
	r.slot.tell()
	t.delivered.Add(1)
	return true
}

// claim ends the round of a requester, and reports whether it was this call that
// ended it. The claimer then must answer and signal the call, or free the slot.
func (s *replySlot) claim(round uint64) bool { return s.round.CompareAndSwap(round, round+1) }

// fail ends a call with err, if it still waits.
func (s *replySlot) fail(round uint64, err error) {
	if s.claim(round) {
		s.answer.fail(err)
		s.tell()
	}
}

// tell tells the requester that its answer is complete.
func (s *replySlot) tell() {
	if s.waiter != nil {
		s.waiter.answered(s)
	} else {
		s.signal <- struct{}{}
	}
}

// close fails all calls. Reply consumers are ended by their channels.
func (t *replyTable) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, s := range t.slots {
		if round := s.round.Load(); round%2 == 1 && s.caller != nil {
			s.fail(round, ErrClosed)
		}
	}
}

// pending returns the number of requesters.
func (t *replyTable) pending() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.slots) - len(t.free)
}
