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

// Bare returns properties that came over the wire and are bare. It decodes nothing.
func Bare(c Content) (b wire.Bare, ok bool) {
	if raw := rawProperties(c); raw != nil {
		return raw.Bare()
	}
	return b, false
}
