package message

import (
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Mode is the content of a message that has a delivery mode and no other property, as
// most persistent ones have. It takes no memory.
type Mode uint8

// OnlyMode returns the delivery mode if p has no other property.
func (p *Properties) OnlyMode() (m Mode, ok bool) {
	if p.Headers != nil || p.Priority != 0 ||
		len(p.ContentType)|len(p.ContentEncoding)|len(p.CorrelationId)|len(p.ReplyTo)|
			len(p.Expiration)|len(p.MessageId)|len(p.Type)|len(p.UserId)|len(p.AppId) != 0 ||
		!p.Timestamp.IsZero() {
		return 0, false
	}
	return Mode(p.DeliveryMode), true
}

// modeFlag is the first octet of encoded properties that are a delivery mode alone. The
// second one is zero, and the third one the mode.
const modeFlag = 0x10

// ModeLen is how many bytes an encoded Mode has.
const ModeLen = 3

// ModeOf is OnlyMode for encoded properties.
func ModeOf(raw wire.RawProperties) (m Mode, ok bool) {
	if len(raw) != ModeLen || raw[0] != modeFlag || raw[1] != 0 || raw[2] == 0 {
		return 0, false
	}
	return Mode(raw[2]), true
}

// Properties implements Content.
func (m Mode) Properties() Properties { return Properties{DeliveryMode: uint8(m)} }

// Shown implements Content.
func (m Mode) Shown() Properties { return Properties{DeliveryMode: uint8(m)} }

// Headers implements Content.
func (m Mode) Headers() table.Table { return nil }

// Header implements Content.
func (m Mode) Header(string) any { return nil }

// Priority implements Content.
func (m Mode) Priority() uint8 { return 0 }

// Persistent implements Content.
func (m Mode) Persistent() bool { return m == persistent }

// Size implements Content.
func (m Mode) Size() int64 { return 0 }

// AppendTo implements Content.
func (m Mode) AppendTo(b []byte) []byte { return append(b, modeFlag, 0, byte(m)) }

// Lost does nothing: no call waits for an answer to the message.
func (m Mode) Lost(int) {}

// Edited implements Content.
func (m Mode) Edited(e Edit) Content {
	p := e.Apply(m.Properties())
	return newPublished(&p, e.Narrow)
}
