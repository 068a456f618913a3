// Package like has the rules in which one broker differs from another and
// that a user can choose. Each is asked for where it applies, and nowhere else
// does the code know which broker it is like.
package like

import (
	"slices"
	"strings"
)

// Rules are what the broker takes after others in. A rule that is false is not
// Warren's own. All are immutable.
type Rules struct {
	Product, Version string    // in the server properties
	ReplyNames       [3]string // names of the direct reply-to pseudo-queue that are known; empty: no more
	MaxMessageSize   int       // default of the largest body, in bytes
	FrameMin         uint32    // smallest frame_max that a client may ask for
	Reserved         [2]string // what names of new exchanges and queues may not begin with; empty: no more

	// What RabbitMQ refuses, or does not know.

	NoImmediate         bool // basic.publish with immediate: 540
	NoFlowOff           bool // channel.flow with active=false: 540
	NoRecoverToConsumer bool // basic.recover with requeue=false: 540
	NoEmptyVirtualHost  bool // an empty name is no other name of the virtual host "/": 530
	NoLavinMQNames      bool // LavinMQ's names of exchange types and arguments mean nothing
	StrictQueueTypes    bool // a queue has only the properties and arguments that RabbitMQ gives its type: 406, 540
	PrefetchForLater    bool // basic.qos without global is for consumers that start later, and not for those that run
	Trace               bool // the exchange amq.rabbitmq.trace exists

	// What LavinMQ refuses.

	PrintableNames      bool // names of new exchanges and queues are printable ASCII: 406
	NoMatchWithX        bool // x-match is all or any: 406
	NoGetBesideConsumer bool // basic.get from a queue with an exclusive consumer: 403
	DestinationIsUse    bool // an exchange that is the destination of a binding is in use: 406
	NoAccessRequest     bool // access.request: 540
	NoRecoverAsync      bool // basic.recover-async: 540
}

// Names of the direct reply-to pseudo-queue.
const (
	ReplyTo         = "amq.direct.reply-to" // LavinMQ's
	ReplyToRabbitMQ = "amq.rabbitmq.reply-to"
	ReplyToLavinMQ  = "amq.lavinmq.reply-to"
)

const reserved = "amq."

// version is that of this module.
const version = "0.1.0"

// Warren returns the rules of a broker that is like no other.
func Warren() *Rules {
	return &Rules{
		Product: "Warren", Version: version,
		ReplyNames: [3]string{ReplyTo, ReplyToRabbitMQ, ReplyToLavinMQ},
		Reserved:   [2]string{reserved}, MaxMessageSize: 128 << 20, FrameMin: 4096,
	}
}

// RabbitMQ returns the rules of RabbitMQ 4.2.
func RabbitMQ() *Rules {
	return &Rules{
		Product: "RabbitMQ", Version: "4.2.0",
		ReplyNames: [3]string{ReplyToRabbitMQ},
		Reserved:   [2]string{reserved}, MaxMessageSize: 16 << 20, FrameMin: 8192,
		NoImmediate: true, NoFlowOff: true, NoRecoverToConsumer: true, NoEmptyVirtualHost: true, NoLavinMQNames: true,
		StrictQueueTypes: true, PrefetchForLater: true, Trace: true,
	}
}

// LavinMQ returns the rules of LavinMQ 2.
func LavinMQ() *Rules {
	return &Rules{
		Product: "LavinMQ", Version: "2.9.0",
		ReplyNames: [3]string{ReplyTo, ReplyToRabbitMQ},
		Reserved:   [2]string{reserved, "mqtt."}, MaxMessageSize: 128 << 20, FrameMin: 4096,
		PrintableNames: true, NoMatchWithX: true, NoGetBesideConsumer: true, DestinationIsUse: true,
		NoAccessRequest: true, NoRecoverAsync: true,
	}
}

// IsReplyName reports whether name is a known name of the direct reply-to
// pseudo-queue.
func (r *Rules) IsReplyName(name string) bool {
	return name != "" && slices.Contains(r.ReplyNames[:], name)
}

// IsPrintable reports whether a name may be one under PrintableNames.
func (r *Rules) IsPrintable(name string) bool {
	if r.PrintableNames {
		for i := range len(name) {
			if c := name[i]; c < ' ' || c > '~' {
				return false
			}
		}
	}
	return true
}

// ReservedPrefix returns the reserved prefix that a name begins with, or an
// empty text.
func (r *Rules) ReservedPrefix(name string) string {
	for _, p := range r.Reserved {
		if p != "" && strings.HasPrefix(name, p) {
			return p
		}
	}
	return ""
}
