package warren

import "time"

// Overflow says what a queue does with a message that exceeds its length
// limit (x-overflow).
type Overflow string

const (
	// DropHead drops messages at the head of the queue, or dead-letters them:
	// what a queue does if it is not told otherwise.
	DropHead Overflow = "drop-head"
	// RejectPublish refuses the new message: the publisher gets a nack.
	RejectPublish Overflow = "reject-publish"
	// RejectPublishDLX refuses it as well, and dead-letters it.
	RejectPublishDLX Overflow = "reject-publish-dlx"
)

// rules are what a queue's arguments and policies ask of it beyond keeping
// messages. They do not change: a policy gives the queue others. A queue of
// which nothing is asked has none.
type rules struct {
	ttl             time.Duration // of messages; negative: none
	expires         time.Duration // of the queue while nobody uses it; zero: none
	maxLength       int64         // ready messages, or all in a stream; negative: no limit
	maxBytes        int64         // of their bodies; negative: no limit
	maxAge          time.Duration // of messages in a stream; zero: no limit
	segmentBytes    int64         // of the bodies in a stream's segment; zero: as the limits suggest
	overflow        Overflow
	deadLetter      *DeadLetter   // nil: what is lost is lost
	deliveryLimit   int64         // times that a message may come back; negative: no limit
	consumerTimeout time.Duration // for settling a delivery; zero: none
}

// noRules are those that ask nothing.
var noRules = rules{ttl: -1, maxLength: -1, maxBytes: -1, deliveryLimit: -1, overflow: DropHead}

// newRules are the rules that arguments make, which have been checked, or
// policies under the names of arguments; nil if they ask nothing.
func newRules(args Table) *rules {
	if len(args) == 0 {
		return nil
	}
	r := noRules
	for i := range queueArgs {
		if a := &queueArgs[i]; a.rule != nil {
			if v, ok := args[a.name]; ok {
				a.rule(&r, v)
			}
		}
	}
	if r == noRules {
		return nil
	}
	return &r
}
