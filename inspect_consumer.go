package warren

// ConsumerInfo shows a consumer of a queue, a handler, or a consumer of direct
// reply-to.
type ConsumerInfo struct {
	Tag         string
	Queue       string // [DirectReplyTo], or another name of it, for a reply consumer
	VirtualHost string
	Session     string // the ID of its session; empty for a handler
	Channel     uint64 // the number of its channel; zero for a handler
	User        string
	Remote      bool // it is a client of the listener
	Handler     bool // it belongs to a [Handler]
	Reply       bool // it receives the replies to its channel's requests

	NoAck     bool
	Exclusive bool
	Active    bool // false: another consumer is the queue's single active one
	Priority  int
	Prefetch  int // of its own, or from Qos; zero: no limit. Of a handler: its concurrency
	Unacked   int // deliveries that are not settled

	Delivered uint64 // including redeliveries
	Acked     uint64 // deliveries settled by an ack, or that needed none
}

// Consumers returns the consumers of the virtual host's queues, with handlers and reply
// consumers, sorted by queue.
func (v *VirtualHost) Consumers() []ConsumerInfo { panic("TODO") }
