package queue

import (
	"maps"

	"github.com/warrenmq/warren/internal/message"
)

// awaited has the contents of messages, by position, that are requests of calls in
// this process. What a disk gives back does not know of the call, which must be told when
// the request is lost.
type awaited map[uint64]message.Content

// keep notes the content of a message that is put outside, if a call waits for an answer.
func (a *awaited) keep(pos uint64, e *message.Entry) {
	if !e.Awaited() {
		return
	}
	if *a == nil {
		*a = make(awaited)
	}
	(*a)[pos] = e.Content
}

// giveBack gives messages that were loaded their contents again.
func (a awaited) giveBack(items []message.Item) {
	for i := 0; len(a) > 0 && i < len(items); i++ {
		if c, ok := a[items[i].Pos]; ok {
			items[i].Content = c
			delete(a, items[i].Pos)
		}
	}
}

// lose tells the calls whose requests were from first to last that these are lost.
func (a awaited) lose(first, last uint64) {
	maps.DeleteFunc(a, func(pos uint64, c message.Content) bool {
		lost := first <= pos && pos <= last
		if lost {
			c.Lost(1)
		}
		return lost
	})
}
