package warren

import (
	"time"
)

// StreamStart is where in a stream a consumer starts (x-stream-offset). The zero
// value is StreamNext.
type StreamStart struct{ arg any }

// StreamFirst starts with the oldest message that the stream still has.
func StreamFirst() StreamStart { return StreamStart{"first"} }

// StreamLast starts with the newest message.
func StreamLast() StreamStart { return StreamStart{"last"} }

// StreamNext starts with the next message that comes.
func StreamNext() StreamStart { return StreamStart{"next"} }

// StreamOffset starts with the message of offset n, or with the oldest one if that
// message has been dropped. The first message of a stream has the offset 0. If
// there is no message n yet, the consumer skips the messages before it. A negative n
// counts from the end, as in LavinMQ: StreamOffset(-10) starts with the last ten
// messages.
func StreamOffset(n int64) StreamStart { return StreamStart{n} }

// StreamTime starts with the first message that came at t or later.
func StreamTime(t time.Time) StreamStart { return StreamStart{t} }

// StreamSince starts with the first message that came within the time d before this
// call.
func StreamSince(d time.Duration) StreamStart { return StreamTime(time.Now().Add(-d)) }
