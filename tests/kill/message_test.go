package kill_test

import (
	"fmt"
	"strings"

	"github.com/warrenmq/warren"
)

// sent is a message, which says itself who published it, which is a channel, and its
// number there.
type sent struct {
	publisher, number int
	priority, size    int
	transient         bool
}

func (m sent) message() warren.Message {
	msg := warren.Message{
		DeliveryMode: warren.Persistent,
		Priority:     uint8(m.priority),
		MessageId:    fmt.Sprintf("%d.%d", m.publisher, m.number),
		Headers:      warren.Table{"size": int64(m.size)},
		Body:         m.body(),
	}
	if m.transient {
		msg.DeliveryMode = warren.Transient
	}
	return msg
}

// body begins with the name of the message, and all of it can be checked.
func (m sent) body() []byte {
	b := fmt.Appendf(nil, "%d %d %d %d %v ", m.publisher, m.number, m.priority, m.size, m.transient)
	x := uint32(m.publisher*7919 + m.number)
	for range m.size {
		x = x*1664525 + 1013904223
		b = append(b, byte(x>>24))
	}
	return b
}

// identify tells which message a delivery is, and fails if anything of it is different.
func identify(d *warren.Delivery) (m sent, err error) {
	head, _, _ := strings.Cut(string(d.Body[:min(len(d.Body), 80)]), "\n")
	if _, err := fmt.Sscan(head, &m.publisher, &m.number, &m.priority, &m.size, &m.transient); err != nil {
		return m, fmt.Errorf("%w: %.80q", err, d.Body)
	}
	want := m.message()
	switch {
	case m.size > 1<<20 || string(want.Body) != string(d.Body):
		err = fmt.Errorf("%v has another body", m)
	case want.MessageId != d.MessageId, want.Priority != d.Priority, want.DeliveryMode != d.DeliveryMode, d.Headers["size"] != int64(m.size):
		err = fmt.Errorf("%v has other properties", m)
	}
	return m, err
}
