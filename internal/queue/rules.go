package queue

import "time"

// Rules are what a queue is asked for beyond keeping messages. They do not
// change: a policy gives the queue others. A queue of which nothing is asked has
// none.
type Rules struct {
	TTL             time.Duration // of messages; negative: none
	Expires         time.Duration // of the queue while nobody uses it; zero: none
	MaxLength       int64         // ready messages, or all in a stream; negative: no limit
	MaxBytes        int64         // of their bodies; negative: no limit
	MaxAge          time.Duration // of messages in a stream; zero: no limit
	SegmentBytes    int64         // of the bodies in a stream's segment; zero: as the limits suggest
	Overflow        Overflow
	DeadLetter      *DeadLetter   // nil: what is lost is lost
	DeliveryLimit   int64         // times that a message may come back; negative: no limit
	ConsumerTimeout time.Duration // for settling a delivery; zero: none
}

// NoRules ask nothing.
func NoRules() Rules { return Rules{TTL: -1, MaxLength: -1, MaxBytes: -1, DeliveryLimit: -1} }

// Overflow is what happens to a message that exceeds a length limit.
type Overflow int

const (
	DropHead           Overflow = iota // messages at the head are lost for it
	Reject                             // it is refused
	RejectToDeadLetter                 // it is refused, and dead-lettered
)

// DeadLetter is where lost messages go.
type DeadLetter struct {
	Exchange   string
	RoutingKey string
	Keyed      bool // RoutingKey counts; else a message keeps its keys
}

// Obey gives the queue the rules of a change, unless those of a later one have
// come first. Changes are numbered from 1.
func (q *Queue) Obey(change uint64, r *Rules) {
	q.mu.Lock()
	if q.deleted || q.ruleChange > change {
		q.mu.Unlock()
		return
	}
	q.rules, q.ruleChange = r, change
	q.touch()
	q.tidy()
	q.unlock()
}
