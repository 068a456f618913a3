package warren

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"time"
)

// EventKind says what has happened. The texts are the routing keys of RabbitMQ's event
// exchange where it has the event.
type EventKind string

// The kinds of events.
const (
	VirtualHostCreated      EventKind = "vhost.created"
	VirtualHostDeleted      EventKind = "vhost.deleted"
	LimitsChanged           EventKind = "vhost.limits.set"
	ExchangeCreated         EventKind = "exchange.created"
	ExchangeDeleted         EventKind = "exchange.deleted"
	QueueCreated            EventKind = "queue.created"
	QueueDeleted            EventKind = "queue.deleted"
	BindingCreated          EventKind = "binding.created"
	BindingDeleted          EventKind = "binding.deleted"
	PolicyChanged           EventKind = "policy.set"
	PolicyDeleted           EventKind = "policy.cleared"
	UserCreated             EventKind = "user.created" // or its password or tags were changed
	UserDeleted             EventKind = "user.deleted"
	PermissionsCreated      EventKind = "permission.created"
	PermissionsDeleted      EventKind = "permission.deleted"
	TopicPermissionsCreated EventKind = "topic.permission.created"
	TopicPermissionsDeleted EventKind = "topic.permission.deleted"
	SessionOpened           EventKind = "connection.created"
	SessionClosed           EventKind = "connection.closed"
	ChannelOpened           EventKind = "channel.created"
	ChannelClosed           EventKind = "channel.closed"
	ConsumerStarted         EventKind = "consumer.created"
	ConsumerEnded           EventKind = "consumer.deleted" // Reason says why, if the broker has ended it
	HandlerStarted          EventKind = "handler.created"
	HandlerEnded            EventKind = "handler.deleted"
	HandlerPanicked         EventKind = "handler.panicked"
	AlarmStarted            EventKind = "alarm.set"     // Name is "memory" or "disk"
	AlarmEnded              EventKind = "alarm.cleared" // Name is "memory" or "disk"
	DefinitionsImported     EventKind = "definitions.imported"
)

// Event is a change of a broker. Fields that its kind does not use are empty.
type Event struct {
	Time        time.Time
	Kind        EventKind
	VirtualHost string
	// Name is the name of what the event is about: the exchange, queue, policy, user,
	// consumer tag or alarm; of a binding, its source; of a session, its ID; of topic
	// permissions, their exchange.
	Name string
	// Queue is the queue of a consumer or handler, or the destination of a binding.
	Queue   string
	Session string // the ID of the session that the event is about, or that did it, if known
	Channel uint64 // the number of its channel
	User    string // whom the session or the permissions are of
	Reason  string // why it happened, if that is known
}

// EventsLostError says that a reader of [Broker.Events] was too slow for some events.
type EventsLostError struct{ Count int }

// Error tells how many events were lost.
func (e *EventsLostError) Error() string {
	return fmt.Sprintf("warren: %d events were lost: read them faster, or ask for the state anew", e.Count)
}

// Events yields what changes from the call on, until ctx ends, the loop does, or the
// broker closes. So who calls it, looks at the state, and then begins the loop misses
// nothing. Events wait for a slow reader, up to 4096 of them. What is too much is lost,
// and the reader is told by an [*EventsLostError] in its place among the events, after
// which the loop goes on. The last pair has ctx's error, or [ErrClosed].
//
// The reader may use the broker. Events that no loop reads wait until ctx ends. A second
// loop gets what changes after it began.
func (b *Broker) Events(ctx context.Context) iter.Seq2[Event, error] {
	read := func() *eventReader {
		r := &eventReader{signal: make(chan struct{}, 1)}
		b.addChangeReader(r)
		if b.state.Load() == stateClosed { // otherwise r will be told
			r.read(&change{kind: brokerClosed})
		}
		return r
	}
	var first atomic.Pointer[eventReader]
	first.Store(read())
	stop := context.AfterFunc(ctx, func() {
		if r := first.Swap(nil); r != nil {
			b.removeChangeReader(r)
		}
	})
	return func(yield func(Event, error) bool) {
		stop()
		r := first.Swap(nil)
		if r == nil {
			r = read()
		}
		defer b.removeChangeReader(r)
		for {
			e, more, err := r.next(ctx)
			if !yield(e, err) || !more {
				return
			}
		}
	}
}
