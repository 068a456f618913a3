package message

import "sync/atomic"

// Line counts the letters that one message has become: copies of it that went to a
// queue because it died, those of the copies, and so on. It begins again when a client
// rejects one of them.
type Line struct{ letters atomic.Int64 }

// Add adds n letters and returns how many there are.
func (l *Line) Add(n int) int64 { return l.letters.Add(int64(n)) }

// Letter is the content of a message that was dead-lettered.
type Letter struct {
	Content
	Line   *Line
	Deaths int // of its line that led to it, one after the other
}

// Edited implements Content. The new content belongs to the same line.
func (l *Letter) Edited(e Edit) Content {
	return &Letter{l.Content.Edited(e), l.Line, l.Deaths}
}

// letterSize is what a Letter holds beside its content.
const letterSize = 48

// Size implements Content.
func (l *Letter) Size() int64 { return l.Content.Size() + letterSize }

// Inner returns the content that a Letter wraps, and another content itself.
func Inner(c Content) Content {
	if l, ok := c.(*Letter); ok {
		return l.Content
	}
	return c
}

// DieAgain makes the letter of a message that died for a reason. Its content is still
// to be set.
func DieAgain(c Content, reason string) *Letter {
	if b, ok := c.(*Blind); ok {
		c = b.Content
	}
	l, ok := c.(*Letter)
	if !ok || reason == DiedRejected || reason == DiedDeliveryLimit {
		return &Letter{Line: &Line{}, Deaths: 1}
	}
	return &Letter{Line: l.Line, Deaths: l.Deaths + 1}
}
