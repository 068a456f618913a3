package amqp

import (
	"strings"

	"github.com/warrenmq/warren/internal/wire"
)

// client is what the listener keeps of a client's properties. They are no table,
// because one takes many times the memory of its octets.
type client struct {
	properties    []byte // octets of the properties, or of a part of them
	name          string // connection_name, for the log; shortened
	hearsRefusals bool   // authentication_failure_close
	hearsBlocked  bool   // connection.blocked
	hearsCancels  bool   // consumer_cancel_notify
}

// newClient reads the properties of start-ok.
func newClient(properties wire.Table) client {
	name, _ := properties["connection_name"].(string)
	capabilities, _ := properties["capabilities"].(wire.Table)
	can := func(capability string) bool {
		v, _ := capabilities[capability].(bool)
		return v
	}
	return client{
		properties:    keptProperties(properties),
		name:          strings.Clone(short(name)),
		hearsRefusals: can("authentication_failure_close"),
		hearsBlocked:  can("connection.blocked"),
		hearsCancels:  can("consumer_cancel_notify"),
	}
}
