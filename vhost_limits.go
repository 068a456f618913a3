package warren

// VirtualHostLimits limit what a virtual host may hold. Zero: no limit. Negative:
// none is allowed.
type VirtualHostLimits struct {
	// MaxConnections limits the sessions of users, which are the connections of the
	// listener's clients. One more fails with 530. Sessions of this program are not
	// counted.
	MaxConnections int
	// MaxQueues applies in addition to [Options].MaxQueues. One more queue fails
	// with 406.
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

// limitReached reports whether n objects are as many as the limit allows.
func limitReached(n, limit int) bool { return limit != 0 && n >= limit }
