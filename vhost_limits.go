package warren

import "github.com/warrenmq/warren/internal/wire"

// VirtualHostLimits bound what a virtual host may hold. Zero: no limit.
// Negative: none at all.
type VirtualHostLimits struct {
	// MaxConnections is of sessions of users, which clients of the listener
	// have; one more gets 530. What runs in this process is not counted.
	MaxConnections int
	// MaxQueues comes beside [Options].MaxQueues; one more queue gets 406.
	MaxQueues int
}

// limitName is a limit with its name in RabbitMQ and LavinMQ.
type limitName struct {
	name  string
	value *int
}

func (l *VirtualHostLimits) named() [2]limitName {
	return [...]limitName{{"max-connections", &l.MaxConnections}, {"max-queues", &l.MaxQueues}}
}

// LimitsSet bounds the virtual host from now on; what is there stays.
func (v *VirtualHost) LimitsSet(l VirtualHostLimits) {
	v.mu.Lock()
	v.limits = l
	v.note(change{kind: limitsSet})
	v.unlock()
}

// Limits are those that LimitsSet has set last.
func (v *VirtualHost) Limits() VirtualHostLimits {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.limits
}

// reached reports whether n are as many as a limit allows.
func reached(n, limit int) bool { return limit != 0 && n >= limit }

// checkQueueCount refuses one more queue; mu is held.
func (v *VirtualHost) checkQueueCount(name string) error {
	for _, limit := range [...]int{v.limits.MaxQueues, v.broker.options.MaxQueues} {
		if reached(len(v.queues), limit) {
			return failure(wire.QueueDeclareID, wire.CodePreconditionFailed, "cannot declare queue '%s': queue limit in vhost '%s' (%d) is reached", name, v.name, max(0, limit))
		}
	}
	return nil
}
