package warren

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

// reached reports whether n are as many as a limit allows.
func limitReached(n, limit int) bool { return limit != 0 && n >= limit }
