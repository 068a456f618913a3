package warren

import (
	"errors"
	"strconv"
	"strings"
)

// event returns the change as users see it. It is called with no lock held, for every
// kind but brokerClosed and changesLost.
func (c *change) event() Event {
	e := Event{Time: c.at, Reason: c.why()}
	if c.vhost != nil {
		e.VirtualHost = c.vhost.name
	}
	switch c.kind {
	case vhostDeclared, vhostDeleted, limitsSet:
		e.Name = c.vhost.name
	case memoryAlarmStarted, memoryAlarmEnded:
		e.Name = "memory"
	case diskAlarmStarted, diskAlarmEnded:
		e.Name = "disk"
	case userDeclared, userDeleted:
		e.Name = c.user
	case permissionsSet, permissionsDeleted, sessionOpened, sessionClosed:
		e.User = c.user
	case topicPermissionsSet, topicPermissionsDeleted:
		e.Name, e.User = c.topic, c.user
	}
	switch {
	case c.exchange != nil:
		e.Name = c.exchange.Name
	case c.tag != "":
		e.Name, e.Queue = c.tag, c.queue.Name()
	case c.queue != nil:
		e.Name = c.queue.Name()
		e.of(c.queue.owner)
	case c.binding != nil:
		e.Name = c.binding.Source.Name
		if c.binding.Queue != nil {
			e.Queue = c.binding.Queue.Name()
		} else {
			e.Queue = c.binding.Exchange.Name
		}
	case c.policy != nil:
		e.Name = c.policy.Name
	case c.consumer != nil:
		e.Name, e.Queue = c.consumer.tag, c.consumer.queue
		e.on(c.consumer.ch)
	case c.channel != nil:
		e.on(c.channel)
	case c.session != nil:
		e.Name, e.Session = c.session.id, c.session.id
	}
	e.Kind = c.kind.event()
	return e
}

// of says that the event is about a session, if it is not nil.
func (e *Event) of(s *Session) {
	if s != nil {
		e.Session, e.User = s.id, s.User()
	}
}

// on says that the event is about a channel.
func (e *Event) on(ch *Channel) {
	ch.mu.Lock()
	e.Channel = ch.shownNumber
	ch.mu.Unlock()
	e.of(ch.session)
}

// why returns the reason of the change. That somebody has closed what has ended says no
// more than the change itself.
func (c *change) why() string {
	if c.count > 0 {
		return "problems: " + strconv.Itoa(c.count)
	}
	switch c.reason {
	case nil, ErrClosed:
		return ""
	case ErrConsumerCancelled:
		return "cancelled from outside"
	}
	if err, ok := errors.AsType[*Error](c.reason); ok {
		return err.Text
	}
	return strings.TrimPrefix(c.reason.Error(), "warren: ")
}

// event returns the kind as users see it.
func (k changeKind) event() EventKind {
	switch k {
	case vhostDeclared:
		return VirtualHostCreated
	case vhostDeleted:
		return VirtualHostDeleted
	case limitsSet:
		return LimitsChanged
	case exchangeDeclared:
		return ExchangeCreated
	case exchangeDeleted:
		return ExchangeDeleted
	case queueDeclared:
		return QueueCreated
	case queueDeleted:
		return QueueDeleted
	case bindingMade:
		return BindingCreated
	case bindingRemoved:
		return BindingDeleted
	case policySet:
		return PolicyChanged
	case policyDeleted:
		return PolicyDeleted
	case userDeclared:
		return UserCreated
	case userDeleted:
		return UserDeleted
	case permissionsSet:
		return PermissionsCreated
	case permissionsDeleted:
		return PermissionsDeleted
	case topicPermissionsSet:
		return TopicPermissionsCreated
	case topicPermissionsDeleted:
		return TopicPermissionsDeleted
	case definitionsImported:
		return DefinitionsImported
	case memoryAlarmStarted, diskAlarmStarted:
		return AlarmStarted
	case memoryAlarmEnded, diskAlarmEnded:
		return AlarmEnded
	}
	return k.clientEvent()
}

// clientEvent is event for those who use the broker.
func (k changeKind) clientEvent() EventKind {
	switch k {
	case sessionOpened:
		return SessionOpened
	case sessionClosed:
		return SessionClosed
	case channelOpened:
		return ChannelOpened
	case channelClosed:
		return ChannelClosed
	case consumerStarted:
		return ConsumerStarted
	case consumerEnded:
		return ConsumerEnded
	case handlerStarted:
		return HandlerStarted
	case handlerEnded:
		return HandlerEnded
	}
	return HandlerPanicked
}
