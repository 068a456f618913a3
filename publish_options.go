package warren

import "sync/atomic"

// PublishOptions are the flags of basic.publish.
type PublishOptions struct {
	// Mandatory: if no queue takes the message, Publish fails with a *[Return] of
	// 312 (see [ErrNoRoute]). Otherwise such a message is dropped silently.
	Mandatory bool
	// Immediate: only queues with a consumer that has room take the message. If
	// there is none, Publish fails with a *[Return] of 313 (see [ErrNoConsumers]),
	// as in LavinMQ. With [LikeRabbitMQ] it fails with 540.
	Immediate bool

	// confirmed takes the Confirmation of a PublishConfirm that goes through
	// interceptors. Nil: it is a Publish.
	confirmed *atomic.Pointer[Confirmation]
}
