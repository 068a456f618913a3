package queue

import "time"

// Rules are the limits, expiry and dead-lettering that arguments and policies set for
// a queue. They are immutable: a change of a policy gives the queue other Rules. Of a
// queue without any, they are nil.
type Rules struct {
	TTL             time.Duration // of messages; negative: none
	Expires         time.Duration // time after which the queue expires if nobody uses it; zero: none
	MaxLength       int64         // most ready messages, in a stream most of all; negative: no limit
	MaxBytes        int64         // most bytes of the bodies of these; negative: no limit
	MaxAge          time.Duration // of messages in a stream; zero: no limit
	SegmentBytes    int64         // most bytes of bodies in a segment of a stream; zero: chosen by the limits
	Overflow        Overflow
	DeadLetter      *DeadLetter   // nil: lost messages are dropped
	DeliveryLimit   int64         // times that a message may be requeued; negative: no limit
	ConsumerTimeout time.Duration // for settling a delivery; zero: none
}

// NoRules returns Rules that set nothing.
func NoRules() Rules { return Rules{TTL: -1, MaxLength: -1, MaxBytes: -1, DeliveryLimit: -1} }

// Overflow is what happens to a message that exceeds a length limit.
type Overflow int

const (
	DropHead           Overflow = iota // messages at the head are lost to make room
	Reject                             // it is refused
	RejectToDeadLetter                 // it is refused, and dead-lettered
)

// DeadLetter is where lost messages go.
type DeadLetter struct {
	Exchange   string
	RoutingKey string
	Keyed      bool // RoutingKey is set; else messages keep their keys
}

// Obey gives the queue the rules of a change of policies. It does nothing if the
// queue has the rules of a later change already. Changes are numbered from 1.
func (q *Queue) Obey(change uint64, r *Rules) {
	q.mu.Lock()
	own := q.seldom()
	if q.deleted || own.ruleChange > change {
		q.mu.Unlock()
		return
	}
	q.rules, own.ruleChange = r, change
	q.touch()
	q.tidy()
	q.unlock()
	if r != nil {
		q.trimRest()
	}
}
