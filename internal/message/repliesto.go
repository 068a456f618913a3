package message

import "github.com/warrenmq/warren/internal/wire"

// RepliesTo reports whether ReplyTo is address, or is not set. Of properties that came
// over the wire it decodes nothing.
func RepliesTo(c Content, address string) bool {
	if raw := rawProperties(c); raw != nil {
		to, ok := raw.Get(wire.ReplyTo)
		return !ok || string(to) == address
	}
	to := c.Properties().ReplyTo
	return to == "" || to == address
}

// IsBare reports whether properties that came over the wire are known to have no more than
// CorrelationId, ReplyTo and headers with these names. It decodes nothing.
func IsBare(c Content, headers ...string) bool {
	raw := rawProperties(c)
	return raw != nil && raw.HasOnly(wire.CorrelationId|wire.ReplyTo|wire.Headers, headers...)
}
